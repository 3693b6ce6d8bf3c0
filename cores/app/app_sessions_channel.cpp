// What applications do: Channel.
#include <algorithm>

#include "cores/app/app_sessions.hpp"
#include "cores/app/service_channel.hpp"

namespace holdfast::app {

std::unique_ptr<Channel> AppSessions::make_channel(std::uint16_t service) {
    return std::make_unique<ServiceChannel>(*this, service);
}

AppSession* AppSessions::ServiceChannel::find(SessionId session) const {
    auto* s = all_.open_session(session);
    return s != nullptr && s->service == service_ ? s : nullptr;
}

void AppSessions::ServiceChannel::commit(SessionId session, Offset offset) {
    auto* s = find(session);
    const auto position = offset + 1;
    if (s == nullptr || position < s->committed || position > s->received)
        return all_.s_.counters.add(Counter::commits_refused);
    // What receive() is at work with stays until it returns; deliver_next() sees to what it did not take.
    s->committed = position;
    all_.touch(session.slot);
}

std::size_t AppSessions::ServiceChannel::room(SessionId session) const {
    const auto* s = find(session);
    return s == nullptr ? 0 : all_.room_of(*s);
}

std::size_t AppSessions::ServiceChannel::reply(SessionId session, std::span<const std::uint8_t> bytes) {
    auto* s = find(session);
    if (s == nullptr) return 0;
    const auto n = s->replies.append(all_.replies_, bytes.first(std::min(bytes.size(), all_.room_of(*s))));
    all_.s_.counters.add(Counter::bytes_replied, n);
    if (n < bytes.size() && !s->finished) {
        all_.s_.counters.add(Counter::replies_short);
        s->short_of_room = true;
    }
    all_.touch(session.slot);
    return n;
}

Offset AppSessions::ServiceChannel::replied(SessionId session) const {
    const auto* s = find(session);
    return s == nullptr ? 0 : s->replies.end() - 1;
}

void AppSessions::ServiceChannel::finish(SessionId session) {
    if (auto* s = find(session)) {
        s->finished = true;
        all_.touch(session.slot);
    }
}

void AppSessions::ServiceChannel::abort(SessionId session) {
    if (find(session) == nullptr) return;
    all_.s_.counters.add(Counter::sessions_aborted);
    all_.end_session(session.slot);
    all_.post(session.slot, proxy::MessageKind::reset);
    all_.post(session.slot, proxy::MessageKind::released);
}

bool AppSessions::ServiceChannel::store(std::span<const std::uint8_t> record) {
    return all_.write_state(service_, record);
}

void AppSessions::ServiceChannel::retry(SessionId session) {
    if (find(session) != nullptr) all_.touch(session.slot);
}

void AppSessions::ServiceChannel::deliver(SessionId session, Offset from) {
    auto* s = find(session);
    const auto position = from + 1;
    if (s == nullptr || position < s->committed || position > s->received) return;
    if (position < s->taken) s->next = s->head;
    while (s->next != nullptr && meta(s->next).end() <= position) s->next = meta(s->next).next;
    s->taken = position;
    all_.touch(session.slot);
}

void AppSessions::ServiceChannel::commit_end(SessionId session) {
    auto* s = find(session);
    if (s == nullptr || !s->end_told) return;
    s->end_done = true;
    all_.touch(session.slot);
}

/// How much more an application may reply.
std::size_t AppSessions::room_of(const AppSession& s) const {
    // What a standby has to be told first is held longer than until its client acknowledges it.
    const auto held = s.replies.end() - std::min(s.replies.begin(), s.una);
    const std::uint64_t max = s_.config.limits.reply_bytes;
    if (s.finished || held >= max) return 0;
    return std::min<std::uint64_t>(max - held, std::uint64_t{replies_.free_count()} * BlockPool::block_size);
}

}  // namespace holdfast::app
