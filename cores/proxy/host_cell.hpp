// What the application core tells of the process of a service with gate host.
#pragma once

#include <atomic>
#include <cstdint>

namespace holdfast::proxy {

/// Why a process of gate host was lost: its link went down, it was silent, it attached once more.
enum class HostLoss : std::uint8_t { none, link, silent, again };

/// The process of a service with gate host. Written by the application core, for the node core.
struct HostCell {
    std::atomic<bool> attached{false};
    std::atomic<HostLoss> loss{HostLoss::none};  ///< why it was lost last
    std::atomic<std::uint32_t> losses{0};
};

}  // namespace holdfast::proxy
