// The congestion window while nothing is lost, and how far a loss lowers it: CUBIC (RFC 9438) with the slow
// start of HyStart++ (RFC 9406). What is lost, and what leaves during recovery, is in recovery.
#pragma once

#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {

/// Bytes of the initial window (RFC 6928), and of a restart after an idle time (RFC 5681 section 4.1).
std::uint32_t initial_window(const Tcb& t);

/// Opens the window for what one ACK acknowledged outside of recovery, if the window was in use.
void grow_window(Tcb& t, const AckEffect& effect, const Context& c);

/// A loss, or a mark of congestion: notes where the curve has to come back to, and gives the window that is
/// right from now on in ssthresh. The caller sets cwnd.
void congestion_event(Tcb& t);

/// Starts anew from the initial window if nothing was sent for longer than a timeout.
void restart_after_idle(Tcb& t, const Context& c);

}  // namespace holdfast::tcp
