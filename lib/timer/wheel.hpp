// A hierarchical timing wheel: one entry per slot, O(1) to arm, lazily corrected.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lib/base/time.hpp"

namespace holdfast {

/// Deadlines of slots [0, size). A slot has at most one entry; whoever needs several timers arms the earliest
/// and computes the rest when it fires. Resolution 2^18 ns (about 0.26 ms): a slot never fires early and at
/// most one tick late. Four levels of 256 reach about 13 days; farther deadlines wait at the horizon.
class Wheel {
  public:
    Wheel(std::uint32_t size, Instant now);

    /// Arms `slot` for `at`, replacing what it had. Instant::never() disarms.
    void arm(std::uint32_t slot, Instant at);
    void disarm(std::uint32_t slot);
    /// When `slot` fires; never() if it is not armed.
    Instant deadline(std::uint32_t slot) const { return entries_[slot].at; }
    /// Arms `slot` only if that makes it fire earlier than it would.
    void arm_earlier(std::uint32_t slot, Instant at) {
        if (at < entries_[slot].at) arm(slot, at);
    }

    /// Calls `fire(slot)` for each slot whose deadline has passed; fired slots are disarmed first, so `fire`
    /// may arm them again. Returns how many fired.
    template <class Fire>
    std::uint32_t advance(Instant now, Fire&& fire) {
        std::uint32_t fired = 0;
        const auto target = tick_of(now);
        while (now_tick_ < target) {
            if (armed_ == 0) {
                now_tick_ = target;
                break;
            }
            ++now_tick_;
            cascade();
            auto& head = heads_[0][now_tick_ & 255];
            while (head != none) {
                const auto slot = head;
                disarm(slot);
                ++fired;
                fire(slot);
            }
        }
        return fired;
    }

    /// A time at or before the next firing, for the host's sleep; never() when nothing is armed.
    Instant next_deadline() const;
    std::uint32_t armed() const { return armed_; }

  private:
    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr int tick_shift = 18;
    static constexpr std::uint32_t levels = 4;

    struct Entry {
        Instant at = Instant::never();
        std::uint32_t next = none, previous = none;
        std::uint16_t bucket = 0;
        std::uint8_t level = 0;
    };

    static std::uint64_t tick_of(Instant at) { return static_cast<std::uint64_t>(at.ns) >> tick_shift; }
    /// Links into the bucket of the slot's deadline, but none before `first_tick`.
    void link(std::uint32_t slot, std::uint64_t first_tick);
    void unlink(std::uint32_t slot);
    void cascade();

    std::vector<Entry> entries_;
    std::array<std::array<std::uint32_t, 256>, levels> heads_;
    std::uint64_t now_tick_;
    std::uint32_t armed_ = 0;
};

}  // namespace holdfast
