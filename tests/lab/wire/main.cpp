// A wire with the faults of a real one, between two network devices.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "bridge.hpp"

using namespace holdfast::lossy;

namespace {

constexpr int kNice = -10;

constexpr std::string_view kUsage =
    "Usage: wire --host DEVICE --switch DEVICE --control SOCKET [key=value ...]\n"
    "Carries every frame between two devices, with loss, delay and the like. scripts/lab wire starts it.\n"
    "  --host DEVICE     toward the host\n"
    "  --switch DEVICE   toward the switch\n"
    "  --control SOCKET  made there: answers \"show\" (JSON) and \"set key=value ...\"\n"
    "Keys: loss_ppm dup_ppm reorder_ppm delay_ns jitter_ns reorder_by_ns rate_bps queue_bytes vlan seed\n";

struct Options {
    Ends ends;
    std::string control, settings;
};

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--help") {
            std::fputs(kUsage.data(), stdout);
            std::exit(0);
        }
        std::string* const value = word == "--host"      ? &options.ends.host
                                   : word == "--switch"  ? &options.ends.to_switch
                                   : word == "--control" ? &options.control
                                                         : nullptr;
        if (value) {
            if (++i == argc) throw std::invalid_argument(word + " needs a value");
            *value = argv[i];
        } else if (word.starts_with("--")) {
            throw std::invalid_argument(word + " is no option; see --help");
        } else {
            options.settings += word + ' ';
        }
    }
    if (options.ends.host.empty() || options.ends.to_switch.empty() || options.control.empty())
        throw std::invalid_argument("give --host, --switch and --control; see --help");
    return options;
}

void run(const Options& options) {
    // Blocked, for signalfd: an end asked for early is not missed.
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    ::sigprocmask(SIG_BLOCK, &ends, nullptr);
    // A wire does not wait for a CPU: ahead of ordinary programs where that is allowed, and no slack in its
    // timers.
    ::setpriority(PRIO_PROCESS, 0, kNice);
    ::prctl(PR_SET_TIMERSLACK, 1UL);

    Bridge bridge(options.ends, parse_settings(options.settings));
    Control control(options.control);  // last: once it is there, frames are carried
    bridge.run(control);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    try {
        options = parse(argc, argv);
    } catch (const std::invalid_argument& error) {
        std::fprintf(stderr, "wire: %s\n", error.what());
        return 2;
    }
    try {
        run(options);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "wire: %s\n", error.what());
        return 1;
    }
}
