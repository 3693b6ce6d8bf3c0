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
/// The server core answers sooner, whatever the backend does: this is for an answer that a change of role has
/// eaten.
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
    if (cookies_) return answer_by_cookie(frame, position);
    const Numbers numbers{frame.tcp.seq, s_.secrets.initial_sequence(local, remote, shared_now())};
    const auto slot = begin(frame, position, numbers, tcp::read_offer(frame.tcp));
    if (slot == FlowTable::none) return;
    if (!s_.lane.to[index(Side::server)].push({MessageKind::open, 0, 0, record(slot).id, 0, nullptr, 0, 0})) {
        // The client will send its SYN again: nothing is kept.
        s_.counters.add(Counter::ring_refused);
        free_leg(slot);
        return;
    }
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
    leg.store_deadline = now_ + opening_max;
    // The server core reads the client's window from here: it is what our SYN offers.
    r.syn_window = offer.window;
    if (!flows_.insert(key_of(leg), slot)) {
        s_.counters.add(Counter::sessions_no_flow);
        free_leg(slot);
        return FlowTable::none;
    }
    return slot;
}

bool Sessions::choose_source(SessionRecord& r) {
    auto& leg = r.leg[index(Side::server)];
    // One half of the ports belongs to each node, so a takeover never meets ports it did not know of.
    constexpr std::uint32_t first = 1024, count = 65536 - 1024;
    const auto& sources = sources_[leg.remote.address.is_v4() ? 0 : 1];
    if (sources.empty()) return false;  // the loader refuses such a configuration
    const auto start = random_.next();
    for (std::uint32_t i = 0; i < 512; ++i) {
        const auto n = static_cast<std::uint32_t>((start + i) % (count / 2));
        leg.local = {sources[(start >> 32) % sources.size()],
                     static_cast<std::uint16_t>(first + n * 2 + (s_.config.node_id & 1))};
        const FlowKey key{leg.local.address, leg.remote.address, leg.local.port, leg.remote.port, 0};
        if (flows_.find(key) == FlowTable::none) return true;
    }
    return false;
}

/// Server core: the client core wants a connection. It may know of a new role before us; and what it asked
/// for in a role that is over would be nobody's, and speak when the node is active again.
void Sessions::take_open(SessionId id) {
    if (!active_) follow_role();
    if (active_) return connect(id);
    s_.counters.add(Counter::stale_message);
}

void Sessions::connect(SessionId id) {
    if (legs_[id.slot].phase != Phase::free || inherited_[id.slot].waiting) {
        // The previous session of this slot is not quite gone here; the client core waited for its release,
        // so this cannot happen unless a table was dropped in between.
        free_leg(id.slot);
    }
    auto& r = record(id.slot);
    const auto& service = s_.config.services[r.service];
    auto& next = next_backend_[r.service];
    r.backend = static_cast<std::uint16_t>(next++ % service.backends.size());
    auto& l = r.leg[index(Side::server)];
    l.remote = service.backends[r.backend];
    const bool source = choose_source(r);
    if (source) {
        l.iss = s_.secrets.initial_sequence(l.local, l.remote, shared_now());
        l.ts_offset = s_.secrets.timestamp_offset(l.local, l.remote);
        l.mss_receive = mss_for(r.leg[index(Side::client)].mss_send, s_.net.settings().mtu, l.remote.address);
    }
    start_leg(id.slot, id.generation, l);
    auto& leg = legs_[id.slot];
    leg.service = r.service;
    leg.gates = r.gates;
    leg.phase = Phase::connecting;
    if (!source || !flows_.insert(key_of(leg), id.slot)) {
        s_.counters.add(source ? Counter::sessions_no_flow : Counter::sessions_no_port);
        return abandon(id.slot);
    }
    set_view(id.slot, View::handshake);
    leg.offer = {l.mss_receive, r.sack, r.timestamps, r.window_scaling, r.scale_client, r.syn_window};
    tcp::send_syn(leg.tcb, leg.offer, context_);
    touch(id.slot);
}

void Sessions::in_connecting(std::uint32_t slot, const wire::Frame& frame) {
    auto& leg = legs_[slot];
    const auto& c = context_;
    if (leg.phase == Phase::accepted) {
        // A repeated SYN-ACK waits for the client like the first; a RST means the backend changed its mind.
        if (frame.tcp.has(flag::rst) && frame.tcp.seq == tcp::receive_seq(leg.tcb, 1)) {
            s_.counters.add(Counter::sessions_refused_backend);
            reset_by_endpoint(slot);
        } else {
            s_.counters.add(Counter::wrong_phase);
        }
        return;
    }
    switch (tcp::judge_in_syn_sent(leg.tcb, frame)) {
        case tcp::SynSentVerdict::ignore: return s_.counters.add(Counter::wrong_phase);
        case tcp::SynSentVerdict::send_reset: tcp::emit_reset_reply(frame, c); return;
        case tcp::SynSentVerdict::refused:
            s_.counters.add(Counter::sessions_refused_backend);
            abandon(slot);
            return;
        case tcp::SynSentVerdict::accepted: take_server_answer(slot, frame); return;
    }
}

