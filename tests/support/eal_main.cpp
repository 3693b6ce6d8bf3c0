// The main of tests that need mbufs, rings or hashes: DPDK is started once, without hugepages, ports or
// files, so such tests run anywhere and at the same time.
#define CATCH_CONFIG_RUNNER
#include <rte_eal.h>
#include <rte_log.h>
#include <catch2/catch.hpp>

#include <array>
#include <cstdio>
#include <string>

int main(int argc, char** argv) {
    std::array<std::string, 10> words = {
        "test", "--no-huge", "--no-pci",      "--no-shconf", "--no-telemetry",
        "-m",   "256",       "--log-level=3", "-l",          "0"};
    std::array<char*, words.size()> arguments;
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
        std::fputs("EAL did not start: these tests need 256 MiB of ordinary memory and CPU 0\n", stderr);
        return 2;
    }
    const int failures = Catch::Session().run(argc, argv);
    rte_eal_cleanup();
    return failures;
}
