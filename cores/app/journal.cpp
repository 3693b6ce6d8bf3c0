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
constexpr std::size_t unsettled_max = 4096;
/// What could not be shipped is tried again after this time.
constexpr Duration ship_again_after = microseconds(50);
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
      pending_(pending_max),
      reader_(store),
      unsettled_(unsettled_max) {
    partial_.reserve(journal::record_max + state_record_max);
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
    l = {true, l.waiting, false, o.session.generation, 0, 0, {}};
    l.party_size =
        static_cast<std::uint16_t>(journal::encode(journal::Party{o.client, o.local, s_.service}, l.party));
    // A standby that was never in sync may use names again that are in the log.
    const auto* held = contents_.find(o.session);
    if (held != nullptr && held->party != journal::party_hash(party_of(l))) contents_.forget(o.session.slot);
    return l;
}

/// The log may have bytes of it of which nobody was told before a takeover: they come again.
void Journal::opened(const Opened& o) { begin(o); }

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

/// What a client says now is not what it said to the node before: nothing of it may get into the log.
void Journal::contradicted(SessionId session) {
    counters_.add(JournalCounter::sessions_contradicted);
    channel_.abort(session);
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
    // A node that follows nobody has no sessions from before.
    term_begun_ = append({Kind::term, !followed_, {}, term_, s_.author, {}, inherits_all_});
    // Whoever was active before may have acknowledged all of the log; and a standby that is in sync has this
    // record, too: two logs always have something in common.
    if (term_begun_) committed_ = store_.end();
    return term_begun_;
}

/// The session's first record, if it has none.
bool Journal::begin_session(SessionId session) {
    if (!begin_term()) return false;
    if (contents_.find(session) != nullptr) return true;
    if (!append({Kind::opened, false, session, store_.end(), 0, party_of(live_[session.slot])})) return false;
    counters_.add(JournalCounter::sessions);
    return true;
}

std::size_t Journal::receive(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) {
    std::size_t taken = 0;
    // Before anything is looked up: with a fresh term the names of sessions begin anew.
    if (pending_count_ < pending_max && begin_term()) {
        // Bytes that came before a takeover come again.
        if (const auto* held = contents_.find(session); held != nullptr && held->offset > offset) {
            taken = std::min<std::uint64_t>(bytes.size(), held->offset - offset);
            counters_.add(JournalCounter::held_again, taken);
        }
        if (taken < bytes.size()) taken += append_data(session, offset + taken, bytes.subspan(taken));
        if (live(session) == nullptr) return 0;
        if (taken > 0) note(session, offset + taken, false);
    }
    if (taken < bytes.size()) wait(session);
    return taken;
}

std::size_t Journal::append_data(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) {
    if (!begin_session(session)) return 0;
    if (const auto* held = contents_.find(session); held->ended || held->offset != offset)
        return contradicted(session), 0;
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
    if (!begin_term()) return wait(session);
    const auto* held = contents_.find(session);
    if (held != nullptr && held->offset != l.end && (held->ended || held->offset > l.end))
        return contradicted(session);
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
    const auto progress = store_.durable() + shipped_;
    if (progress != woken_at_) to_wake_ = waiting_.size();
    woken_at_ = progress;
    const auto n = std::min(to_wake_, wakes_max);
    to_wake_ -= n;
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

/// While a standby catches up what is committed need not be there: it is not in sync before it is.
bool Journal::is_safe(journal::LogPosition at) const {
    return at <= store_.durable() && (!caught_up_ || at <= shipped_);
}

void Journal::commit_durable() {
    for (; pending_count_ > 0; --pending_count_, pending_head_ = (pending_head_ + 1) % pending_max) {
        const auto& p = pending_[pending_head_];
        if (!is_safe(p.at)) return;
        committed_ = p.at;
        if (live(p.session) == nullptr) continue;
        channel_.commit(p.session, p.offset);
        if (!p.finish) continue;
        channel_.commit_end(p.session);
        channel_.finish(p.session);
    }
}

void Journal::advance(Instant now) {
    now_ = now;
    store_.advance(now);
    if (known_to_ != all_known) read_again();
    counters_.set(JournalCounter::durable, store_.durable());
    ship();
    drop_settled();
    commit_durable();
    if (!waiting_.empty()) wake();
}

Instant Journal::next_deadline() const {
    const auto at = store_.next_deadline();
    if (to_wake_ > 0) return now_;
    const bool behind = joined_ && (!following_told_ || shipped_ < store_.end());
    return behind || known_to_ != all_known ? earlier(at, now_ + ship_again_after) : at;
}

}  // namespace holdfast::app
