// Counters of a runner: what the thread of a core did.
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::engine {

#define HF_RUNNER_ROWS(X)                                                                            \
    X(cycles, "duty cycles")                                                                         \
    X(idle_cycles, "duty cycles that found no work")                                                 \
    X(cycles_over_1ms, "duty cycles that took more than 1 ms: timers fired late")                    \
    X(cycle_worst_ns, "the longest duty cycle, in nanoseconds")                                      \
    X(oversleep_worst_ns, "the longest time that the kernel woke the core too late, in nanoseconds") \
    X(frames_received, "frames that came from the port")                                             \
    X(frames_sent, "frames that the port took")                                                      \
    X(tx_retries, "bursts that the port did not take whole at once")                                 \
    X(tx_stale_dropped, "frames dropped because the port did not take them in time (R4)")            \
    X(tx_link_down_dropped, "frames dropped because the link was down")                              \
    X(tx_prepare_dropped, "frames dropped because the driver can not offload their checksums")       \
    X(held_mbufs, "mbufs that the core held when it was last idle for a moment")                     \
    X(port_restarts, "the port was stopped and started again to bring its link back")

HF_DEFINE_COUNTERS(RunnerCounter, runner_counter_rows, HF_RUNNER_ROWS);

using RunnerCounters = Counters<RunnerCounter>;

}  // namespace holdfast::engine
