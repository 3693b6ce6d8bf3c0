// Recovery from loss: when it begins and ends, how much leaves meanwhile (RFC 6937), and taking it back when
// it was for nothing. What is lost is told by rack, and by duplicate ACKs of endpoints without SACK (RFC
// 6582).
#pragma once

#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {

/// Reaction to one acceptable ACK with header `h`: marks losses, enters or leaves recovery, sets the window.
void recover(Tcb& t, const AckEffect& effect, const wire::TcpHeader& h, const Context& c);

/// The time of reordering_until has come.
void recover_by_time(Tcb& t, const Context& c);

/// Marks as lost what is in flight and larger than a segment may be now: the path dropped it, not for
/// congestion, so the window stays (RFC 1191 section 3).
void mark_oversized_lost(Tcb& t);

/// A retransmission timeout: what is old enough counts as lost, the window collapses (RFC 5681 section 3.1,
/// RFC 6298 section 5).
void mark_timed_out(Tcb& t, Instant now);

/// `bytes` of payload in one segment leave; `again`: not for the first time.
void note_transmission(Tcb& t, std::uint32_t bytes, bool again, Instant now);

}  // namespace holdfast::tcp
