// Segments on their way out: headers in front of payload, checksums by the port or in software.
#pragma once

#include "cores/tcp/tcb.hpp"

namespace holdfast::tcp {

/// Header of a segment of `t` at position `seq`: ports, ACK number from the ledger, window, timestamps.
wire::TcpHeader make_header(const Tcb& t, const Context& c, Position seq, std::uint8_t flags);

/// Sends a segment without payload. `header` is sent as it is.
bool emit_control(const LegRecord& leg, const wire::TcpHeader& header, const Context& c);

/// Sends the payload that `m` holds (PacketMeta), writing the headers in place in front of it. Takes over one
/// reference to `m`; the caller guarantees that nobody else uses the bytes in front of the payload.
bool emit_in_place(const LegRecord& leg, const wire::TcpHeader& header, rte_mbuf* m, const Context& c);

/// Sends `size` bytes at `bytes` in a fresh mbuf.
bool emit_copy(const LegRecord& leg, const wire::TcpHeader& header, const std::uint8_t* bytes,
               std::uint16_t size, const Context& c);

/// A pure ACK with all that is owed: SACK blocks, D-SACK, window. Updates the ledger and the announced edge.
bool emit_ack(Tcb& t, const Context& c);

/// A challenge ACK (RFC 5961), rate-limited per connection.
void emit_challenge_ack(Tcb& t, const Context& c);

/// The window field to announce with ACK position `ack`; notes the edge it gives.
std::uint16_t take_window(Tcb& t, Position ack);

/// RST for a connection that we know (RFC 9293 section 3.5.2).
void emit_reset(const Tcb& t, const Context& c);

/// RST in answer to a segment of no known connection (RFC 9293 section 3.10.7.1).
void emit_reset_reply(const wire::Frame& frame, const Context& c);

}  // namespace holdfast::tcp
