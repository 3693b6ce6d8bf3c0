// A takeover of sessions whose bytes are entrusted to the pair (gate standby alone): they are never
// translated. Each core knows from the mirror what was on its way to its own endpoint, and tells the other
// one how far that goes: this is what the other endpoint is acknowledged.
//
//     client            client core                server core            server
//       |                   | resumed ----------------> |                    |
//       |                   | <---------------- resumed |                    |
//       | <--- probe, ACK   |                           | probe, ACK ------> |
//       | <--- stored bytes |                           | stored bytes ----> |
#include <algorithm>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;

namespace {
/// The other core answers within some cycles, unless it could not install the session.
constexpr Duration resume_max = seconds(2);
}  // namespace

/// The leg's own direction, from what is stored of it.
void Sessions::resume_entrusted(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& snd = leg.tcb.soft.snd;
    leg.phase = Phase::resuming;
    leg.give_up_at = now_ + resume_max;
    auto& queue = payload_->entrusted[slot];
    queue.clear();
    auto* held = payload_->store.find(id_of(slot));
    const auto end = held != nullptr ? held->end() : 1;
    const auto una = std::min(std::max(held != nullptr ? held->una : 1, leg.hints->una), end);
    tcp::start_sending(leg.tcb, una);
    snd.edge = std::max(una, held != nullptr ? held->edge : 1);
    // So much may be with the endpoint already.
    snd.valid_ack_max = end;
    if (held != nullptr) {
        const bool fin_acknowledged = held->fin && una == end;
        snd.fin_queued = snd.fin_sent = snd.fin_acknowledged = fin_acknowledged;
        snd.fin = una - 1;
        if (fin_acknowledged) snd.queue_end = una - 1;
        queue.fin = held->fin && !fin_acknowledged;
        leg.tcb.soft.rcv.edge_sent = held->window;
        payload_->store.drop_until(*held, una);
        queue.resuming = true;
    }
    payload_->gate.pass(id_of(slot), end);
    post(slot, MessageKind::resumed);
    touch(slot);
}

/// The endpoint is past its handshake, as far as the leg's own direction or its hints tell.
bool Sessions::has_begun(std::uint32_t slot) const {
    const auto& leg = legs_[slot];
    const auto& hints = *leg.hints;
    const auto stored = s_.lane.payload->stored[index(s_.side)][slot].load(std::memory_order_relaxed);
    return hints.established || hints.una > 1 || hints.ack > 1 || stored > 1;
}

/// What the other core has to know of it.
Message Sessions::resumed_message(std::uint32_t slot) const {
    Message m{MessageKind::resumed, 0, 0, id_of(slot), 0, nullptr, 0, 0};
    if (has_begun(slot)) m.flags |= resumed::stored;
    if (given_fin(slot)) m.flags |= resumed::client_fin;
    m.up = s_.lane.payload->stored[index(s_.side)][slot].load(std::memory_order_relaxed);
    return m;
}

void Sessions::entrusted_resumed(std::uint32_t slot, const Message& m) {
    auto& leg = legs_[slot];
    if (leg.phase == Phase::installed) take_over(slot);
    if (leg.phase != Phase::resuming) return;
    const auto* service = service_of(leg);
    // What the old active told of itself is more than what is stored here.
    const auto end = s_.lane.payload->stored[index(s_.side)][slot].load(std::memory_order_relaxed);
    const bool short_of_hints = leg.hints->ack > m.up || leg.hints->una > end;
    if (service == nullptr || short_of_hints) return reset_unproven(slot);
    leg.give_up_at = Instant::never();
    leg.unproven = service->degrade;
    if (is_client()) s_.counters.add(Counter::sessions_resumed);
    if (has_begun(slot) || (m.flags & resumed::stored) != 0) return resume_entrusted_leg(slot, m);
    resume_handshake(slot);
}

/// Nobody has said a word since the handshake, which may not be over: the client's answer to the SYN-ACK,
/// which may be its second, completes it on both sides.
void Sessions::resume_handshake(std::uint32_t slot) {
    auto& leg = legs_[slot];
    const auto window = Position{1} + record(slot).syn_window;
    if (is_client()) {
        leg.tcb.soft.rcv.edge_limit = window;
        return answer(slot);
    }
    leg.prefix_pending = leg.prefix_size > 0;
    leg.tcb.soft.snd.edge = window;
    leg.tcb.soft.snd.window_max = record(slot).syn_window;
    leg.phase = Phase::accepted;
    publish(slot);
}

/// Terminated from here on: RCV.NXT is what is stored of the endpoint's bytes.
void Sessions::resume_entrusted_leg(std::uint32_t slot, const Message& m) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    auto& rcv = t.soft.rcv;
    auto& snd = t.soft.snd;
    const bool endpoint_fin = (m.flags & resumed::client_fin) != 0;
    const bool our_fin = snd.fin_acknowledged;
    const auto granted = std::max(rcv.edge_sent, m.up);
    tcp::start_receiving(t, m.up);
    rcv.edge_sent = rcv.edge_limit = granted;
    rcv.fin_known = rcv.fin_taken = leg.fin_received = endpoint_fin;
    rcv.fin = m.up - 1;
    cell(slot).fin.store(endpoint_fin ? 1 : 0, std::memory_order_relaxed);
    snd.wl1 = m.up;
    snd.wl2 = snd.una;
    // As its SYN-ACK said.
    if (!is_client() && snd.una == 1) snd.edge = std::max(snd.edge, Position{1} + record(slot).syn_window);
    snd.window_max = static_cast<std::uint32_t>(snd.edge - snd.una);
    snd.has_last_byte = leg.hints->has_last_byte && leg.hints->una == snd.una && !our_fin;
    snd.last_byte = leg.hints->last_byte;
    t.soft.state = endpoint_fin ? (our_fin ? tcp::State::time_wait : tcp::State::close_wait)
                                : (our_fin ? tcp::State::fin_wait_2 : tcp::State::established);
    t.soft.rtt.rto = 200_ms;
    const bool answers = is_client() || has_begun(slot) || m.up > 1;
    leg.phase = Phase::terminated;
    leg.established = answers;
    leg.far_changed = true;
    leg.idle_at = now_ + std::min(s_.config.tcp.idle_probe, ask_again_after_takeover);
    set_view(slot, View::terminated);
    note_progress(slot);
    touch(slot);
    // A leg that has ended has nothing to ask.
    if (t.soft.state == tcp::State::time_wait) return;
    apply_other_cell(slot);
    rcv.ack_now = true;
    leg.prefix_pending = leg.prefix_size > 0 && snd.una <= 1;
    if (leg.prefix_pending) return send_prefix(slot);
    // It acknowledges what is stored, and asks for the endpoint's word and window. A server that may be in
    // SYN-RECEIVED is never probed: the ACK completes its handshake.
    if (!answers) return;
    s_.counters.add(Counter::takeover_probes);
    tcp::send_probe(t, context_);
}

/// Both FINs were under way at the takeover: an endpoint that answers by RST has had ours and closed, and
/// what the old active knew of that was not told any more.
bool Sessions::has_forgotten(const Leg& leg) {
    const auto& t = leg.tcb.soft;
    return is_entrusted(leg) && leg.hints != nullptr && t.rcv.fin_taken && t.snd.fin_queued;
}

/// The leg is over in good order; the other one goes on.
void Sessions::end_forgotten(std::uint32_t slot) {
    auto& snd = legs_[slot].tcb.soft.snd;
    snd.una = snd.fin + 1;
    post(slot, MessageKind::over);
    bury(slot, s_.config.tcp.time_wait);
}

}  // namespace holdfast::proxy
