// Bytes in, replies out: what a touched session needs.
#include <algorithm>

#include "cores/app/app_sessions.hpp"

namespace holdfast::app {

using proxy::MessageKind;

void AppSessions::service_touched() {
    if (!short_of_pool_.empty() && replies_.free_count() > 0) {
        for (const auto slot : short_of_pool_) {
            sessions_[slot].listed_short = false;
            touch(slot);
        }
        short_of_pool_.clear();
    }
    // service() may touch further slots; they are served in the same pass.
    for (std::size_t i = 0; i < touched_.size(); ++i) {
        const auto slot = touched_[i];
        sessions_[slot].touched = false;
        service(slot);
    }
    touched_.clear();
}

void AppSessions::service(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (s.phase == AppPhase::over) return finish_over(slot);
    if (!send_pending(slot) || s.phase != AppPhase::open) return;
    drop_acknowledged(slot);
    deliver_all(slot);
    if (s.phase != AppPhase::open) return;  // the application ended it: it is touched again
    free_committed(slot);
    journal(slot);
    allow(slot);
    pass_replies(slot);
    publish(slot);
}

/// Gives the application what it has not taken, until it takes no more.
void AppSessions::deliver_all(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto id = id_of(slot);
    if (s.short_of_room) {
        if (room_of(s) == 0) return wait_for_room(slot);
        s.short_of_room = false;
        application(s)->writable(id);
    }
    while (s.phase == AppPhase::open && s.next != nullptr && !s.short_of_room) {
        const auto taken = s.taken;
        deliver_next(slot);
        if (s.phase != AppPhase::open || s.taken == taken) break;
    }
    if (s.phase != AppPhase::open || !s.fin_received || s.end_told || s.taken != s.received) return;
    s.end_told = true;
    s.end_done = !application(s)->confirms_end();
    application(s)->end_of_stream(id, s.received - 1);
}

/// Its own client makes room for it; or, where limits.replies is reached, anybody's.
void AppSessions::wait_for_room(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (s.listed_short || replies_.free_count() > 0) return;
    s.listed_short = true;
    short_of_pool_.push_back(slot);
}

void AppSessions::deliver_next(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto& d = meta(s.next);
    const std::span bytes(payload(s.next) + (s.taken - d.begin), d.end() - s.taken);
    const auto n = std::min(application(s)->receive(id_of(slot), s.taken - 1, bytes), bytes.size());
    if (s.phase != AppPhase::open) return;
    s_.counters.add(Counter::bytes_received, n);
    s.taken += n;
    if (s.taken == d.end()) s.next = d.next;
    if (s.committed <= s.taken) return;
    s_.counters.add(Counter::commits_refused);
    s.committed = s.taken;
}

void AppSessions::free_committed(std::uint32_t slot) {
    auto& s = sessions_[slot];
    while (s.head != nullptr && s.head != s.next && meta(s.head).end() <= s.committed) {
        auto* m = s.head;
        s.head = meta(m).next;
        if (s.tail == m) s.tail = nullptr;
        rte_pktmbuf_free(m);
        --s.mbufs;
        --held_;
    }
}

/// Replies that nobody will ask for again. What a standby holds is dropped here when it is told to drop it,
/// too, or what it holds of all sessions could outgrow what is here.
void AppSessions::drop_acknowledged(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto acknowledged =
        lane_.cells[index(Side::client)][slot].acknowledged.load(std::memory_order_acquire);
    s.una = std::max(s.una, std::min(acknowledged, s.passed + (s.fin_passed ? 1 : 0)));
    const auto until = !has_standby_gate(s) ? s.passed : is_mirrored(s) ? s.journaled.una : s.una;
    s.replies.drop_until(replies_, std::clamp(until, s.replies.begin(), s.passed));
}

Extent AppSessions::extent(const AppSession& s) const {
    Extent e;
    e.client_fin = s.end_done && s.committed == s.received;
    e.committed = s.committed + (e.client_fin ? 1 : 0);
    e.una = s.una;
    e.end = s.replies.end();
    e.finished = s.finished;
    return e;
}

/// What may be seen of what the application did. With gate standby the confirmation lets it go
/// (take_confirmations); here only what is not to wait for one.
void AppSessions::allow(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto now = extent(s);
    const auto& a = s.allowed;
    const bool behind = a.committed != now.committed || a.end != now.end || a.finished != now.finished;
    const bool gated = has_standby_gate(s);
    const bool degrade = gated && !in_sync_ && s_.config.services[s.service].degrade;
    note_waiting(slot, behind && gated && !in_sync_ && !degrade);
    if (!behind || (gated && !degrade)) return;
    if (degrade) s_.counters.add(Counter::gate_degraded);
    s.allowed = now;
}

void AppSessions::note_waiting(std::uint32_t slot, bool waiting) {
    auto& s = sessions_[slot];
    if (s.waiting == waiting) return;
    s.waiting = waiting;
    waiting_ += waiting ? 1u : 0xffffffffu;
    if (waiting) s_.counters.add(Counter::gate_waits);
}

/// Hands to the client's leg what may leave.
void AppSessions::pass_replies(std::uint32_t slot) {
    auto& s = sessions_[slot];
    while (s.passed < s.allowed.end)
        if (!pass_segment(slot)) return try_again(slot);
    if (!s.allowed.finished || s.fin_passed) return;
    s.fin_passed = app_.to_client.push({MessageKind::fin, 0, 0, id_of(slot), 0, nullptr, 0, 0});
    if (s.fin_passed) return;
    s_.counters.add(Counter::ring_refused);
    try_again(slot);
}

bool AppSessions::pass_segment(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (app_.to_client.free_count() == 0) {
        s_.counters.add(Counter::ring_refused);
        return false;
    }
    // The last eighth is for what clients send: it is what frees the rest.
    const bool room = lane_.held_mbufs() < s_.lane_mbufs - s_.lane_mbufs / 8;
    auto packet = room ? pool_.allocate() : Packet();
    if (!packet) {
        s_.counters.add(Counter::replies_wait);
        return false;
    }
    auto* m = packet.get();
    auto& d = meta(m);
    d.begin = s.passed;
    d.payload_offset = m->data_off;
    d.payload_len =
        static_cast<std::uint16_t>(std::min<std::uint64_t>(s.segment_size, s.allowed.end - s.passed));
    d.push = d.end() == s.allowed.end;
    s.replies.copy(replies_, s.passed, {payload(m), d.payload_len});
    s.passed = d.end();
    app_.to_client.push({MessageKind::data, 0, 0, id_of(slot), 0, packet.release(), 0, 0});
    return true;
}

/// The cell of the server's side: the client's ACKs and window follow it.
void AppSessions::publish(std::uint32_t slot) {
    const auto& s = sessions_[slot];
    auto& own = cell(slot);
    own.received.store(s.replies.end(), std::memory_order_relaxed);
    own.announced.store(s.una, std::memory_order_relaxed);
    own.held_mbufs.store(s.mbufs, std::memory_order_relaxed);
    const auto& r = record(slot);
    // No more than the field can say; and until something was acknowledged, what the SYN-ACK said: nobody
    // fills more at once.
    const auto expressible = std::uint32_t{65535} << r.scale_to_client;
    const auto window =
        s.allowed.committed == 1 ? r.syn_window : std::min(s_.config.limits.session_bytes, expressible);
    const auto edge = s.allowed.committed + window;
    if (own.acknowledged.load(std::memory_order_relaxed) == s.allowed.committed &&
        own.edge.load(std::memory_order_relaxed) >= edge)
        return;
    // The edge goes first: a reader that sees the new acknowledgment sees its window, too.
    own.edge.store(edge, std::memory_order_release);
    own.acknowledged.store(s.allowed.committed, std::memory_order_release);
    lane_.dirty[index(Side::server)].mark(slot);
}

/// The last messages leave when the standby was told, or its slot could be used again before.
void AppSessions::finish_over(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (is_mirrored(s) && !write_closed(slot)) return try_again(slot);
    if (send_pending(slot)) clear(slot);
}

}  // namespace holdfast::app