void Sessions::take_server_answer(std::uint32_t slot, const wire::Frame& frame) {
    auto& leg = legs_[slot];
    auto& r = record(slot);
    auto& l = r.leg[index(Side::server)];
    const auto answer = tcp::read_offer(frame.tcp);
    s_.lane.backend_options.note(r.service, r.backend, leg.offer, answer);
    const bool less = (r.sack && !answer.sack) || (r.timestamps && !answer.timestamps) ||
                      (r.window_scaling && !answer.window_scaling);
    if (r.cookie && less) {
        // The client was told otherwise. The next cookie will not offer it.
        s_.counters.add(Counter::cookie_options_refused);
        emit_leg_reset(slot);
        return abandon(slot);
    }
    // What the server did not accept, the client is not offered.
    r.sack = r.sack && answer.sack;
    r.timestamps = r.timestamps && answer.timestamps;
    r.window_scaling = r.window_scaling && answer.window_scaling;
    if (!r.window_scaling) r.scale_client = 0;
    r.scale_server = r.window_scaling ? answer.scale : 0;
    if (!r.cookie) r.scale_to_client = r.scale_server;
    r.syn_window = answer.window;
    l.irs = frame.tcp.seq;
    l.mss_send = mss_for(answer.mss, s_.net.settings().mtu, l.remote.address);

    auto& t = leg.tcb;
    t.hard = {l, r.sack, r.timestamps, r.scale_server, r.scale_client};
    tcp::start_receiving(t, 1);
    t.soft.rcv.edge_sent = t.soft.rcv.edge_limit = Position{1} + leg.offer.window;
    t.soft.rcv.ts_recent = frame.tcp.options.ts_value;
    t.soft.rcv.ts_recent_valid = r.timestamps;
    t.soft.rcv.ts_recent_at = now_;
    t.soft.snd.timer = tcp::SendTimer::none;
    t.soft.snd.timer_at = Instant::never();
    t.soft.snd.backoff = 0;
    tcp::start_sending(t, 1);
    t.soft.snd.edge = Position{1} + answer.window;
    t.soft.snd.window_max = answer.window;
    leg.phase = Phase::accepted;
    // The wait for the client is bounded by the client core, which answers for every session it opened.
    publish(slot);
    post(slot, MessageKind::accepted);
}

void Sessions::accepted(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::opening) return;
    auto& r = record(slot);
    auto& l = r.leg[index(Side::client)];
    auto& t = leg.tcb;
    if (!leg.cookie) {
        l.mss_receive = mss_for(r.leg[index(Side::server)].mss_send, s_.net.settings().mtu, l.remote.address);
        t.hard = {l, r.sack, r.timestamps, r.scale_client, r.scale_server};
    }
    leg.offer = {l.mss_receive, r.sack, r.timestamps, r.window_scaling, r.scale_to_client, r.syn_window};
    t.soft.rcv.edge_limit = std::max(t.soft.rcv.edge_limit, Position{1} + r.syn_window);
    leg.phase = Phase::storing;
    leg.store_deadline = now_ + s_.config.mirror_link.store_wait;
    leg.opened_pending = true;
    journal_opened(slot);
    storing_.push_back(slot);
}

/// Answers the clients whose records the standby has stored, in the order in which they were written.
void Sessions::answer_stored() {
    const auto& node = s_.lane.node;
    const bool in_sync = node.in_sync.load(std::memory_order_acquire);
    const auto confirmed = node.confirmed[index(Side::client)].load(std::memory_order_acquire);
    while (storing_head_ < storing_.size()) {
        const auto slot = storing_[storing_head_];
        auto& leg = legs_[slot];
        if (leg.phase == Phase::storing) {
            const bool stored = !leg.opened_pending && leg.opened_epoch == mirror_epoch_ &&
                                mirror_epoch_ != 0 && confirmed >= leg.opened_sequence;
            if (!stored && in_sync && now_ < leg.store_deadline) break;
            if (!stored)
                s_.counters.add(in_sync ? Counter::sessions_store_late
                                        : Counter::sessions_unprotected_opened);
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
    tcp::send_syn_ack(leg.tcb, leg.offer, context_);
    touch(slot);
}

void Sessions::in_handshake(std::uint32_t slot, const wire::Frame& frame, Packet packet) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    const bool is_syn = frame.tcp.has(flag::syn) && !frame.tcp.has(flag::ack);
    if (is_syn && frame.tcp.seq == t.hard.leg.irs) {
        // The same SYN again: the same answer, if there is one yet.
        if (leg.phase != Phase::answering) return;
        // Its own timer goes on, or a client that repeats its SYN for ever would hold the slot for ever.
        const auto timer_at = t.soft.snd.timer_at;
        tcp::send_syn_ack(t, leg.offer, context_);
        t.soft.snd.timer_at = timer_at;
        return;
    }
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
    t.soft.snd.timer = tcp::SendTimer::none;
    t.soft.snd.timer_at = Instant::never();
    t.soft.snd.backoff = 0;
    t.soft.state = tcp::next_state(t.soft.state, tcp::StateEvent::syn_acknowledged);
    tcp::start_sending(t, 1);
    client_established(slot);
    in_terminated(slot, frame, std::move(packet));
}

void Sessions::client_established(std::uint32_t slot) {
    auto& leg = legs_[slot];
    post(slot, MessageKind::established);
    leg.phase = Phase::terminated;
    leg.established = true;
    leave_half_open(slot);
    leg.idle_at = now_ + s_.config.tcp.idle_probe;
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
