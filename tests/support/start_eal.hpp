// DPDK for tests: started once, without hugepages, ports or files, so that they run anywhere and at the same
// time.
#pragma once

#include <rte_eal.h>
#include <rte_log.h>

#include <array>
#include <cstdio>
#include <string>

namespace holdfast::test {

/// False, with the reason on stderr, when EAL does not start.
inline bool start_eal() {
    std::array<std::string, 10> words = {
        "test", "--no-huge", "--no-pci",      "--no-shconf", "--no-telemetry",
        "-m",   "256",       "--log-level=3", "-l",          "0"};
    std::array<char*, words.size()> arguments;
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0) return true;
    std::fputs("EAL did not start: these tests need 256 MiB of ordinary memory and CPU 0\n", stderr);
    return false;
}

}  // namespace holdfast::test
