// Memory per session on both nodes of a pair: how much a node's resident memory grows when 100,000 sessions
// are opened (active) or learned from a snapshot (standby); and what a node reserves at its start for each
// slot, of which a part is in memory from then on.
//
// session_memory [--sessions N]      prints a JSON object
#include <malloc.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <string>

#include "cores/proxy/leg.hpp"
#include "lib/session/record.hpp"
#include "tests/bench/rig.hpp"

namespace holdfast::bench {
namespace {

/// Bytes that this process has reserved, from the system and from DPDK's heap.
std::size_t reserved() {
    rte_malloc_socket_stats dpdk{};
    rte_malloc_get_socket_stats(0, &dpdk);
    std::ifstream file("/proc/self/statm");
    std::size_t pages = 0;
    file >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + dpdk.heap_allocsz_bytes;
}

/// Bytes of this process that are in memory.
std::size_t resident() {
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0, pages = 0;
    file >> total >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// What a node reserves that has room for `slots` sessions: what does not depend on them cancels out.
double reserved_per_slot(const std::string& name, std::uint32_t slots, unsigned node_id) {
    const auto cost = [&](const std::string& suffix, std::uint32_t n) {
        const auto before = reserved();
        const Rig rig(name + suffix, {.sessions = 1, .slots = n, .mbufs = 2047, .node_id = node_id});
        return reserved() - before;
    };
    return static_cast<double>(cost("l", 2 * slots) - cost("s", slots)) / slots;
}

struct Growth {
    double active = 0, standby = 0;
};

/// In memory for each slot before there is a session: what does not depend on the slots cancels out.
double resident_per_slot(std::uint32_t slots) {
    const auto cost = [](const std::string& name, std::uint32_t n) {
        const auto before = resident();
        const Rig rig(name, {.sessions = 1, .slots = n, .mbufs = 2047});
        return static_cast<double>(resident()) - static_cast<double>(before);
    };
    return (cost("mrl", 2 * slots) - cost("mrs", slots)) / slots;
}

Growth growth(std::uint32_t sessions, std::uint32_t slots) {
    Growth g;
    Rig active("ma", {.sessions = sessions, .slots = slots, .mbufs = 16383});
    active.wait_active();
    auto before = resident();
    active.open(sessions);
    g.active = static_cast<double>(resident() - before) / sessions;

    Rig standby("mb", {.sessions = 1, .slots = slots, .mbufs = 16383, .node_id = 1});
    before = resident();
    Rig::connect(active, standby);
    for (int i = 0; standby.node().status().state != "ready"; ++i) {
        if (i == 2'000'000)
            throw std::runtime_error("the standby is " + std::string(standby.node().status().state));
        active.idle();
        standby.idle();
    }
    if (const auto stored = standby.node().status().sessions; stored != sessions)
        throw std::runtime_error("the standby holds " + std::to_string(stored) + " sessions");
    g.standby = static_cast<double>(resident() - before) / sessions;
    return g;
}

int run(std::uint32_t sessions) {
    constexpr std::uint32_t slots = 131'072;
    // What an earlier node gave back goes back to the system: the next one starts as in a fresh process.
    mallopt(M_MMAP_THRESHOLD, 1 << 17);
    // First of all: DPDK's heap keeps what it has once touched.
    const auto g = growth(sessions, slots);
    const double at_start = resident_per_slot(slots);
    const double per_slot = reserved_per_slot("mp", slots, 0);
    std::printf(
        "{\"sessions\": %u, \"slots\": %u, \"reserved_per_slot\": %.0f, \"resident_per_slot_at_start\": "
        "%.0f, "
        "\"resident_growth_active\": %.0f, \"resident_growth_standby\": %.0f, \"leg\": %zu, \"cell\": %zu, "
        "\"record\": %zu, \"inherited\": %zu}\n",
        sessions, slots, per_slot, at_start, g.active, g.standby, sizeof(proxy::Leg), sizeof(proxy::LegCell),
        sizeof(SessionRecord), sizeof(proxy::Inherited));
    return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
    const int used = rte_eal_init(argc, argv);
    if (used < 0) return 2;
    try {
        return holdfast::bench::run(used + 2 < argc ? static_cast<std::uint32_t>(std::stoul(argv[used + 2]))
                                                    : 100'000);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "session_memory: %s\n", e.what());
        return 1;
    }
}
