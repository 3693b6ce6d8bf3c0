// Ends: orderly, by reset, by silence; and the quarantine after them.
#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;
namespace flag = wire::flag;

/// RST to the endpoint of this leg, with the number that it is most likely to expect.
void Sessions::emit_leg_reset(std::uint32_t slot) {
    auto& leg = legs_[slot];
    const auto& c = context_;
    leg.reset_sent = true;
    switch (leg.phase) {
        case Phase::free:
        case Phase::dead:
        case Phase::installed: return;
        case Phase::opening:
        case Phase::storing: {
            if (leg.cookie) break;
            // The client has no number of ours yet: as for a closed port (RFC 9293 section 3.10.7.1).
            wire::TcpHeader h;
            h.source_port = leg.tcb.hard.leg.local.port;
            h.destination_port = leg.tcb.hard.leg.remote.port;
            h.flags = flag::rst | flag::ack;
            h.ack = tcp::receive_seq(leg.tcb, 1);
            tcp::emit_control(leg.tcb, h, c);
            return;
        }
        case Phase::connecting: {
            wire::TcpHeader h;
            h.source_port = leg.tcb.hard.leg.local.port;
            h.destination_port = leg.tcb.hard.leg.remote.port;
            h.flags = flag::rst;
            h.seq = tcp::send_seq(leg.tcb, 1);
            tcp::emit_control(leg.tcb, h, c);
            return;
        }
        case Phase::resuming: leg.tcb.soft.snd.nxt = leg.hints->una; break;
        case Phase::translated:
            // The highest position that the endpoint has acknowledged is what it expects next.
            leg.tcb.soft.snd.nxt = leg.heard->any ? leg.heard->ack : leg.hints->una;
            break;
        case Phase::answering:
        case Phase::accepted:
        case Phase::terminated: break;
    }
    tcp::emit_reset(leg.tcb, c);
}

void Sessions::reset_leg(std::uint32_t slot) {
    auto& leg = legs_[slot];
    leg.other_over = true;
    if (leg.phase == Phase::dead || leg.phase == Phase::free) return;
    emit_leg_reset(slot);
    bury(slot, reset_quarantine);
}

void Sessions::reset_both(std::uint32_t slot) {
    if (legs_[slot].phase == Phase::dead) return;
    emit_leg_reset(slot);
    post(slot, MessageKind::reset);
    bury(slot, reset_quarantine);
}

/// The endpoint reset the session: the other one is told; a RST itself is never answered (RFC 9293
/// section 3.10.7.1).
//= rfc9293#3.6
//  The other end is told how it ended: a RST here is a RST there, a FIN is a FIN.
void Sessions::reset_by_endpoint(std::uint32_t slot) {
    legs_[slot].reset_sent = true;
    post(slot, MessageKind::reset);
    bury(slot, reset_quarantine);
}

void Sessions::finish_if_closed(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::terminated) return;
    const auto state = leg.tcb.soft.state;
    const auto& ledger = leg.tcb.soft.rcv.ledger;
    const bool ended = state == tcp::State::closed || state == tcp::State::time_wait;
    // The endpoint's FIN passes the gates like a byte: until then its ACK is owed.
    if (!ended || ledger.acknowledged() != ledger.received()) return;
    post(slot, MessageKind::over);
    bury(slot, s_.config.tcp.time_wait);
}

void Sessions::bury(std::uint32_t slot, Duration quarantine) {
    auto& leg = legs_[slot];
    if (leg.phase == Phase::dead || leg.phase == Phase::free) return;
    leave_half_open(slot);
    if (payload_ && is_entrusted(leg) && !leg.reset_sent) end_entrusted(slot);
    else end_payload(id_of(slot));
    discard_queues(slot);
    unlist(slot);
    note_over(slot);
    leg.phase = Phase::dead;
    leg.dead_until = now_ + quarantine;
    leg.progress_at = Instant::never();
    leg.opened_pending = false;
    cell(slot).held_mbufs.store(0, std::memory_order_relaxed);
    set_view(slot, View::closing);
    touch(slot);
    if (!is_client()) return;
    s_.counters.add(Counter::sessions_closed);
    note_closed(slot);
}

