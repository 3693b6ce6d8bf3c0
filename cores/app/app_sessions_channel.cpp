// What applications do: Channel.
#include <algorithm>

#include "cores/app/app_sessions.hpp"

namespace holdfast::app {

void AppSessions::commit(SessionId session, Offset offset) {
    auto* s = open_session(session);
    const auto position = offset + 1;
    if (s == nullptr || position < s->committed || position > s->received)
        return s_.counters.add(Counter::commits_refused);
    // What receive() is at work with stays until it returns; deliver_next() sees to what it did not take.
    s->committed = position;
    touch(session.slot);
}

std::size_t AppSessions::room_of(const AppSession& s) const {
    // What a standby has to be told first is held longer than until its client acknowledges it.
    const auto held = s.replies.end() - std::min(s.replies.begin(), s.una);
    const std::uint64_t max = s_.config.limits.reply_bytes;
    if (s.finished || held >= max) return 0;
    return std::min<std::uint64_t>(max - held, std::uint64_t{replies_.free_count()} * ReplyPool::block_size);
}

std::size_t AppSessions::room(SessionId session) const {
    const auto* s = open_session(session);
    return s == nullptr ? 0 : room_of(*s);
}

std::size_t AppSessions::reply(SessionId session, std::span<const std::uint8_t> bytes) {
    auto* s = open_session(session);
    if (s == nullptr) return 0;
    const auto n = s->replies.append(replies_, bytes.first(std::min(bytes.size(), room_of(*s))));
    s_.counters.add(Counter::bytes_replied, n);
    if (n < bytes.size() && !s->finished) {
        s_.counters.add(Counter::replies_short);
        s->short_of_room = true;
    }
    touch(session.slot);
    return n;
}

Offset AppSessions::replied(SessionId session) const {
    const auto* s = open_session(session);
    return s == nullptr ? 0 : s->replies.end() - 1;
}

void AppSessions::finish(SessionId session) {
    if (auto* s = open_session(session)) {
        s->finished = true;
        touch(session.slot);
    }
}

void AppSessions::abort(SessionId session) {
    if (open_session(session) == nullptr) return;
    s_.counters.add(Counter::sessions_aborted);
    end_session(session.slot);
    post(session.slot, proxy::MessageKind::reset);
    post(session.slot, proxy::MessageKind::released);
}

}  // namespace holdfast::app
