// The kernel sockets under af_packet and af_xdp ports. These drivers have no RX interrupt, but a thread can
// wait for their sockets instead of polling.
#pragma once

#include <vector>

namespace holdfast::engine {

/// Open sockets of this process with address family `domain` (AF_PACKET, AF_XDP), as file descriptors.
std::vector<int> sockets_of(int domain);

/// The AF_PACKET socket bound to the kernel's interface `interface`; -1 when there is none.
int find_packet_socket(unsigned interface);

}  // namespace holdfast::engine
