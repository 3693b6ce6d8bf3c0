// How many instructions a piece of work takes: the same number each time, whatever else the machine does.
#pragma once

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdint>

namespace holdfast::test {

/// Does `work` in a child, one instruction at a time (a million takes some seconds). What the child changes,
/// and what it could tell by an exception, is lost.
template <typename Work>
std::uint64_t instructions_of(Work work) {
    const auto child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        raise(SIGSTOP);
        work();
        raise(SIGSTOP);
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    std::uint64_t count = 0;
    // The first stop is the one before the work; SIGSTOP again is the one behind it.
    for (bool working = WIFSTOPPED(status); working; ++count) {
        if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
        if (waitpid(child, &status, 0) != child) break;
        working = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
    }
    const bool finished = WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    REQUIRE(finished);
    return count;
}

}  // namespace holdfast::test
