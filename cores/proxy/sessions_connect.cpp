// The server core's half of opening: a backend, a source port, our SYN; and the next backend when one
// refuses.
#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;
namespace flag = wire::flag;

bool Sessions::choose_source(const Endpoint& remote, Endpoint& local) {
    // One half of the ports belongs to each node, so a takeover never meets ports it did not know of.
    constexpr std::uint32_t first = 1024, count = 65536 - 1024;
    const auto& sources = sources_[remote.address.is_v4() ? 0 : 1];
    if (sources.empty()) return false;  // the loader refuses such a configuration
    const auto start = random_.next();
    for (std::uint32_t i = 0; i < 512; ++i) {
        const auto n = static_cast<std::uint32_t>((start + i) % (count / 2));
        local = {sources[(start >> 32) % sources.size()],
                 static_cast<std::uint16_t>(first + n * 2 + (s_.config.node_id & 1))};
        const FlowKey key{local.address, remote.address, local.port, remote.port, 0};
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
    tried_[id.slot] = {};
    const auto& r = record(id.slot);
    const auto backend =
        backends_.choose(r.service, r.leg[index(Side::client)].remote.address, tried_[id.slot]);
    if (backend != Backends::none) return connect_to(id, backend);
    s_.counters.add(Counter::sessions_no_backend);
    start_leg(id.slot, id.generation, {});
    legs_[id.slot].phase = Phase::connecting;
    abandon(id.slot);
}

void Sessions::connect_to(SessionId id, std::uint16_t backend) {
    auto& r = record(id.slot);
    const auto& service = s_.config.services[r.service];
    r.backend = backend;
    tried_[id.slot].add(backend);
    auto& l = r.leg[index(Side::server)];
    l.remote = service.backends[backend];
    const bool source = choose_source(l.remote, l.local);
    const auto prefix = prefix_size(r);
    if (source) {
        l.iss = s_.secrets.initial_sequence(l.local, l.remote, shared_now()) + prefix;
        l.ts_offset = s_.secrets.timestamp_offset(l.local, l.remote);
        l.mss_receive = mss_for(r.leg[index(Side::client)].mss_send, s_.net.settings().mtu, l.remote.address);
    }
    start_leg(id.slot, id.generation, l);
    auto& leg = legs_[id.slot];
    leg.service = r.service;
    leg.backend = backend;
    leg.gates = r.gates;
    leg.phase = Phase::connecting;
    leg.prefix_size = prefix;
    leg.prefix_pending = prefix > 0;
    leg.tcb.hard.leg.iss = {l.iss.value - prefix};
    if (!source || !flows_.insert(key_of(leg), id.slot)) {
        s_.counters.add(source ? Counter::sessions_no_flow : Counter::sessions_no_port);
        return abandon(id.slot);
    }
    note_live(id.slot);
    set_view(id.slot, View::handshake);
    leg.give_up_at = now_ + service.connect_timeout * (1 << tried_[id.slot].rounds);
    leg.offer = {l.mss_receive,
                 r.sack,
                 r.timestamps,
                 r.window_scaling,
                 r.scale_client,
                 r.syn_window,
                 r.ecn[index(Side::client)]};
    tcp::send_syn(leg.tcb, leg.offer, context_);
    touch(id.slot);
}

bool Sessions::has_other_backend(std::uint32_t slot) const {
    return !tried_[slot].full() && backends_.has_choice(legs_[slot].service, tried_[slot]);
}

/// The same, and when all were asked those that were only silent get another turn.
bool Sessions::find_other_backend(std::uint32_t slot) {
    return has_other_backend(slot) || (tried_[slot].begin_round() && has_other_backend(slot));
}

/// The backend at hand is none for this session: it goes on to another one, as long as there is one. The
/// client has heard nothing yet and notices nothing.
void Sessions::try_next_backend(std::uint32_t slot, BackendReason reason) {
    auto& leg = legs_[slot];
    backend_failed(leg.service, leg.backend, reason);
    // An operator may drain the last one between the two looks.
    const auto next =
        find_other_backend(slot)
            ? backends_.choose(leg.service, record(slot).leg[index(Side::client)].remote.address,
                               tried_[slot])
            : Backends::none;
    if (next == Backends::none) {
        s_.counters.add(Counter::sessions_refused_backend);
        return abandon(slot);
    }
    s_.counters.add(Counter::sessions_next_backend);
    const auto id = id_of(slot);
    free_leg(slot);
    connect_to(id, next);
}

void Sessions::backend_answered(std::uint16_t service, std::uint16_t backend) {
    if (backends_.answered(service, backend)) s_.counters.add(Counter::backends_up);
}

void Sessions::backend_failed(std::uint16_t service, std::uint16_t backend, BackendReason reason) {
    if (backends_.failed(service, backend, reason)) s_.counters.add(Counter::backends_down);
}

void Sessions::run_connecting(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (now_ >= leg.give_up_at) {
        tried_[slot].note_silent();
        if (find_other_backend(slot)) return try_next_backend(slot, BackendReason::silent);
        // There is nobody else to ask: this one keeps its time.
        leg.give_up_at = Instant::never();
    }
    if (!tcp::run_handshake_timer(leg.tcb, leg.offer, true, context_))
        try_next_backend(slot, BackendReason::silent);
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
        case tcp::SynSentVerdict::refused: return try_next_backend(slot, BackendReason::refuses);
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
    r.ecn[index(Side::server)] = leg.offer.ecn && answer.ecn;
    r.ecn[index(Side::client)] = r.ecn[index(Side::server)];
    if (!r.window_scaling) r.scale_client = 0;
    r.scale_server = r.window_scaling ? answer.scale : 0;
    if (!r.cookie) r.scale_to_client = r.scale_server;
    // The PROXY header takes its share of the window before the client does.
    const auto window = static_cast<std::uint16_t>(std::max(answer.window - leg.prefix_size, 0));
    r.syn_window = window;
    l.irs = frame.tcp.seq;
    l.mss_send = mss_for(answer.mss, s_.net.settings().mtu, l.remote.address);

    auto& t = leg.tcb;
    t.hard = {l, r.sack, r.timestamps, r.ecn[index(Side::server)], r.scale_server, r.scale_client};
    t.hard.leg.iss = {l.iss.value - leg.prefix_size};
    tcp::start_receiving(t, 1);
    t.soft.rcv.edge_sent = t.soft.rcv.edge_limit = Position{1} + leg.offer.window;
    t.soft.rcv.ts_recent = frame.tcp.options.ts_value;
    t.soft.rcv.ts_recent_valid = r.timestamps;
    t.soft.rcv.ts_recent_at = now_;
    tcp::finish_handshake(t);
    t.soft.snd.edge = Position{1} + window;
    t.soft.snd.window_max = answer.window;
    backend_answered(leg.service, leg.backend);
    leg.phase = Phase::accepted;
    leg.give_up_at = Instant::never();
    // The wait for the client is bounded by the client core, which answers for every session it opened.
    publish(slot);
    post(slot, MessageKind::accepted);
}

/// Counts the session among those of its service, source and backend, until note_over().
void Sessions::note_live(std::uint32_t slot) {
    auto& leg = legs_[slot];
    const auto* service = service_of(leg);
    // What the mirror told may be of another configuration.
    if (leg.live || service == nullptr || (!is_client() && leg.backend >= service->backends.size())) return;
    leg.live = true;
    if (is_client()) admission_.session_began(leg.service, leg.tcb.hard.leg.remote.address);
    else backends_.session_began(leg.service, leg.backend);
}

void Sessions::note_over(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!leg.live) return;
    leg.live = false;
    if (is_client()) admission_.session_ended(leg.service, leg.tcb.hard.leg.remote.address);
    else backends_.session_ended(leg.service, leg.backend);
}

}  // namespace holdfast::proxy
