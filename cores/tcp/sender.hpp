// The sending direction: queue, window, transmission, timers. Loss detection is in recovery.
//
// Relayed bytes are sent at once: no Nagle, no sender-side silly window hold; whoever wrote them has decided.
#pragma once

#include "cores/tcp/tcb.hpp"

namespace holdfast::tcp {

/// Begins sending at position `next` (all before is acknowledged) with an initial window (RFC 6928).
void start_sending(Tcb& t, Position next);

/// Queues a segment whose meta begins at queue_end. Small ones are copied into the tail that waits.
void enqueue(Tcb& t, Packet m, const Context& c);

/// Sends payload that lies beyond a hole in what is held, so that the endpoint can report it by SACK. Nothing
/// of it is kept: when the hole is filled it comes again by enqueue(), and counts as sent then. May be
/// refused.
void send_ahead(Tcb& t, Packet m, const Context& c);

/// Queues our FIN behind all queued bytes.
void enqueue_fin(Tcb& t);

/// False when send_ready() would find nothing to do.
inline bool may_send(const Tcb& t) {
    const auto& s = t.soft.snd;
    if (s.unsent != nullptr || s.lost_bytes > 0 || s.timer == SendTimer::persist) return true;
    if (s.timer == SendTimer::none && s.nxt != s.una) return true;
    return s.fin_queued && !s.fin_acknowledged && (!s.fin_sent || s.fin_lost);
}

/// Sends what windows allow: lost segments first, then new ones, then the FIN. Returns segments sent.
std::uint32_t send_ready(Tcb& t, const Context& c);

/// What one ACK changed; made once and carried through RTT, recovery and congestion control.
struct AckEffect {
    std::uint32_t bytes_acked = 0;   ///< newly acknowledged cumulatively
    std::uint32_t bytes_sacked = 0;  ///< newly SACKed
    bool advanced = false, duplicate = false, window_grew = false, fin_acknowledged = false;
    std::uint32_t delivered = 0;  ///< newly at the endpoint, by either
    Position highest = 0;         ///< end of the highest segment among them
    Duration rtt{-1};             ///< sample, negative = none
    bool dsack = false;
    bool congestion_echo = false;        ///< ECE: a mark of congestion has reached the endpoint
    bool probe_answered = false;         ///< nothing new, just where a tail loss probe ended
    PositionRange repeated_for_nothing;  ///< reported as a duplicate that no probe explains; empty = none
    std::uint8_t ahead_count = 0;
    std::array<PositionRange, 3> ahead;  ///< SACKed beyond what is held: it went ahead of a hole
};

/// Takes `ack` (already judged acceptable) and the SACK blocks of a segment.
AckEffect take_ack(Tcb& t, Position ack, const wire::TcpHeader& h, const Context& c);

/// Runs the send timer if it is due. False when the connection must be given up.
bool run_send_timer(Tcb& t, const Context& c);

/// Sends what has left of held segment `m` again. False if the port refused a piece.
bool retransmit(Tcb& t, rte_mbuf* m, const Context& c);
/// Sends our FIN, again if it has left before. False if the port refused it.
bool send_fin(Tcb& t, const Context& c);
/// Sends one new segment that the congestion window does not allow, for a tail loss probe. False if there is
/// none.
bool send_beyond_window(Tcb& t, const Context& c);

/// Sends one true byte that the endpoint has or will have anyway, so that it answers at once: the last byte
/// sent while bytes are in flight, else the byte below una, else an empty segment below una.
void send_probe(Tcb& t, const Context& c);

/// Chooses the send timer for what is outstanding now.
void rearm_send_timer(Tcb& t, const Context& c);

/// Frees everything held.
void discard_queue(Tcb& t);

/// Bytes of new payload that the endpoint's window still takes.
inline std::uint32_t window_left(const SendSide& s) {
    const auto left = distance(s.nxt, s.edge);
    return left > 0 ? static_cast<std::uint32_t>(left) : 0;
}

inline void arm(SendSide& s, SendTimer kind, Instant at) {
    s.timer = kind;
    s.timer_at = at;
}

/// Bytes believed to be in the network (RFC 6675 section 4, with marks per segment).
inline std::uint32_t pipe(const SendSide& s) {
    const auto flight = static_cast<std::uint32_t>(s.nxt - s.una);
    const auto gone = s.sacked_bytes + s.lost_bytes;
    return flight > gone ? flight - gone : 0;
}

/// Bytes that may go ahead of a hole now; none while anything held waits to be sent.
inline std::uint32_t room_ahead(const SendSide& s) {
    if (s.unsent != nullptr || s.lost_bytes > 0 || s.fin_queued) return 0;
    return s.cwnd > pipe(s) ? s.cwnd - pipe(s) : 0;
}

/// Takes one round-trip time sample (RFC 6298 section 2) of the time `now`.
void take_rtt(Tcb& t, Duration sample, Instant now, const TcpConfig& config);

}  // namespace holdfast::tcp
