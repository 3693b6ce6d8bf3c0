// A standby's table: what the active's applications did, as its records tell; and what becomes of it at a
// takeover.
#include <algorithm>

#include "cores/app/app_sessions.hpp"

namespace holdfast::app {

using proxy::AppEntryKind;

std::uint32_t AppSessions::take_installs() {
    std::uint32_t n = 0;
    for (; app_.install.pop(entry_); ++n) take_install();
    return n;
}

/// What can not be held makes this standby one that is not in sync: it takes no more of the connection, and
/// the mirror core sees to the rest.
void AppSessions::take_install() {
    const auto& e = entry_;
    if (e.kind == AppEntryKind::describe) return begin_connection(e.epoch);
    if (e.kind == AppEntryKind::described) return take_described(e);
    if (refused_ != 0 && refused_ == connection_) return s_.counters.add(Counter::records_refused);
    bool held = true;
    switch (e.kind) {
        case AppEntryKind::epoch_start:
            ++mark_;
            whole_ = false;
            break;
        case AppEntryKind::progress:
        case AppEntryKind::closed: held = store(e.record); break;
        case AppEntryKind::state: held = take_state(e); break;
        case AppEntryKind::snapshot_end:
            sweep();
            whole_ = true;
            break;
        case AppEntryKind::describe:
        case AppEntryKind::described: break;
    }
    if (held) {
        processed_ = std::max(processed_, e.sequence);
        return;
    }
    s_.counters.add(Counter::records_refused);
    refused_ = connection_;
    whole_ = false;
    app_.refused.store(refused_, std::memory_order_release);
}

/// False when the session can not be held.
bool AppSessions::store(const ApplicationRecord& r) {
    auto& s = sessions_[r.id.slot];
    const bool known = s.phase == AppPhase::stored && s.generation == r.id.generation;
    if (s.phase != AppPhase::free && s.phase != AppPhase::stored) {
        s_.counters.add(Counter::stale_message);
        return true;
    }
    if (r.closed) {
        if (known) clear(r.id.slot);
        if (known) s.generation = r.id.generation;
        return true;
    }
    // The word of a session's end may come before the last that its application did.
    const bool over = s.phase == AppPhase::free && s.generation == r.id.generation;
    if (over && !r.first) {
        s_.counters.add(Counter::stale_message);
        return true;
    }
    if (!known && !r.first) return false;
    if (r.first) {
        clear(r.id.slot);
        renew(r.id.slot);
        s.phase = AppPhase::stored;
        s.generation = r.id.generation;
        s.replies.start(r.begin);
    }
    s.mark = mark_;
    store_progress(s, r);
    if (s.lost) return false;
    s_.counters.add(Counter::records_stored);
    return true;
}

void AppSessions::store_progress(AppSession& s, const ApplicationRecord& r) {
    auto& replies = s.replies;
    const auto una = std::clamp(r.una, replies.begin(), replies.end());
    // Before there is room for what follows: the active has dropped it, too.
    replies.drop_until(replies_, una);
    if (r.begin != replies.end() || replies.append(replies_, {r.bytes.data(), r.size}) != r.size)
        s.lost = true;
    // What the client has acknowledged is true whether the group becomes whole or not.
    s.allowed.una = std::max(s.allowed.una, std::min(una, s.allowed.end));
    if (!r.complete) return;
    s.whole = true;
    s.allowed = {r.committed, std::clamp(r.una, replies.begin(), replies.end() + (r.finished ? 1 : 0)),
                 replies.end(), r.client_fin, r.finished};
}

/// Sessions that a whole snapshot did not name are gone from the active.
void AppSessions::sweep() {
    for (std::uint32_t slot = 0; slot < sessions_.size(); ++slot)
        if (sessions_[slot].phase == AppPhase::stored && sessions_[slot].mark != mark_) clear(slot);
}

/// This node has become active, and its client core comes to the session.
void AppSessions::take_resume(SessionId id) {
    auto& s = sessions_[id.slot];
    const bool known = s.phase == AppPhase::stored && s.generation == id.generation && s.whole;
    if (!known) {
        start(id.slot, id.generation);
        s.phase = AppPhase::opening;
        publish(id.slot);
        return post(id.slot, proxy::MessageKind::resumed);
    }
    // What did not become whole was never seen.
    auto replies = s.replies;
    const auto a = s.allowed;
    const bool lost = s.lost;
    replies.cut(replies_, std::clamp(a.end, replies.begin(), replies.end()));
    s.replies.start(1);  // they stay, in the copy
    start(id.slot, id.generation);
    s.replies = replies;
    s.allowed = a;
    s.lost = lost;
    s.phase = AppPhase::open;
    s.received = s.taken = s.committed = a.committed - (a.client_fin ? 1 : 0);
    s.fin_received = s.end_told = s.end_done = a.client_fin;
    s.finished = a.finished;
    s.una = a.una;
    s.passed = std::clamp(a.una, replies.begin(), replies.end());
    s.fin_passed = a.una > a.end;
    publish(id.slot);
    s_.counters.add(Counter::sessions_resumed);
    post(id.slot, proxy::MessageKind::resumed);
    application(s)->resumed(
        {opened_of(id.slot), s.committed - 1, replies.end() - 1, a.client_fin, a.finished});
}

}  // namespace holdfast::app
