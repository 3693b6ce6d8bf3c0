// Segments on their way out: headers in front of payload, checksums by the port or in software.
#pragma once

#include <algorithm>

#include "cores/tcp/tcb.hpp"

namespace holdfast::tcp {

/// Header of a segment of `t` at position `seq`: ports, ACK number from the ledger, window, timestamps.
inline wire::TcpHeader make_header(const Tcb& t, const Context& c, Position seq, std::uint8_t flags) {
    const auto& leg = t.hard.leg;
    wire::TcpHeader h;
    h.source_port = leg.local.port;
    h.destination_port = leg.remote.port;
    h.seq = send_seq(t, seq);
    h.ack = receive_seq(t, t.soft.rcv.ledger.ack_number());
    h.flags = flags;
    //= rfc3168#6.1.3
    //  Whatever acknowledges says it, until the endpoint has answered by CWR.
    if (t.soft.rcv.congestion_seen) h.flags |= wire::flag::ece;
    //= rfc7323#3.2
    //  Every segment has them once they are agreed, RST too.
    if (t.hard.timestamps) {
        h.options.has_timestamps = true;
        h.options.ts_value = c.ts_now + leg.ts_offset;
        h.options.ts_echo = t.soft.rcv.ts_recent;
    }
    return h;
}

/// The window field to announce with ACK position `ack`; notes the edge it gives.
inline std::uint16_t take_window(Tcb& t, Position ack) {
    auto& rcv = t.soft.rcv;
    //= rfc9293#3.8.6
    //  A right edge that was given is not taken back.
    const auto open = distance(ack, rcv.edge_limit);
    auto window = open <= 0 ? 0 : static_cast<std::uint64_t>(open) >> t.hard.receive_scale;
    if (window > 0xffff) window = 0xffff;
    rcv.edge_sent = std::max(rcv.edge_sent, ack + (window << t.hard.receive_scale));
    return static_cast<std::uint16_t>(window);
}

/// Sends a segment without payload. `header` is sent as it is.
//= rfc3168#6.1.4
//  Of our own accord no such segment is ECT; a translated one has the field that it came with.
bool emit_control(Tcb& t, const wire::TcpHeader& header, const Context& c,
                  wire::Ecn ecn = wire::Ecn::not_ect);

/// Sends the payload that `m` holds (PacketMeta), writing the headers in place in front of it. Takes over one
/// reference to `m`; the caller guarantees that nobody else uses the bytes in front of the payload.
bool emit_in_place(Tcb& t, const wire::TcpHeader& header, rte_mbuf* m, const Context& c, wire::Ecn ecn);

/// Sends `size` payload bytes of `m` from position `begin` on, behind headers in a mbuf of their own: chained
/// where the port takes chains, else as a copy. `m` is not touched, and may be with the port already.
bool emit_part(Tcb& t, const wire::TcpHeader& header, rte_mbuf* m, Position begin, std::uint16_t size,
               const Context& c, wire::Ecn ecn);

/// Sends `size` bytes at `bytes` in a fresh mbuf.
bool emit_copy(Tcb& t, const wire::TcpHeader& header, const std::uint8_t* bytes, std::uint16_t size,
               const Context& c, wire::Ecn ecn = wire::Ecn::not_ect);

/// Bytes by which the window could grow beyond what was announced.
inline std::int64_t fresh_window(const Tcb& t) {
    return distance(t.soft.rcv.edge_sent, t.soft.rcv.edge_limit);
}
/// The smallest growth that a window field can express.
inline std::int64_t window_step(const Tcb& t) { return std::int64_t{1} << t.hard.receive_scale; }

/// False when an ACK could say nothing new: neither a number nor a duplicate nor window worth telling.
inline bool may_owe_ack(const Tcb& t) {
    const auto& r = t.soft.rcv;
    return r.ack_now || r.out_of_order || r.ledger.releasable() > r.ledger.acknowledged() ||
           fresh_window(t) >= window_step(t);
}

/// A pure ACK with all that is owed: SACK blocks, D-SACK, window. Updates the ledger and the announced edge.
/// It goes twice if much hangs on it.
bool emit_ack(Tcb& t, const Context& c);

/// A challenge ACK (RFC 5961), rate-limited per connection.
void emit_challenge_ack(Tcb& t, const Context& c);

/// RST for a connection that we know (RFC 9293 section 3.5.2).
void emit_reset(Tcb& t, const Context& c);

/// A segment without payload in answer to `frame`, of a connection of which nothing is kept, not even the
/// next hop. Ports are filled in from the frame, the rest of `header` is sent as it is.
void emit_reply(const wire::Frame& frame, wire::TcpHeader header, const Context& c);

/// RST in answer to a segment of no known connection (RFC 9293 section 3.10.7.1).
void emit_reset_reply(const wire::Frame& frame, const Context& c);

}  // namespace holdfast::tcp
