// Loss detection and recovery: RACK on segment send times (RFC 8985), duplicate ACKs for peers without SACK
// (RFC 6582), and the reaction of the congestion window (RFC 5681).
#pragma once

#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {

/// Reaction to one acceptable ACK: marks losses, enters or leaves recovery, grows the window.
void recover(Tcb& t, const AckEffect& effect, const Context& c);

/// Marks as lost what is in flight and larger than a segment may be now: the path dropped it, not for
/// congestion, so the window stays (RFC 1191 section 3).
void mark_oversized_lost(Tcb& t);

/// Marks everything in flight as lost and collapses the window (RFC 5681 section 3.1, RFC 6298 section 5).
void mark_all_lost(Tcb& t);

}  // namespace holdfast::tcp
