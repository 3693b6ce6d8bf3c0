#include "engine/lcore/clock.hpp"

#include <cpuid.h>
#include <time.h>

#include <fstream>
#include <string>

namespace holdfast::engine {
namespace {

/// CPUID 8000_0007h EDX bit 8: the counter ticks at one rate whatever the CPU's power state.
bool tsc_is_invariant() {
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

/// The kernel takes the counter off this list when CPUs' counters disagree.
bool kernel_trusts_tsc() {
    std::ifstream file("/sys/devices/system/clocksource/clocksource0/available_clocksource");
    std::string word;
    bool any = false;
    while (file >> word) {
        if (word == "tsc") return true;
        any = true;
    }
    return !any;  // no list to ask (a container without /sys): trust the CPU
}

struct Reading {
    std::uint64_t tsc;
    Instant at;
};

/// Reads counter and clock together: the closest of a few tries, so an interrupt in between does no harm.
Reading read_both() {
    Reading best{};
    std::uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < 10; ++i) {
        const std::uint64_t before = rte_rdtsc_precise();
        const Instant at = Clock::monotonic();
        const std::uint64_t width = rte_rdtsc_precise() - before;
        if (width < best_width) {
            best_width = width;
            best = {before + width / 2, at};
        }
    }
    return best;
}

}  // namespace

Instant Clock::monotonic() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return {ts.tv_sec * 1'000'000'000 + ts.tv_nsec};
}

Clock::Clock() {
    if (!tsc_is_invariant() || !kernel_trusts_tsc()) return;
    const Reading first = read_both();
    const timespec pause{0, 50'000'000};
    nanosleep(&pause, nullptr);
    const Reading second = read_both();
    const auto ticks = static_cast<WideInt>(second.tsc - first.tsc);
    const std::int64_t ns = (second.at - first.at).ns;
    uses_tsc_ = true;
    hz_ = static_cast<std::uint64_t>(ticks * 1'000'000'000 / ns);
    ns_per_tick_ = static_cast<std::int64_t>((static_cast<WideInt>(ns) << 32) / ticks);
    base_tsc_ = second.tsc;
    base_ = second.at;
}

}  // namespace holdfast::engine
