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
    follow = 1,  ///< what the standby has from the position on is not the active's, and may have been told
    bytes = 2,
    follow_silently = 3,  ///< the same, and nobody was told of it
    complete = 4,         ///< all that the active has acknowledged lies below the position
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
    // Whoever acknowledges without a standby has told more than that one knows.
    inherits_all_ = complete_ && !s_.degrade;
    complete_ = false;
    // A record that did not become whole is one that nobody was told of.
    partial_.clear();
    unsettled_count_ = unsettled_pieces_ = 0;
    finish_reading();
}

void Journal::standby_joined(std::span<const std::uint8_t> described) {
    const auto d = journal::decode_description(described);
    const auto common = d ? journal::common_end(contents_.terms(), store_.end(), *d) : std::nullopt;
    if (!common) return counters_.add(JournalCounter::logs_differ);
    joined_ = true;
    following_told_ = false;
    shipped_ = *common;
    their_end_ = d->end;
    their_term_ = d->count > 0 ? d->newest[0].term : journal::Term{};
}

void Journal::standby_left() {
    joined_ = caught_up_ = false;
    // What waited for the standby need not any more.
    woken_at_ = no_progress;
}

/// Whether what the standby has from shipped_ on was never acknowledged: then all of it is of the term before
/// the one that begins there, and whoever began that had all that was acknowledged.
bool Journal::was_told_to_nobody() const {
    if (their_end_ <= shipped_) return true;
    const auto* next = contents_.terms().beginning_at(shipped_);
    return next != nullptr && next->complete && contents_.terms().at(shipped_) == their_term_;
}

void Journal::tell_following() {
    std::array<std::uint8_t, piece_header> piece;
    put_header(piece, was_told_to_nobody() ? Piece::follow_silently : Piece::follow, shipped_);
    following_told_ = channel_.store(piece);
}

void Journal::ship() {
    if (!joined_ || !begin_term()) return;
    if (!following_told_) tell_following();
    std::array<std::uint8_t, state_record_max> piece;
    for (unsigned i = 0; following_told_ && shipped_ < store_.end() && i < pieces_per_cycle; ++i) {
        const auto n = store_.read(shipped_, std::span(piece).subspan(piece_header));
        put_header(piece, Piece::bytes, shipped_);
        if (n == 0 || !channel_.store(std::span(piece).first(piece_header + n))) break;
        shipped_ += n;
        counters_.add(JournalCounter::shipped, n);
    }
    if (caught_up_ || !following_told_ || shipped_ < committed_) return;
    put_header(piece, Piece::complete, shipped_);
    caught_up_ = channel_.store(std::span(piece).first(piece_header));
}

std::size_t Journal::describe(std::span<std::uint8_t> out) {
    followed_ = true;
    pending_count_ = 0;
    partial_.clear();
    unsettled_count_ = unsettled_pieces_ = 0;
    return journal::encode(journal::describe(contents_.terms(), store_.end(), contents_.holds_data()), out);
}

bool Journal::stored(std::span<const std::uint8_t> piece) {
    const bool held = piece.size() >= piece_header && take_piece(piece);
    if (held) {
        note_unsettled();
        drop_settled();
    } else {
        counters_.add(JournalCounter::pieces_refused);
    }
    return held;
}

bool Journal::take_piece(std::span<const std::uint8_t> piece) {
    const auto at = journal::get<std::uint64_t>(&piece[1]);
    const auto kind = static_cast<Piece>(piece[0]);
    if (kind == Piece::follow || kind == Piece::follow_silently)
        return follow_from(at, kind == Piece::follow_silently);
    if (known_to_ != all_known || at != store_.end() + partial_.size()) return false;
    if (kind == Piece::bytes) return take_bytes(piece.subspan(piece_header));
    complete_ = kind == Piece::complete;
    return complete_;
}

/// Appends the records that the piece makes whole.
bool Journal::take_bytes(std::span<const std::uint8_t> bytes) {
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
