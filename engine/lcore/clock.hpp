// The host's clock: the only place where time is read.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

#include "lib/base/time.hpp"

namespace holdfast::engine {

/// Room for ticks times nanoseconds.
__extension__ typedef __int128 WideInt;

/// Monotonic time as Instants. Reads the CPU's time stamp counter where it ticks at one rate in all power
/// states and the kernel trusts it; CLOCK_MONOTONIC elsewhere. Immutable after construction, so threads share
/// one.
class Clock {
  public:
    /// Measures the counter's rate against CLOCK_MONOTONIC; takes about 50 ms where a counter is used.
    Clock();

    Instant now() const { return uses_tsc_ ? from_tsc(rte_rdtsc()) : monotonic(); }
    bool uses_tsc() const { return uses_tsc_; }
    /// Ticks per second of the counter, 0 without one.
    std::uint64_t tsc_hz() const { return hz_; }

    /// CLOCK_MONOTONIC itself.
    static Instant monotonic();

  private:
    Instant from_tsc(std::uint64_t tsc) const {
        const auto ticks = static_cast<std::int64_t>(tsc - base_tsc_);
        return base_ +
               nanoseconds(static_cast<std::int64_t>((static_cast<WideInt>(ticks) * ns_per_tick_) >> 32));
    }

    bool uses_tsc_ = false;
    std::uint64_t hz_ = 0;
    std::uint64_t base_tsc_ = 0;
    std::int64_t ns_per_tick_ = 0;  ///< times 2^32
    Instant base_{};
};

}  // namespace holdfast::engine
