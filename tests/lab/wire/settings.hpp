// What one wire does to the frames it carries, alike in both directions, and what it counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/time.hpp"

namespace holdfast::lossy {

/// Base units only: scripts/lab knows percent and milliseconds, and the bounds a person may ask for.
struct Settings {
    std::uint32_t loss_ppm = 0;  ///< share of frames that vanish
    std::uint32_t dup_ppm = 0;   ///< share of frames that arrive twice
    std::uint32_t reorder_ppm =
        0;                       ///< share of frames that are held back by reorder_by, for others to overtake
    Duration delay = {};         ///< one way
    Duration jitter = {};        ///< up to so much is added to the delay
    Duration reorder_by = {};    ///< see reorder_ppm
    std::uint64_t rate_bps = 0;  ///< bits of Ethernet frames per second; 0: no limit
    std::uint64_t queue_bytes = 0;  ///< what may wait for the rate; 0: see queue_limit()
    std::uint16_t vlan = 0;         ///< 802.1Q identifier toward the switch; 0: frames stay as they are
    std::optional<std::uint64_t> seed = {};  ///< begin the random numbers anew, with this seed

    bool operator==(const Settings&) const = default;

    /// Bytes that may wait for the rate: queue_bytes, or one bandwidth-delay product (of this wire there and
    /// back), but at least 64 KB.
    std::uint64_t queue_limit() const;
};

/// Reads "key=value key=value ..."; a key that is missing keeps its default. Throws std::invalid_argument
/// with a message that names the word.
Settings parse_settings(std::string_view words);

enum class Count : std::uint8_t {
    received,
    passed,
    passed_bytes,
    lost,
    duplicated,
    reordered,
    queue_full,
    store_full,
    other_vlan,
    missed,
    oversized,
    unfinished,
    send_failed,
    count_
};

struct CountRow {
    Count count;
    std::string_view name;
    std::string_view help;
};

inline constexpr std::array<CountRow, static_cast<std::size_t>(Count::count_)> kCountRows{{
    {Count::received, "received", "frames that entered this direction"},
    {Count::passed, "passed", "frames that left at the other end, copies too"},
    {Count::passed_bytes, "passed_bytes", "their bytes, with Ethernet header, without preamble and checksum"},
    {Count::lost, "lost", "frames dropped by chance, as loss says"},
    {Count::duplicated, "duplicated", "frames that were sent on twice"},
    {Count::reordered, "reordered", "frames that left after one that had entered later"},
    {Count::queue_full, "queue_full", "frames dropped because the rate's queue was full"},
    {Count::store_full, "store_full",
     "frames dropped because the wire's memory was full: a fault of the test"},
    {Count::other_vlan, "other_vlan", "frames from the switch without this wire's VLAN tag"},
    {Count::missed, "missed", "frames the kernel dropped before the wire saw them: a fault of the test"},
    {Count::oversized, "oversized",
     "frames dropped because they were longer than the MTU: offloads are on somewhere"},
    {Count::unfinished, "unfinished",
     "frames whose checksum was left to the device: offloads are on somewhere"},
    {Count::send_failed, "send_failed", "of those passed: not taken by the kernel, a fault of the test"},
}};

class Counters {
  public:
    void add(Count count, std::uint64_t n = 1) { values_[static_cast<std::size_t>(count)] += n; }
    std::uint64_t operator[](Count count) const { return values_[static_cast<std::size_t>(count)]; }

  private:
    std::array<std::uint64_t, static_cast<std::size_t>(Count::count_)> values_{};
};

}  // namespace holdfast::lossy
