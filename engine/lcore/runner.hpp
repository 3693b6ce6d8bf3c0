// The thread of one core: frames in, time, frames out, and what to do when there is nothing to do.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "cores/protocol/core.hpp"
#include "engine/lcore/clock.hpp"
#include "engine/lcore/counters.hpp"
#include "engine/lcore/idle.hpp"
#include "engine/port/port.hpp"

namespace holdfast::engine {

/// Drives one core, on one port or on none. Everything is called on the runner's own thread unless it says
/// otherwise.
class Runner {
  public:
    struct Options {
        IdlePolicy idle;
        Duration sleep_max;
        bool realtime;                        ///< ask for SCHED_FIFO
        Duration wake_grace;                  ///< other cores' work wakes this one after so much sleep
        std::function<void()> after_advance;  ///< runs in each cycle after the core's timers; may be empty
    };

    /// References must outlive the runner. `port` is nullptr for a core that has no frames of its own.
    Runner(std::string_view name, protocol::Core& core, Port* port, const Clock& clock, Options options);

    /// Runs duty cycles until `stop` is set. Must be called once.
    void run(const std::atomic<bool>& stop);

    /// The runners whose cores get work from this one, through rings: they are woken after it had work.
    void set_neighbours(std::span<Runner* const> others) { neighbours_ = others; }

    /// Any thread: ends a sleep at once.
    void wake() { idle_.wake(Instant::never(), Duration{}); }

    /// Any thread.
    std::string_view name() const { return name_; }
    const RunnerCounters& counters() const { return counters_; }
    const Port* port() const { return port_; }
    /// Any thread: the runner has its port stopped and started again, which brings back a link that does not
    /// come back by itself. It leaves the port alone until that is done.
    void restart_port() {
        restart_wanted_.store(true, std::memory_order_relaxed);
        wake();
    }

  private:
    std::uint32_t cycle();
    Instant next_deadline() const;
    std::uint32_t receive(Instant now);
    std::uint32_t transmit();
    void wake_neighbours(Instant now);
    bool take_burst();
    void prepare_burst();
    bool flush_burst();
    void drop_pending(RunnerCounter reason);
    void account(Duration length, std::uint32_t work);
    void refresh_gauges(Instant now);
    void ask_for_realtime();
    void restart_port_now();

    std::string_view name_;
    protocol::Core& core_;
    Port* port_;
    const Clock& clock_;
    Options options_;
    Idle idle_;
    RunnerCounters counters_;
    std::span<Runner* const> neighbours_;
    std::atomic<bool> restart_wanted_{false};
    Instant refreshed_at_{};

    /// The one burst that left the core and is not yet with the port.
    std::array<rte_mbuf*, burst_size> pending_{};
    std::uint16_t pending_count_ = 0;
    Instant pending_since_{};
};

}  // namespace holdfast::engine
