// Which segments are lost, told by time (RFC 8985): a segment is lost when one that left a reordering window
// later was delivered. For endpoints with SACK.
#pragma once

#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {

/// A segment was acknowledged or SACKed for the first time, by a segment with header `h`.
void note_delivered(Tcb& t, const PacketMeta& d, const wire::TcpHeader& h, AckEffect& effect,
                    const Context& c);

/// After note_delivered() of all that one ACK delivered: remembers how far that reaches, and how far out of
/// order segments have come.
void finish_delivery(Tcb& t, const AckEffect& effect);

/// What is newly marked as lost: nothing; segments; among them a repetition that left in the present
/// reduction.
enum class Loss : std::uint8_t { none, found, of_repetition };

/// Marks what is lost by now, and notes in reordering_until when more of it will be.
Loss detect_by_time(Tcb& t, Instant now);

/// Only segments that have left in full carry marks, their bytes count in the pipe as a whole; but after a
/// timeout the last one does, too, or it would never go again.
inline bool fully_sent(const SendSide& s, const rte_mbuf* m) { return meta(m).end() <= s.nxt; }

/// The timestamp that `h` echoes was taken before `sent_at`: what it acknowledges is not what left then.
bool echo_is_older(const Tcb& t, const wire::TcpHeader& h, Instant sent_at, const Context& c);

}  // namespace holdfast::tcp
