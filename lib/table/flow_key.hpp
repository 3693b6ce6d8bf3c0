// The key of a flow: one connection as seen from our end of it.
#pragma once

#include <cstdint>

#include "lib/base/address.hpp"

namespace holdfast {

/// 40 bytes without padding, so it can be hashed and compared as memory.
struct FlowKey {
    IpAddress local, remote;
    std::uint16_t local_port = 0, remote_port = 0;
    std::uint32_t vlan = 0;  ///< 802.1Q tag of the network, 0 = untagged

    friend bool operator==(const FlowKey&, const FlowKey&) = default;
};
static_assert(sizeof(FlowKey) == 40);

}  // namespace holdfast
