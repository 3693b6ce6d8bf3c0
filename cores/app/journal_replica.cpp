// Two logs become one: what the active ships of its log, and what the standby makes of it. A state record is
// a piece of the log, or says from where on the pieces follow.
//
//     0      1          9
//     | kind | position | bytes of the log, which need not be whole records
#include <algorithm>

#include "cores/app/journal.hpp"
#include "lib/journal/bytes.hpp"

namespace holdfast::app {
namespace {

enum class Piece : std::uint8_t {
    follow = 1,  ///< what the standby has from the position on is not the active's: it never was
    bytes = 2,
};
constexpr std::size_t piece_header = 9;
/// Pieces that leave in one cycle: sessions wait meanwhile.
constexpr unsigned pieces_per_cycle = 256;

void put_header(std::span<std::uint8_t> piece, Piece kind, journal::LogPosition at) {
    piece[0] = static_cast<std::uint8_t>(kind);
    journal::put(&piece[1], at);
}

}  // namespace

void Journal::activated(std::uint64_t term) {
    term_ = term;
    term_begun_ = joined_ = caught_up_ = false;
    // A record that did not become whole is one that nobody was told of.
    partial_.clear();
    unsettled_count_ = unsettled_pieces_ = 0;
}

void Journal::standby_joined(std::span<const std::uint8_t> described) {
    const auto d = journal::decode_description(described);
    const auto common = d ? journal::common_end(contents_.terms(), store_.end(), *d) : std::nullopt;
    if (!common) return counters_.add(JournalCounter::logs_differ);
    joined_ = true;
    following_told_ = false;
    shipped_ = *common;
}

void Journal::standby_left() {
    joined_ = caught_up_ = false;
    // What waited for the standby need not any more.
    woken_at_ = no_progress;
}

void Journal::ship() {
    if (!joined_ || !begin_term()) return;
    std::array<std::uint8_t, state_record_max> piece;
    if (!following_told_) {
        put_header(piece, Piece::follow, shipped_);
        following_told_ = channel_.store(std::span(piece).first(piece_header));
    }
    for (unsigned i = 0; following_told_ && shipped_ < store_.end() && i < pieces_per_cycle; ++i) {
        const auto n = store_.read(shipped_, std::span(piece).subspan(piece_header));
        put_header(piece, Piece::bytes, shipped_);
        if (n == 0 || !channel_.store(std::span(piece).first(piece_header + n))) break;
        shipped_ += n;
        counters_.add(JournalCounter::shipped, n);
    }
    caught_up_ = caught_up_ || (following_told_ && shipped_ >= committed_);
}

std::size_t Journal::describe(std::span<std::uint8_t> out) {
    followed_ = true;
    pending_count_ = 0;
    partial_.clear();
    unsettled_count_ = unsettled_pieces_ = 0;
    return journal::encode(journal::describe(contents_.terms(), store_.end(), contents_.holds_data()), out);
}

bool Journal::stored(std::span<const std::uint8_t> piece) {
    bool held = false;
    if (piece.size() >= piece_header) {
        const auto at = journal::get<std::uint64_t>(&piece[1]);
        if (piece[0] == static_cast<std::uint8_t>(Piece::follow)) held = follow_from(at);
        else held = at == store_.end() + partial_.size() && take_piece(piece.subspan(piece_header));
    }
    if (held) {
        note_unsettled();
        drop_settled();
    } else {
        counters_.add(JournalCounter::pieces_refused);
    }
    return held;
}

/// Appends the records that the piece makes whole.
bool Journal::take_piece(std::span<const std::uint8_t> bytes) {
    partial_.insert(partial_.end(), bytes.begin(), bytes.end());
    std::size_t taken = 0;
    for (;;) {
        const auto rest = std::span<const std::uint8_t>(partial_).subspan(taken);
        journal::Record r;
        const auto decoded = journal::decode(rest, contents_.terms().last().author, r);
        if (decoded == journal::Decoded::damaged) return false;
        if (decoded == journal::Decoded::partial) break;
        const auto at = store_.end();
        const auto size = journal::record_header_size + r.body.size();
        if (!store_.append(rest.first(size)) || !contents_.add(r, at)) return false;
        taken += size;
    }
    partial_.erase(partial_.begin(), partial_.begin() + static_cast<std::ptrdiff_t>(taken));
    return true;
}

/// The log goes on at `to`, as the active says. What stood there and above is not the active's. After a
/// takeover from a standby in sync nobody was told of it; after one without (degrade, or both nodes without
/// power) somebody may have been, and it is lost here all the same: taken_back counts it.
bool Journal::follow_from(journal::LogPosition to) {
    if (to > store_.end() || !take_back(to)) return false;
    counters_.add(JournalCounter::taken_back, store_.end() - to);
    contents_.truncate(to);
    store_.truncate(to, contents_.terms().last());
    return true;
}

/// The contents lose what stands at `to` and above.
bool Journal::take_back(journal::LogPosition to) {
    auto term = contents_.terms().at(to);
    for (auto at = to; at < store_.end();) {
        journal::Record r;
        const auto n = read_record(at, record_);
        if (journal::decode(std::span(record_).first(n), term.author, r) != journal::Decoded::whole)
            return false;
        contents_.take_back(r);
        if (r.kind == journal::Kind::term) term = {r.number, r.offset};
        at += journal::record_header_size + r.body.size();
    }
    return true;
}

/// As much as there is from `at` on, up to the size of `out`.
std::size_t Journal::read_record(journal::LogPosition at, std::span<std::uint8_t> out) {
    const auto wanted = std::min<std::uint64_t>(out.size(), store_.end() - at);
    std::size_t n = 0;
    while (n < wanted) {
        const auto more = store_.read_now(at + n, out.subspan(n, wanted - n));
        if (more == 0) break;
        n += more;
    }
    return n;
}

void Journal::note_unsettled() {
    ++unsettled_pieces_;
    const auto end = store_.end() + partial_.size();
    if (unsettled_count_ == unsettled_.size()) {
        auto& last = unsettled_[(unsettled_head_ + unsettled_count_ - 1) % unsettled_.size()];
        last = {end, last.pieces + 1};
        return;
    }
    unsettled_[(unsettled_head_ + unsettled_count_++) % unsettled_.size()] = {end, 1};
}

/// As standby: what is durable is settled, or what is in memory as long as that has room. A disk that is too
/// slow so slows down those who write, before the standby has to give up.
void Journal::drop_settled() {
    const auto slack = s_.standby_durable ? 0 : store_.capacity() / 2;
    while (unsettled_count_ > 0 && unsettled_[unsettled_head_].end <= store_.durable() + slack) {
        unsettled_pieces_ -= unsettled_[unsettled_head_].pieces;
        unsettled_head_ = (unsettled_head_ + 1) % unsettled_.size();
        --unsettled_count_;
    }
}

std::uint64_t Journal::unsettled() const { return unsettled_pieces_; }

}  // namespace holdfast::app
