// Whether the cores of a lane run: for the guard, whose peer takes over from a node with a stalled core, and
// by name for people.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "cores/proxy/lane.hpp"

namespace holdfast::protocol {

class CoreWatch {
  public:
    /// Cores in the order of the first journals, which are theirs. `lane` outlives it; a core that does not
    /// move for `stall_max` is stalled.
    CoreWatch(const proxy::Lane& lane, Duration stall_max, Instant now);

    void look(Instant now);
    /// Of client and server core. The second moves when the application core, if there is one, has moved,
    /// too: its clients are as badly off without it.
    std::array<std::uint64_t, 2> progress() const { return {seen_[0].cycles, both_}; }
    /// A core that stalls, once for each time that it does.
    std::optional<Journal> take_stalled(Instant now);

  private:
    static constexpr std::size_t cores_max = index(Journal::application) + 1;
    struct Seen {
        std::uint64_t cycles = 0;
        Instant moved_at{};
        bool told = false;
    };
    std::uint64_t cycles(std::size_t core) const;
    std::size_t cores() const { return lane_.application ? cores_max : cores_max - 1; }

    const proxy::Lane& lane_;
    Duration stall_max_;
    std::array<Seen, cores_max> seen_;
    std::uint64_t both_ = 0;                    ///< grows when both have moved
    std::array<std::uint64_t, 2> both_seen_{};  ///< of server and application core, when it grew
};

}  // namespace holdfast::protocol