/// Both legs are over: the standby may forget the session. What an endpoint still repeats after a takeover
/// (its last FIN, at most) is then answered by RST, which can tell it nothing that it does not know.
void Sessions::note_closed(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!is_client() || leg.phase != Phase::dead || !leg.other_over || leg.closed_written) return;
    journal_closed(slot);
}

void Sessions::in_dead(std::uint32_t slot, const wire::Frame& frame, Packet packet) {
    auto& leg = legs_[slot];
    s_.counters.add(Counter::quarantined);
    if (frame.tcp.has(flag::rst)) return;
    const bool is_syn = frame.tcp.has(flag::syn) && !frame.tcp.has(flag::ack);
    if (is_syn && is_client()) {
        //= rfc9293#3.6.1
        //  A SYN beyond the old connection's numbers opens a new one on the same tuple. The old slot stays in
        //  quarantine; the flow entry goes to the new one.
        const bool newer =
            leg.reset_sent || tcp::receive_seq(leg.tcb, leg.tcb.soft.rcv.ledger.received()) < frame.tcp.seq;
        if (newer) return open(frame, std::move(packet));
    }
    // The same for the answer to the cookie that such a SYN got. What repeats the old connection is not
    // beyond it.
    const bool beyond = tcp::receive_seq(leg.tcb, leg.tcb.soft.rcv.ledger.received()) < frame.tcp.seq;
    if (beyond && open_by_cookie(frame, std::move(packet))) return;
    const auto& c = context_;
    if (leg.reset_sent) return tcp::emit_reset_reply(frame, c);
    // TIME-WAIT: whatever still comes is answered by the last ACK.
    if (frame.payload_len > 0 || frame.tcp.has(flag::fin) || frame.tcp.has(flag::syn))
        tcp::emit_ack(leg.tcb, c);
}

void Sessions::quarantine_over(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::dead || now_ < leg.dead_until) return;
    if (!is_client()) {
        if (awaits_stored(slot)) {
            leg.dead_until = now_ + 100_ms;
            return;
        }
        if (leg.pending != 0 || !send_message({MessageKind::released, 0, 0, id_of(slot), 0, nullptr, 0, 0}))
            return;
        free_leg(slot);
        return;
    }
    // The slot is one for both legs: it is free when both are.
    if (!leg.other_released) {
        leg.dead_until = now_ + 100_ms;
        return;
    }
    if (!leg.closed_written) journal_closed(slot);
    if (leg.closed_written) free_leg(slot);
    else leg.dead_until = now_ + 1_ms;
}

/// Payload went either way: the session's time to be silent begins anew.
void Sessions::note_payload(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!is_client() || leg.silent_at.is_never()) return;
    leg.silent_at = now_ + service_of(leg)->idle_timeout;
}

/// Client core: a session whose ends live and say nothing for service.idle_timeout_s. Probes are no payload.
void Sessions::end_if_silent(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!is_served(leg) || now_ < leg.silent_at) return;
    s_.counters.add(Counter::sessions_idle);
    reset_both(slot);
}

/// Sessions without traffic are asked whether their endpoints still live.
void Sessions::run_idle(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::terminated || now_ < leg.idle_at) return;
    //= rfc9293#3.8.4
    //  Only where nothing came for the interval and nothing is under way; one without an answer ends nothing.
    //= rfc1122#4.2.3.6
    //  The probe is one that every stack answers: one old byte, or none.
    constexpr std::uint8_t unanswered_max = 9;
    if (leg.idle_probes >= unanswered_max) {
        s_.counters.add(Counter::sessions_timed_out);
        return reset_both(slot);
    }
    ++leg.idle_probes;
    s_.counters.add(Counter::idle_probes);
    if (leg.tcb.soft.snd.una == leg.tcb.soft.snd.nxt) tcp::send_probe(leg.tcb, context_);
    leg.idle_at = now_ + s_.config.tcp.idle_probe / 4;
}

}  // namespace holdfast::proxy
