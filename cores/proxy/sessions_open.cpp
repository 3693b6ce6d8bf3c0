// Opening: the client's SYN goes end to end before the client is answered.
//
//     client            client core              standby        server core            server
//       | SYN ------------> | open ----------------------------------> | SYN ------------> |
//       |                   | <-------------------------------- accepted | <------- SYN-ACK |
//       |                   | Opened ---------------> |                  |                  |
//       |                   | <------------- confirmed |                 |                  |
//       | <-------- SYN-ACK |                                           |                  |
//       | ACK ------------> | established ----------------------------> | ACK -----------> |
#include <algorithm>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;
namespace flag = wire::flag;

const ServiceConfig* Sessions::find_service(const Endpoint& address, std::uint16_t& position) const {
    for (std::size_t i = 0; i < s_.config.services.size(); ++i)
        if (s_.config.services[i].address == address) {
            position = static_cast<std::uint16_t>(i);
            return &s_.config.services[i];
        }
    return nullptr;
}

namespace {
/// The server core most often answers sooner, and no client waits longer: this is for an answer that a change
/// of role has eaten.
constexpr Duration opening_max = seconds(180);
}  // namespace

void Sessions::open(const wire::Frame& frame, Packet packet) {
    packet.reset();
    std::uint16_t position = 0;
    const Endpoint local{frame.destination, frame.tcp.destination_port},
        remote{frame.source, frame.tcp.source_port};
    const auto* service = find_service(local, position);
    if (service == nullptr) {
        s_.counters.add(Counter::syn_to_no_service);
        tcp::emit_reset_reply(frame, context_);
        return;
    }
    // A land packet: an endpoint that claims to be ourselves.
    if (frame.source == frame.destination) {
        s_.counters.add(Counter::wrong_phase);
        return;
    }
    // A cookie costs nothing; limits are for who has answered it.
    if (cookies_) return answer_by_cookie(frame, position);
    if (!may_open(position, frame)) return;
    const Numbers numbers{frame.tcp.seq, s_.secrets.initial_sequence(local, remote, shared_now())};
    auto offer = tcp::read_offer(frame.tcp);
    offer.ecn = offer.ecn && s_.config.tcp.ecn;
    offer.sack = offer.sack && may_agree_on_sack(*service);
    const auto slot = begin(frame, position, numbers, offer);
    if (slot == FlowTable::none) return;
    if (!far_ring(slot).push({MessageKind::open, 0, 0, record(slot).id, 0, nullptr, 0, 0})) {
        // The client will send its SYN again: nothing is kept.
        s_.counters.add(Counter::ring_refused);
        free_leg(slot);
        return;
    }
    note_live(slot);
    legs_[slot].half_open = true;
    count_half_open(+1);
    set_view(slot, View::handshake);
    s_.counters.add(Counter::sessions_opened);
}

/// The client's half of a session: its record and its leg, in phase opening. Returns the slot, or none
/// (counted).
std::uint32_t Sessions::begin(const wire::Frame& frame, std::uint16_t service, const Numbers& numbers,
                              const tcp::HandshakeOffer& offer) {
    const auto slot = allocate_slot();
    if (slot == FlowTable::none) {
        s_.counters.add(Counter::sessions_no_slot);
        return FlowTable::none;
    }
    auto& r = record(slot);
    const auto generation = last_generation(slot) + 1;
    r = SessionRecord{};
    r.id = {slot, generation};
    r.term = s_.lane.node.term.load(std::memory_order_relaxed);
    r.service = service;
    r.gates = static_cast<std::uint8_t>(s_.config.services[service].gate);
    r.sack = offer.sack;
    r.timestamps = offer.timestamps;
    r.window_scaling = offer.window_scaling;
    r.scale_client = offer.scale;
    r.ecn[index(Side::client)] = offer.ecn;
    r.opened_at = shared_now();
    auto& c = r.leg[index(Side::client)];
    c.local = {frame.destination, frame.tcp.destination_port};
    c.remote = {frame.source, frame.tcp.source_port};
    c.irs = numbers.irs;
    c.iss = numbers.iss;
    c.ts_offset = s_.secrets.timestamp_offset(c.local, c.remote);
    c.mss_send = mss_for(offer.mss, s_.net.settings().mtu, c.remote.address);
    start_leg(slot, generation, c);
    auto& leg = legs_[slot];
    leg.service = service;
    leg.gates = r.gates;
    leg.offer = offer;  // the client's own offer, until the server has answered
    leg.tcb.soft.rcv.ts_recent = frame.tcp.options.ts_value;
    leg.tcb.soft.rcv.ts_recent_valid = offer.timestamps;
    leg.tcb.soft.rcv.ts_recent_at = now_;
    tcp::start_receiving(leg.tcb, 1);
    leg.phase = Phase::opening;
    leg.give_up_at = now_ + opening_max;
    // The server core reads the client's window from here: it is what our SYN offers.
    r.syn_window = offer.window;
    if (!flows_.insert(key_of(leg), slot)) {
        s_.counters.add(Counter::sessions_no_flow);
        free_leg(slot);
        return FlowTable::none;
    }
    return slot;
}

