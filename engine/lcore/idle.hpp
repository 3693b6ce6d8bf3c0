// What a core's thread does when its duty cycle found no work.
#pragma once

#include <cstdint>

#include "engine/lcore/clock.hpp"
#include "lib/base/time.hpp"
#include "lib/config/config.hpp"

namespace holdfast::engine {

/// An adaptive core polls this long after its last work before it sleeps: the next frame of a conversation on
/// a fast network comes within it.
inline constexpr Duration spin_time = microseconds(20);
/// Sleeps shorter than this cost more than they save.
inline constexpr Duration sleep_min = microseconds(5);

/// Waits between duty cycles. Used by one thread, that which created it.
class Idle {
  public:
    /// `sleep_max` bounds every wait. Under IdlePolicy::interrupt the thread also wakes up on RX interrupts
    /// of
    /// (`port`, `queue`); uses_interrupt() says whether the port has them, without them it waits as adaptive.
    Idle(IdlePolicy policy, Duration sleep_max, std::uint16_t port, std::uint16_t queue, const Clock& clock);
    ~Idle();
    Idle(const Idle&) = delete;
    Idle& operator=(const Idle&) = delete;

    bool uses_interrupt() const { return epoll_ >= 0; }

    /// Called once per duty cycle that did `work`; returns at `deadline` at the latest, give or take the
    /// kernel's scheduling. Returns by how much it overslept (0 if it did not sleep).
    Duration wait(std::uint32_t work, Instant deadline);

  private:
    Duration sleep_until(Instant from, Duration length);
    void wait_for_interrupt(Duration length);
    void arm_interrupt();

    IdlePolicy policy_;
    Duration sleep_max_;
    std::uint16_t port_, queue_;
    const Clock& clock_;
    int epoll_ = -1;
    Instant idle_since_ = Instant::never();
};

/// How long to sleep after `idle` without work, when the next timer fires in `until_deadline`; 0 = poll
/// again. In proportion to the idleness, so that sleeping adds at most a quarter to a wait that there was
/// anyway.
Duration sleep_length(Duration idle, Duration until_deadline, Duration sleep_max);

}  // namespace holdfast::engine
