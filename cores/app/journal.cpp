#include "cores/app/journal.hpp"

#include <algorithm>

#include "lib/base/check.hpp"

namespace holdfast::app {

using journal::Kind;
using journal::Record;

namespace {
/// Appends that may wait for the disk, over all sessions.
constexpr std::size_t pending_max = 8192;
/// Sessions that are given room in one cycle, so that those that came first have it first.
constexpr std::size_t wakes_max = 64;
}  // namespace

Journal::Journal(Channel& channel, journal::Store& store, journal::Contents& contents,
                 JournalCounters& counters, JournalSettings settings)
    : channel_(channel),
      store_(store),
      contents_(contents),
      counters_(counters),
      s_(std::move(settings)),
      live_(s_.sessions),
      record_(journal::record_max),
      pending_(pending_max) {
    waiting_.reserve(s_.sessions);
    waking_.reserve(s_.sessions);
}

Journal::Live* Journal::live(SessionId session) {
    if (session.slot >= live_.size()) return nullptr;
    auto& l = live_[session.slot];
    return l.open && l.generation == session.generation ? &l : nullptr;
}

Journal::Live& Journal::begin(const Opened& o) {
    auto& l = live_[o.session.slot];
    l = {true, l.waiting, false, o.session.generation, 0, o.client, o.local};
    return l;
}

void Journal::opened(const Opened& o) {
    begin(o);
    contents_.forget(o.session.slot);
}

void Journal::resumed(const Resumed& r) {
    auto& l = begin(r.opened);
    const auto* held = contents_.find(r.opened.session);
    if ((held != nullptr ? held->offset : 0) < r.committed) {
        counters_.add(JournalCounter::sessions_short);
        return channel_.abort(r.opened.session);
    }
    if (!r.end_taken || r.finished) return;
    l.ends = true;
    l.end = r.committed;
    append_end(r.opened.session);
}

void Journal::closed(SessionId session) {
    if (auto* l = live(session)) l->open = false;
}

bool Journal::append(const Record& r) {
    const auto n = journal::encode(r, contents_.terms().last().author, record_);
    const auto at = store_.end();
    if (!store_.append(std::span(record_).first(n))) return false;
    HF_CHECK(contents_.add(r, at));
    return true;
}

bool Journal::begin_term() {
    if (term_begun_) return true;
    const auto number = std::max(contents_.terms().last().number, term_number_) + 1;
    const bool fresh = term_number_ == 0;
    term_begun_ = append({Kind::term, fresh, {}, number, s_.author, {}});
    if (term_begun_) term_number_ = number;
    return term_begun_;
}

/// The session's first record, if it has none.
bool Journal::begin_session(SessionId session) {
    if (!begin_term()) return false;
    if (contents_.find(session) != nullptr) return true;
    const auto& l = live_[session.slot];
    std::uint8_t party[journal::party_max];
    const auto n = journal::encode(journal::Party{l.client, l.local, s_.service}, party);
    if (!append({Kind::opened, false, session, store_.end(), 0, {party, n}})) return false;
    counters_.add(JournalCounter::sessions);
    return true;
}

std::size_t Journal::receive(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) {
    std::size_t taken = 0;
    if (pending_count_ < pending_max) {
        // Bytes that came before a takeover come again.
        if (const auto* held = contents_.find(session); held != nullptr && held->offset > offset) {
            taken = std::min<std::uint64_t>(bytes.size(), held->offset - offset);
            counters_.add(JournalCounter::held_again, taken);
        }
        if (taken < bytes.size()) taken += append_data(session, offset + taken, bytes.subspan(taken));
        if (taken > 0) note(session, offset + taken, false);
    }
    if (taken < bytes.size()) wait(session);
    return taken;
}

std::size_t Journal::append_data(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) {
    if (!begin_session(session)) return 0;
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const auto body = bytes.subspan(taken, std::min(bytes.size() - taken, journal::body_max));
        const auto number = contents_.find(session)->number;
        if (!append({Kind::data, false, session, number, offset + taken, body})) break;
        taken += body.size();
    }
    counters_.add(JournalCounter::bytes, taken);
    return taken;
}

void Journal::end_of_stream(SessionId session, Offset end) {
    auto* l = live(session);
    if (l == nullptr) return;
    l->ends = true;
    l->end = end;
    append_end(session);
}

void Journal::append_end(SessionId session) {
    auto& l = live_[session.slot];
    const auto* held = contents_.find(session);
    bool there = held != nullptr && held->ended;
    if (!there && pending_count_ < pending_max && begin_session(session))
        there = append({Kind::end, false, session, contents_.find(session)->number, l.end, {}});
    if (!there || pending_count_ == pending_max) return wait(session);
    l.ends = false;
    note(session, l.end, true);
}

/// When what is in the log now is durable, the session is, up to `offset`.
void Journal::note(SessionId session, Offset offset, bool finish) {
    if (pending_count_ > 0) {
        auto& last = pending_[(pending_head_ + pending_count_ - 1) % pending_max];
        if (last.session == session && !finish) {
            last.offset = offset;
            last.at = store_.end();
            return;
        }
    }
    pending_[(pending_head_ + pending_count_) % pending_max] = {session, offset, store_.end(), finish};
    ++pending_count_;
}

void Journal::wait(SessionId session) {
    auto& l = live_[session.slot];
    if (l.waiting) return;
    l.waiting = true;
    waiting_.push_back(session.slot);
    counters_.add(JournalCounter::no_room);
}

void Journal::wake() {
    // Without progress there is no more room than there was.
    const auto progress = store_.durable();
    if (progress == woken_at_) return;
    const auto n = std::min(waiting_.size(), wakes_max);
    if (n == waiting_.size()) woken_at_ = progress;
    waking_.assign(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(n));
    for (const auto slot : waking_) {
        auto& l = live_[slot];
        l.waiting = false;
        if (!l.open) continue;
        if (l.ends) append_end({slot, l.generation});
        else channel_.retry({slot, l.generation});
    }
}

void Journal::commit_durable() {
    for (; pending_count_ > 0; --pending_count_, pending_head_ = (pending_head_ + 1) % pending_max) {
        const auto& p = pending_[pending_head_];
        if (p.at > store_.durable()) return;
        if (live(p.session) == nullptr) continue;
        channel_.commit(p.session, p.offset);
        if (p.finish) channel_.finish(p.session);
    }
}

void Journal::advance(Instant now) {
    store_.advance(now);
    counters_.set(JournalCounter::durable, store_.durable());
    commit_durable();
    if (!waiting_.empty()) wake();
}

Instant Journal::next_deadline() const { return store_.next_deadline(); }

}  // namespace holdfast::app
