// What a guard is made from.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cores/guard/lease.hpp"
#include "lib/base/time.hpp"

namespace holdfast::guard {

/// Reference targets a guard keeps account of.
inline constexpr unsigned references_max = 16;

struct Settings {
    unsigned node_id = 0;               ///< 0 or 1
    std::span<const std::uint8_t> key;  ///< shared key of the pair; used by the constructor only
    std::uint64_t boot_nonce = 0;       ///< random, differs from start to start, not 0
    std::uint64_t stored_term = 0;      ///< read back from stable storage; 0 = none
    Duration heartbeat = milliseconds(5);
    Duration lease = milliseconds(30);
    Duration lease_margin = milliseconds(10);
    Duration boot_wait = milliseconds(1000);
    Duration syncing_wait =
        milliseconds(1000);             ///< silence after which a standby without a full image takes over
    Duration core_stall{};              ///< a core without progress for so long is stalled; 0 = lease
    Duration echo_window = seconds(1);  ///< a heartbeat whose echo is older proves nothing
    Duration announce_every = milliseconds(100);
    Duration announce_for = seconds(10);
    unsigned references =
        0;  ///< targets on the service networks; with none, a link on a service port has to do

    constexpr LeaseTimes times() const { return {lease, lease_margin}; }
};

/// What is wrong with the settings, and the mend; empty when nothing is.
std::string_view settings_error(const Settings& settings);

}  // namespace holdfast::guard
