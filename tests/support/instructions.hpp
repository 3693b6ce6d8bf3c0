// How many instructions a piece of work takes: the same number each time, whatever else the machine does.
#pragma once

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace holdfast::test {

/// What a piece of work calls around what is to be counted.
class InstructionGauge {
  public:
    /// From here on, for the counter of that number.
    void begin(std::uint8_t counter) const { raise(SIGRTMIN + counter); }
    void end() const { raise(SIGUSR1); }
};

/// Both run on one CPU while this lives: each step is two switches between them, several times as long across
/// CPUs.
class OneCpu {
  public:
    OneCpu() {
        cpu_set_t here;
        CPU_ZERO(&here);
        CPU_SET(static_cast<std::size_t>(sched_getcpu()), &here);
        sched_getaffinity(0, sizeof before_, &before_);
        sched_setaffinity(0, sizeof here, &here);
    }
    ~OneCpu() { sched_setaffinity(0, sizeof before_, &before_); }
    OneCpu(const OneCpu&) = delete;
    OneCpu& operator=(const OneCpu&) = delete;

  private:
    cpu_set_t before_;
};

/// Runs `work(gauge)` in a child that is stepped through while it is counted; it must leave what it shares
/// with its parent (mbufs) as it was. Returns the instructions of each of `counters` counters, some hundred
/// of the gauge itself included each time. Throws when `work` does not end well.
template <typename Work>
std::vector<std::uint64_t> count_instructions(std::uint8_t counters, Work work) {
    std::vector<std::uint64_t> counts(counters);
    const OneCpu pinned;
    const auto child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        try {
            work(InstructionGauge{});
        } catch (...) {
            _exit(1);
        }
        _exit(0);
    }
    std::uint64_t* counter = nullptr;
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        int signal = WSTOPSIG(status);
        if (signal >= SIGRTMIN && signal < SIGRTMIN + counters)
            counter = &counts[static_cast<std::size_t>(signal - SIGRTMIN)];
        else if (signal == SIGUSR1) counter = nullptr;
        else if (signal == SIGTRAP && counter != nullptr) ++*counter;
        else {
            // What it was not stopped by us for is its own.
            ptrace(PTRACE_CONT, child, nullptr, static_cast<long>(signal));
            continue;
        }
        ptrace(counter != nullptr ? PTRACE_SINGLESTEP : PTRACE_CONT, child, nullptr, 0L);
    }
    if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw std::runtime_error("the work that was to be counted failed");
    return counts;
}

/// The same for all of `work()`, in a child: what that changes, and what it could tell by an exception, is
/// lost. A million take some seconds.
template <typename Work>
std::uint64_t instructions_of(Work work) {
    return count_instructions(1, [&](const InstructionGauge& gauge) {
        gauge.begin(0);
        work();
        gauge.end();
    })[0];
}

}  // namespace holdfast::test
