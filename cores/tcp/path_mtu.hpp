// Path MTU discovery from ICMP (RFC 1191, RFC 8201), with the checks of RFC 5927.
#pragma once

#include "cores/tcp/tcb.hpp"
#include "lib/wire/icmp_error.hpp"

namespace holdfast::tcp {

/// True when the error is about a segment that may be on its way to the endpoint: only such an error is
/// believed. [begin, end) are the positions in flight.
bool is_in_flight(const Tcb& t, const wire::IcmpError& error, Position begin, Position end);

/// Takes an error of kind too_big that is believed: segments become smaller, and those in flight that were
/// too large leave again when the caller sends next. Returns false when they are small enough already.
bool lower_path_mtu(Tcb& t, const wire::IcmpError& error, const Context& c);

/// After a while the path may have grown: back to the size that the handshake agreed on.
void retry_path_mtu(Tcb& t, const Context& c);

}  // namespace holdfast::tcp