/// Limits of the service. Who meets one of live sessions is told at once: it does not go by in a second. Who
/// comes too fast hears nothing and comes again by himself: his SYN waits instead of failing.
bool Sessions::may_open(std::uint16_t service, const wire::Frame& frame) {
    switch (admission_.judge(service, frame.source, now_)) {
        case Admission::Verdict::admitted: return true;
        case Admission::Verdict::over_rate: s_.counters.add(Counter::sessions_over_rate); return false;
        case Admission::Verdict::service_full: s_.counters.add(Counter::sessions_service_full); break;
        case Admission::Verdict::source_full: s_.counters.add(Counter::sessions_source_full); break;
    }
    tcp::emit_reset_reply(frame, context_);
    return false;
}

void Sessions::accepted(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::opening) return;
    auto& r = record(slot);
    auto& l = r.leg[index(Side::client)];
    auto& t = leg.tcb;
    auto& ecn = r.ecn[index(Side::client)];
    if (!leg.cookie) {
        l.mss_receive = mss_for(r.leg[index(Side::server)].mss_send, s_.net.settings().mtu, l.remote.address);
        ecn = ecn && leg.offer.ecn;
        t.hard = {l, r.sack, r.timestamps, ecn, r.scale_client, r.scale_server};
    }
    leg.offer = {l.mss_receive, r.sack, r.timestamps, r.window_scaling, r.scale_to_client, r.syn_window, ecn};
    t.soft.rcv.edge_limit = std::max(t.soft.rcv.edge_limit, Position{1} + r.syn_window);
    leg.phase = Phase::storing;
    leg.store_deadline = now_ + s_.config.mirror_link.store_wait;
    leg.opened_pending = true;
    journal_opened(slot);
    storing_.push_back(slot);
}

/// The end of the snapshot is written: the standby is in sync as soon as it has that. What is opened from now
/// on would be unknown to it for a while.
bool Sessions::snapshot_written() const {
    return mirror_epoch_ != 0 && !epoch_start_pending_ && snapshot_next_ == FlowTable::none &&
           !snapshot_end_pending_;
}

/// Answers the clients whose records the standby has stored, in the order in which they were written.
void Sessions::answer_stored() {
    const auto& node = s_.lane.node;
    const bool counts_on_it = node.in_sync.load(std::memory_order_acquire) || snapshot_written();
    const auto confirmed = node.confirmed[index(Side::client)].load(std::memory_order_acquire);
    while (storing_head_ < storing_.size()) {
        const auto slot = storing_[storing_head_];
        auto& leg = legs_[slot];
        if (leg.phase == Phase::storing) {
            const bool stored = !leg.opened_pending && leg.opened_epoch == mirror_epoch_ &&
                                mirror_epoch_ != 0 && confirmed >= leg.opened_sequence;
            // A record that the ring refused could else come behind the snapshot's end.
            const bool waits = counts_on_it || (mirror_epoch_ != 0 && leg.opened_pending);
            if (!stored && waits && now_ < leg.store_deadline) break;
            if (!stored)
                s_.counters.add(waits ? Counter::sessions_store_late : Counter::sessions_unprotected_opened);
            answer(slot);
        }
        ++storing_head_;
    }
    // What is done leaves the front, so that the list never outgrows its reserve.
    if (storing_head_ == storing_.size() || storing_head_ >= legs_.size() / 2) {
        storing_.erase(storing_.begin(), storing_.begin() + static_cast<std::ptrdiff_t>(storing_head_));
        storing_head_ = 0;
    }
}

void Sessions::answer(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.cookie) return client_established(slot);
    leg.phase = Phase::answering;
    const auto timeout = service_of(leg)->handshake_timeout;
    leg.give_up_at = timeout > Duration{} ? now_ + timeout : Instant::never();
    tcp::send_syn_ack(leg.tcb, leg.offer, context_);
    touch(slot);
}

namespace {
/// The client no longer wants what the session is to have.
bool offers_less(const tcp::HandshakeOffer& before, const tcp::HandshakeOffer& now) {
    return (before.sack && !now.sack) || (before.timestamps && !now.timestamps) ||
           (before.window_scaling && !now.window_scaling);
}
}  // namespace

/// BSD stacks leave options out when a SYN has gone unanswered some times (FreeBSD: rexmit_drop_options), as
/// it does here while a backend is slow. What the server was told can not be taken back: it is asked anew.
void Sessions::open_anew(std::uint32_t slot, const wire::Frame& frame, Packet packet) {
    s_.counters.add(Counter::syns_offer_less);
    legs_[slot].reset_sent = true;
    post(slot, MessageKind::reset);
    bury(slot, reset_quarantine);
    // Should a cookie be the answer, what answers that is for nobody's quarantine.
    flows_.erase(key_of(legs_[slot]));
    open(frame, std::move(packet));
}

