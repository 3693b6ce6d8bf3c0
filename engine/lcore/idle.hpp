// What a core's thread does when its duty cycle found no work.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/lcore/clock.hpp"
#include "engine/port/port.hpp"
#include "lib/base/time.hpp"
#include "lib/config/config.hpp"

namespace holdfast::engine {

/// A core polls this long after its last work before it sleeps: the next frame of a conversation on a fast
/// network comes within it.
inline constexpr Duration spin_time = microseconds(20);
/// Sleeps shorter than this cost more than they save.
inline constexpr Duration sleep_min = microseconds(5);

/// How long to sleep after `idle` without work, when the next timer fires in `until_deadline`; 0 = poll
/// again. In proportion to the idleness, so that sleeping adds at most a quarter to a wait that there was
/// anyway.
Duration sleep_length(Duration idle, Duration until_deadline, Duration sleep_max);

/// Waits between duty cycles; one thread waits, any thread may wake it.
class Idle {
  public:
    /// `sleep_max` bounds every wait. Under IdlePolicy::interrupt frames at `port`, unless it is nullptr,
    /// wake the thread too. Throws std::runtime_error when the kernel is out of file descriptors.
    Idle(IdlePolicy policy, Duration sleep_max, const Port* port, const Clock& clock);
    ~Idle();
    Idle(const Idle&) = delete;
    Idle& operator=(const Idle&) = delete;

    /// Called first, by the waiting thread. False when frames were to wake it and the port has no means to.
    bool begin();

    /// Called once per duty cycle that did `work`; returns at `deadline` at the latest, give or take the
    /// kernel's scheduling. Returns by how much it overslept (0 if it did not sleep).
    Duration wait(std::uint32_t work, Instant deadline);

    /// Ends a sleep that is at least `grace` old at `now`; any thread. What the caller gave to the core
    /// before is seen by the cycle that follows, or by the one before the sleep.
    void wake(Instant now, Duration grace) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        const std::int64_t since = asleep_since_.load(std::memory_order_relaxed);
        if (since != awake && now.ns - since >= grace.ns) ring();
    }

  private:
    static constexpr std::int64_t awake = 0;

    void ring();
    Duration sleep(Instant from, Duration length);
    bool arm_port();
    void disarm_port();
    void clear(short doorbell_events, short port_events, Duration length);

    IdlePolicy policy_;
    Duration sleep_max_;
    const Port* port_;
    const Clock& clock_;
    int doorbell_;      ///< eventfd that other threads write
    int port_fd_ = -1;  ///< readable when frames are there: the port's socket, or an epoll set
    bool port_fd_is_socket_ = false;
    std::uint32_t cycles_at_work_ = 0;
    Instant idle_since_ = Instant::never();
    /// When the thread announced its sleep, in nanoseconds; `awake` while it works.
    std::atomic<std::int64_t> asleep_since_{awake};
};

}  // namespace holdfast::engine
