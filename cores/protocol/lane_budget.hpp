// How many mbufs the cores of a lane may hold together.
#pragma once

#include <cstdint>

#include "lib/config/config.hpp"

namespace holdfast::protocol {

/// Well below one pool: the rest is for descriptors, bursts and the ACKs that free them.
inline std::uint32_t lane_budget(const Config& config) {
    return config.limits.mbufs - config.limits.mbufs / 4;
}

}  // namespace holdfast::protocol