void Sessions::in_handshake(std::uint32_t slot, const wire::Frame& frame, Packet packet) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    const bool is_syn = frame.tcp.has(flag::syn) && !frame.tcp.has(flag::ack);
    if (is_syn && frame.tcp.seq == t.hard.leg.irs) {
        if (offers_less(leg.offer, tcp::read_offer(frame.tcp)))
            return open_anew(slot, frame, std::move(packet));
        //= rfc3168#6.1.1
        //  Whoever offered ECN and then did not, before he was answered, has it no more: nothing of ours to
        //  him is ECT. Later the record that the standby has says otherwise, and the answer stays as it was.
        if (leg.phase == Phase::opening) leg.offer.ecn = leg.offer.ecn && tcp::read_offer(frame.tcp).ecn;
        // The same SYN again: the same answer, if there is one yet.
        if (leg.phase != Phase::answering) return;
        // Its own timer goes on, or a client that repeats its SYN for ever would hold the slot for ever.
        const auto timer_at = t.soft.snd.timer_at;
        tcp::send_syn_ack(t, leg.offer, context_);
        t.soft.snd.timer_at = timer_at;
        return;
    }
    //= rfc9293#3.5
    //  A client opens, we listen: a RST in SYN-RECEIVED ends the attempt and nothing else.
    if (frame.tcp.has(flag::rst) && frame.tcp.seq == tcp::receive_seq(t, 1)) {
        s_.counters.add(Counter::sessions_handshake_failed);
        reset_by_endpoint(slot);
        return;
    }
    //= rfc9293#3.10.7.4
    //  In SYN-RECEIVED only an ACK of our SYN completes the handshake; another one is answered by RST.
    const bool ack_ok = frame.tcp.has(flag::ack) && frame.tcp.ack == tcp::send_seq(t, 1);
    // The client holds a cookie: a SYN of its that came again opened this session when the flood was over.
    if (!ack_ok && open_by_cookie(frame, std::move(packet))) {
        post(slot, MessageKind::reset);
        return bury(slot, reset_quarantine);
    }
    if (leg.phase != Phase::answering || frame.tcp.has(flag::syn) || !ack_ok) {
        s_.counters.add(Counter::wrong_phase);
        if (leg.phase == Phase::answering && frame.tcp.has(flag::ack) && !ack_ok && !frame.tcp.has(flag::rst))
            tcp::emit_reset_reply(frame, context_);
        return;
    }
    t.soft.state = tcp::next_state(t.soft.state, tcp::StateEvent::syn_acknowledged);
    tcp::finish_handshake(t);
    client_established(slot);
    in_terminated(slot, frame, std::move(packet));
}

void Sessions::client_established(std::uint32_t slot) {
    auto& leg = legs_[slot];
    post(slot, MessageKind::established);
    leg.phase = Phase::terminated;
    leg.established = true;
    leg.give_up_at = Instant::never();
    leave_half_open(slot);
    leg.idle_at = now_ + s_.config.tcp.idle_probe;
    if (const auto timeout = service_of(leg)->idle_timeout; timeout > Duration{})
        leg.silent_at = now_ + timeout;
    s_.counters.add(Counter::sessions_established);
    set_view(slot, View::terminated);
    note_progress(slot);
    touch(slot);
}

void Sessions::server_established(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::accepted) return;
    leg.phase = Phase::terminated;
    leg.tcb.soft.state = tcp::State::established;
    leg.tcb.soft.rcv.ack_now = true;
    leg.idle_at = now_ + s_.config.tcp.idle_probe;
    if (leg.prefix_pending) begin_prefix(slot);
    set_view(slot, View::terminated);
    touch(slot);
}

/// Gives up a leg that never got established: the other side learns it, the client gets a RST.
void Sessions::abandon(std::uint32_t slot) {
    if (is_client()) {
        s_.counters.add(Counter::sessions_handshake_failed);
        reset_both(slot);
        return;
    }
    if (legs_[slot].phase == Phase::accepted) emit_leg_reset(slot);
    // A SYN-ACK that comes all the same has no ACK to repeat, and no number of the server's to make one of.
    legs_[slot].reset_sent = true;
    post(slot, MessageKind::refused);
    bury(slot, reset_quarantine);
}

void Sessions::refuse_client(std::uint32_t slot) {
    auto& leg = legs_[slot];
    leg.other_over = true;
    if (leg.phase != Phase::opening && leg.phase != Phase::storing && leg.phase != Phase::answering) return;
    // A refusal becomes a RST, not a connection that opens and then dies; but after a cookie.
    if (leg.cookie) s_.counters.add(Counter::cookie_sessions_reset);
    emit_leg_reset(slot);
    bury(slot, reset_quarantine);
}

}  // namespace holdfast::proxy
