// Sessions with an application at the far end (gate app). The application core speaks the server core's
// language, but for a takeover: such a session is never translated. It goes on terminated, from what is
// stored.
//
//     client            client core                  application core
//       | segment --------> | (dropped)                     |
//       |                   | resume ---------------------> | stored: committed, replies
//       |                   | <-------------------- resumed |
//       | <--- probe, ACK   | <--------- data: the replies  |
//       | ACK, window ----> |                               |
#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;

/// Where messages about the slot's other leg go.
Ring<Message>& Sessions::far_ring(std::uint32_t slot) {
    if (is_client() && has_app_gate(legs_[slot])) return s_.lane.application->to_application;
    return s_.lane.to[index(other(s_.side))];
}

/// The cell of the slot's leg says something new.
void Sessions::mark_changed(std::uint32_t slot) {
    if (is_client() && has_app_gate(legs_[slot])) s_.lane.application->dirty.mark(slot);
    else s_.lane.dirty[index(s_.side)].mark(slot);
}

/// After a takeover: what the application has committed and replied, its core knows.
void Sessions::resume(std::uint32_t slot) {
    legs_[slot].phase = Phase::resuming;
    post(slot, MessageKind::resume);
    touch(slot);
}

void Sessions::reset_unproven(std::uint32_t slot) {
    if (legs_[slot].phase == Phase::free || legs_[slot].phase == Phase::dead) return;
    s_.counters.add(Counter::sessions_stored_short);
    reset_both(slot);
}

void Sessions::resumed(std::uint32_t slot, const Message& m) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::resuming) return;
    const auto& hints = *leg.hints;
    const auto* service = service_of(leg);
    // What the old active told of itself is more than what is stored here.
    const bool short_of_hints = hints.ack > m.up || hints.una > m.down + m.length + 1;
    if (service == nullptr || (m.flags & resumed::lost) != 0 || short_of_hints) return reset_unproven(slot);
    leg.unproven =
        !survives(static_cast<Gate>(leg.gates)) || (m.flags & resumed::sure) == 0 || service->degrade;
    s_.counters.add(Counter::sessions_resumed);
    if ((m.flags & resumed::stored) != 0) return resume_leg(slot, m);
    // The application has not begun: the client's answer to the SYN-ACK, which may be its second, opens it.
    leg.tcb.soft.rcv.edge_limit = Position{1} + record(slot).syn_window;
    set_view(slot, View::handshake);
    answer(slot);
}

/// Terminated from here on: RCV.NXT is what is committed, what waits to be sent follows as data.
void Sessions::resume_leg(std::uint32_t slot, const Message& m) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    auto& rcv = t.soft.rcv;
    auto& snd = t.soft.snd;
    const bool client_fin = (m.flags & resumed::client_fin) != 0;
    const auto end = m.down + m.length;
    const bool our_fin = (m.flags & resumed::our_fin) != 0 || leg.hints->una > end;
    const auto una = our_fin ? end + 1 : std::max(m.down, leg.hints->una);
    tcp::start_receiving(t, m.up);
    rcv.fin_known = rcv.fin_taken = leg.fin_received = client_fin;
    rcv.fin = m.up - 1;
    tcp::start_sending(t, una);
    // Its window the client says when it answers; so much may be with it already.
    snd.edge = una;
    snd.wl1 = m.up;
    snd.wl2 = una;
    snd.valid_ack_max = std::max(una, end);
    snd.fin_queued = snd.fin_sent = snd.fin_acknowledged = our_fin;
    snd.fin = una - 1;
    snd.has_last_byte = leg.hints->has_last_byte && leg.hints->una == una;
    snd.last_byte = leg.hints->last_byte;
    t.soft.state = client_fin ? (our_fin ? tcp::State::time_wait : tcp::State::close_wait)
                              : (our_fin ? tcp::State::fin_wait_2 : tcp::State::established);
    t.soft.rtt.rto = 200_ms;
    leg.phase = Phase::terminated;
    leg.established = true;
    leg.far_changed = true;
    leg.idle_at = now_ + std::min(s_.config.tcp.idle_probe, ask_again_after_takeover);
    set_view(slot, View::terminated);
    apply_other_cell(slot);
    // It acknowledges what is stored, and asks for the client's word and window.
    s_.counters.add(Counter::takeover_probes);
    tcp::send_probe(t, context_);
    note_progress(slot);
    touch(slot);
}

/// A segment that shows that its client was told more than is stored here: the session is reset, and true
/// comes back. The first one that fits proves the contrary.
bool Sessions::contradicts_stored(std::uint32_t slot, const wire::Frame& frame) {
    auto& leg = legs_[slot];
    const auto& t = leg.tcb;
    const auto& l = t.hard.leg;
    const auto begin = to_position(l.irs, frame.tcp.seq, t.soft.rcv.next);
    const auto ack = to_position(l.iss, frame.tcp.ack, t.soft.snd.una);
    const auto sent = std::max({t.soft.snd.nxt, t.soft.snd.queue_end, t.soft.snd.valid_ack_max});
    // Numbers that lie far away are a stranger's.
    const auto past = distance(t.soft.rcv.next, begin), ahead = distance(sent, ack);
    constexpr std::int64_t plausible = 1 << 30;
    if (past > plausible || ahead > plausible || frame.tcp.has(wire::flag::rst)) return false;
    if (past <= 0 && ahead <= 1) {
        // One that came late proves nothing.
        const bool fits = past == 0 || distance(t.soft.rcv.next, begin + frame.payload_len) > 0;
        leg.unproven = leg.unproven && !fits;
        return false;
    }
    // What is missing before it may have died with the old active, untold: then it comes again.
    constexpr Duration comes_again = seconds(5);
    if (is_entrusted(leg) && ahead <= 1) {
        if (leg.give_up_at.is_never()) leg.give_up_at = now_ + comes_again;
        if (now_ < leg.give_up_at) return false;
    }
    reset_unproven(slot);
    return true;
}

}  // namespace holdfast::proxy
