// Whole nodes with a thread per core under ThreadSanitizer. See README.md.
#include <rte_eal.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "tests/threads/world.hpp"

namespace {
std::atomic<unsigned> reports{0};
}

/// TSan calls it after each report that it has printed.
extern "C" void __tsan_on_report(void*) { reports.fetch_add(1, std::memory_order_relaxed); }
/// The exit status is ours: a planted race must be reported.
extern "C" const char* __tsan_default_options() {
    return "exitcode=0:second_deadlock_stack=1:history_size=4";
}

namespace holdfast::threads {
namespace {

constexpr const char* usage = R"(usage: threads_test one|pair|planted
  one      one node carries sessions to their end
  pair     two nodes; the active one is killed in the middle and started again
  planted  one node with a race on purpose: it must be reported
)";

bool start_eal() {
    std::vector<std::string> words = {"threads", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
                                      "-m",      "256",       "-l",       "0",           "--log-level=error"};
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

void run_one(World& world) {
    world.boot();
    world.open_sessions();
    world.finish();
    world.forget();
}

void run_pair(World& world) {
    world.boot();
    world.open_sessions();
    world.carry(20);
    world.wait_ready();
    world.kill_active();
    world.carry(60);
    world.wait_ready();
    world.finish();
}

int run(std::string_view story) {
    const bool planted = story == "planted";
    World world(story == "pair" ? 2 : 1, planted);
    if (planted) world.boot();
    else if (story == "pair") run_pair(world);
    else run_one(world);
    const auto seen_by_all = world.planted();  // read while the cores run: the race, if it was planted
    world.stop();
    const unsigned found = reports.load();
    std::printf("%s: %s, %u reports of TSan%s\n", std::string(story).c_str(), world.summary().c_str(), found,
                seen_by_all > 0 ? ", one was planted" : "");
    if (world.failed()) std::printf("FAILED %s\n", world.fault().c_str());
    return !world.failed() && (found > 0) == planted ? 0 : 1;
}

}  // namespace
}  // namespace holdfast::threads

int main(int argc, char** argv) {
    const std::string_view story = argc == 2 ? argv[1] : "";
    if (story != "one" && story != "pair" && story != "planted") {
        std::fputs(holdfast::threads::usage, stderr);
        return 2;
    }
    if (!holdfast::threads::start_eal()) {
        std::fputs("EAL did not start: this test needs 256 MiB of ordinary memory and CPU 0\n", stderr);
        return 2;
    }
    return holdfast::threads::run(story);
}
