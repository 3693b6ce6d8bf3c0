// Which held segments are in flight, lost, or with the endpoint. Each question of an ACK or a timer is
// answered in steps that what it changes pays for, however many segments are held.
//
//   in_flight   has left, neither SACKed nor lost: by the time it left, oldest first
//   lost        to be sent again: lowest first, as far as they were found in order
//   SACKed ones are in neither list; a run of them is passed in one step
#pragma once

#include "cores/tcp/tcb.hpp"

namespace holdfast::tcp {

/// Adds `m`, that has not left yet, at the end of the queue.
void append(SendSide& s, rte_mbuf* m);

/// Takes the first segment out of the queue and of all that is counted; the caller owns it.
rte_mbuf* take_first(SendSide& s);

/// `m` leaves now.
void mark_sent(SendSide& s, rte_mbuf* m, Instant now);

/// The endpoint has reported `m`.
void mark_sacked(SendSide& s, rte_mbuf* m);

/// `m` is to be sent again, unless the endpoint has reported it.
void mark_lost(SendSide& s, rte_mbuf* m);

/// No report counts any longer: the endpoint may have dropped what it had. Looks at each segment.
void unmark_sacked(SendSide& s);

/// Nothing is lost after all.
void unmark_lost(SendSide& s);

/// A segment to begin with when looking for those from `position` on: none of them lies before it, and few
/// others lie between.
rte_mbuf* seek(const SendSide& s, Position position);

/// The last segment of the run of SACKed ones that the SACKed `m` is in.
rte_mbuf* last_of_run(rte_mbuf* m);

/// Frees all that is held.
void clear(SendSide& s);

}  // namespace holdfast::tcp
