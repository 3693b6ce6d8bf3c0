// One leg of a session as its core holds it: the TCB and what the proxy adds.
#pragma once

#include <algorithm>

#include "cores/proxy/lane.hpp"
#include "cores/tcp/arrival.hpp"
#include "cores/tcp/handshake.hpp"
#include "lib/table/flow_key.hpp"

namespace holdfast::proxy {

enum class Phase : std::uint8_t {
    free,
    opening,     ///< client leg: the server leg is being opened
    storing,     ///< client leg: the record is on its way to the standby
    answering,   ///< client leg: SYN-ACK sent, the final ACK is awaited
    connecting,  ///< server leg: SYN sent
    accepted,    ///< server leg: SYN-ACK received and not yet acknowledged
    terminated,  ///< served by our TCP
    installed,   ///< standby: known from the mirror
    resuming,    ///< after a takeover: the other core says what is stored of its direction
    translated,  ///< after a takeover: numbers are mapped, nothing is held
    dead,        ///< over; its tuple stays quarantined
};

/// What is known of an endpoint across a takeover. Positions as in LegCell.
struct Hints {
    Position una = 1;            ///< acknowledged by the endpoint, at least
    Position ack = 1;            ///< acknowledged to the endpoint, at least
    std::uint8_t last_byte = 0;  ///< at una - 1, if has_last_byte
    bool has_last_byte = false;
    bool established = false;   ///< the endpoint is past its handshake
    bool fin_received = false;  ///< its FIN, and the far end has acknowledged it
    bool fin_sent = false;      ///< the far end's FIN, and it has acknowledged that
    std::uint32_t version = 0;
    std::uint32_t ts_recent = 0;
    std::uint32_t last_active_s = 0;  ///< seconds of the pair's shared clock
};

/// Translated mode: what was heard from this endpoint since the takeover.
struct Heard {
    bool any = false;
    Position seq_edge = 0;  ///< highest position after anything that it sent (SND.NXT as far as seen)
    Position ack = 0;       ///< highest position that it acknowledged
    Position sacked = 0;    ///< end of all that it reported by SACK
    Position edge = 0;      ///< highest right edge that it granted
    bool fin = false;
    Position fin_position = 0;
    std::uint8_t tail_byte = 0;  ///< last payload byte forwarded TO this endpoint, ending at tail_end
    Position tail_end = 0;
    Instant last_segment{};
    Instant prove_until =
        Instant::never();  ///< gate none: until then both ends must have shown that they agree
    Instant time_refused = Instant::never();  ///< since then its timestamps seem to run too fast
    std::uint8_t probes = 0;                  ///< unanswered
    std::uint8_t payload_tries = 0;           ///< how often what is held was sent again
    Position payload_sent = 0;                ///< end of what was sent of that
    Instant payload_at = Instant::never();    ///< when it is sent again
    bool reset_seen = false;

    /// It has closed: nothing that it was heard to send lies beyond its FIN. Somebody else's, in the middle,
    /// closes nothing.
    bool closed() const { return fin && fin_position + 1 == seq_edge; }
};

/// One leg of a session that the mirror told of. Until somebody needs it there is no Leg, only this, the
/// record and the flow entry: a standby is small, and a takeover makes legs a few at a time.
struct Inherited {
    bool waiting = false;  ///< installed, and its Leg is not made yet
    bool listed = false;   ///< in the order of activity
    std::uint32_t generation = 0;
    std::uint32_t flow = 0;              ///< place of its flow entry
    std::uint32_t newer = 0, older = 0;  ///< order of activity, if listed
    Hints hints;
};

/// What every segment needs comes first.
struct Leg {
    Phase phase = Phase::free;
    std::uint8_t gates = 0;
    bool touched = false;          ///< waits in the core's list for service()
    bool far_changed = true;       ///< the other core's cell is to be looked at
    bool retry = false;            ///< a ring refused; try again next cycle
    bool established = false;      ///< the endpoint is past its handshake
    bool half_open = false;        ///< client leg: counted among the half-open sessions
    bool cookie = false;           ///< client leg: it answered a cookie, the server is yet to be asked
    bool fin_received = false;     ///< and its FIN was acknowledged by the far end
    bool unproven = false;         ///< resumed, and its endpoint may know of more than is stored here
    std::uint8_t idle_probes = 0;  ///< unanswered
    std::uint16_t pending = 0;     ///< bit per MessageKind that the ring refused
    std::uint32_t generation = 0;
    std::uint32_t held_counted = 0;  ///< mbufs of this leg in the core's sum
    Instant idle_at = Instant::never();
    Instant progress_at = Instant::never();  ///< next Progress record
    Instant window_probe_at = Instant::never();
    tcp::Tcb tcb;

    tcp::HandshakeOffer offer;  ///< what our SYN or SYN-ACK offers
    std::uint16_t service = 0;
    std::uint16_t backend = 0;  ///< server leg
    std::uint8_t prefix_size =
        0;  ///< server leg: bytes of the PROXY header in front of the client's; 0 = none
    bool prefix_pending = false;  ///< the server has not acknowledged all of it
    std::uint8_t prefix_tries = 0;
    Instant prefix_at = Instant::never();  ///< it is sent again; never: not sent since the takeover
    Instant silent_at = Instant::never();  ///< client leg: without payload until then the session is over
    bool live = false;                     ///< counted among the live sessions of its service and backend
    bool reset_sent = false;               ///< dead by reset: strays are answered by RST
    bool other_over = false;               ///< the other leg has ended
    bool other_released = false;           ///< client leg: the server leg's slot is free again
    bool closed_written = false;           ///< client leg: the Closed record is written
    bool opened_pending = false;           ///< the Opened record must be written (again)
    std::uint32_t probe_requests_seen = 0;
    Duration window_probe_wait{};
    Instant dead_until = Instant::never();
    Instant store_deadline = Instant::never();
    Instant give_up_at = Instant::never();  ///< opening, answering, connecting, resuming: the answer is late;
                                            ///< unproven: what is missing has not come

    std::uint64_t opened_sequence = 0;  ///< journal sequence of the Opened record, 0 = not written
    std::uint32_t opened_epoch = 0;
    std::uint32_t progress_version = 0;

    // A session that the mirror told of, from its takeover on.
    Hints* hints = nullptr;
    Heard* heard = nullptr;
    Instant takeover_probe_at = Instant::never();
};

/// The flow of the leg with these constants.
inline FlowKey key_of(const LegRecord& r) {
    return {r.local.address, r.remote.address, r.local.port, r.remote.port, 0};
}
inline FlowKey key_of(const Leg& leg) { return key_of(leg.tcb.hard.leg); }

/// The MSS of a leg to `remote`: what was offered, and fits the port. An MSS leaves out the headers without
/// options (RFC 6691).
//= rfc9293#3.7.1
//  No more than the port can send and receive.
inline std::uint16_t mss_for(std::uint16_t offered, std::uint16_t mtu, const IpAddress& remote) {
    const auto headers = wire::ip_size(remote) + wire::tcp_size;
    return std::min<std::uint16_t>(std::max<std::uint16_t>(offered, 88),
                                   static_cast<std::uint16_t>(mtu - headers));
}

/// Segments of its endpoint are served or forwarded: it is past its handshake and not over.
inline bool is_served(const Leg& leg) {
    return leg.phase == Phase::terminated || leg.phase == Phase::translated;
}

inline bool has_peer_gate(const Leg& leg) { return has(static_cast<Gate>(leg.gates), Gate::peer); }

/// The far end is an application on the application core.
inline bool has_app_gate(const Leg& leg) { return has(static_cast<Gate>(leg.gates), served_here); }
/// What the standby has stored is acknowledged, and nothing else goes on to the far end.
inline bool is_entrusted(const Leg& leg) { return is_entrusted(static_cast<Gate>(leg.gates)); }
/// The standby has to have stored what is on its way to the far end.
inline bool has_stored_gate(const Leg& leg) {
    return !has_app_gate(leg) && has(static_cast<Gate>(leg.gates), Gate::standby);
}
/// What waits above a hole nobody but this node has, where it does not go ahead to the far end (gate peer):
/// after a takeover a sender that was told of it would read its loss as reneging.
inline bool may_agree_on_sack(const ServiceConfig& service) { return !is_entrusted(service.gate); }
/// What is acknowledged to the endpoint, the far end says.
inline bool waits_for_far(const Leg& leg) { return leg.gates != 0; }

/// Less than two segments fit the window that the endpoint granted.
inline bool window_is_tight(const Leg& leg) {
    const auto& s = leg.tcb.soft.snd;
    return distance(s.nxt, s.edge) < 2 * static_cast<std::int64_t>(tcp::effective_mss(leg.tcb));
}
inline bool has_nothing_to_send(const Leg& leg) {
    const auto& s = leg.tcb.soft.snd;
    return s.una == s.nxt && s.unsent == nullptr && !s.fin_queued;
}
/// A lost window update of the endpoint could stall the other leg, or the timer against that runs.
inline bool window_may_stall(const Leg& leg) {
    return !leg.window_probe_at.is_never() || (has_nothing_to_send(leg) && window_is_tight(leg));
}

/// When the leg is to be looked at again without anything having arrived.
inline Instant deadline_of(const Leg& leg) {
    const auto& t = leg.tcb.soft;
    const auto at = leg.progress_at;
    if (leg.phase == Phase::terminated)
        return earlier(earlier(earlier(at, leg.idle_at), earlier(t.snd.timer_at, t.rcv.hold_until)),
                       earlier(leg.window_probe_at, earlier(leg.prefix_at, leg.silent_at)));
    switch (leg.phase) {
        case Phase::answering:
        case Phase::connecting: return earlier(earlier(at, t.snd.timer_at), leg.give_up_at);
        case Phase::translated:
            return earlier(earlier(earlier(at, leg.takeover_probe_at), leg.heard->payload_at),
                           earlier(leg.prefix_at, leg.silent_at));
        case Phase::dead: return earlier(at, leg.dead_until);
        case Phase::opening:
        case Phase::resuming: return earlier(at, leg.give_up_at);
        case Phase::free:
        case Phase::storing:
        case Phase::accepted:
        case Phase::terminated:
        case Phase::installed: break;
    }
    return at;
}

}  // namespace holdfast::proxy
