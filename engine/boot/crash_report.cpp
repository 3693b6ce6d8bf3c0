#include "engine/boot/crash_report.hpp"

#include <rte_lcore.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace holdfast::engine {
namespace {

constexpr std::array<int, 5> fatal{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/// What the handler reads: written before it is installed.
struct Facts {
    const protocol::Node* node = nullptr;
    int application_lcore = -1;
    std::vector<std::string> services;  ///< ", in the application of service NAME\n"
};
Facts facts;

/// write() is one of the few calls that a handler may make.
void put(const char* text, std::size_t size) {
    if (::write(STDERR_FILENO, text, size) < 0) return;  // nobody is left to tell
}
void put(const char* text) { put(text, std::strlen(text)); }

const char* name_of(int number) {
    switch (number) {
        case SIGSEGV: return "SIGSEGV";
        case SIGBUS: return "SIGBUS";
        case SIGFPE: return "SIGFPE";
        case SIGILL: return "SIGILL";
        default: return "SIGABRT";
    }
}

void report(int number) {
    put("holdfast: crash: ");
    put(name_of(number));
    const bool application =
        facts.application_lcore >= 0 && rte_lcore_id() == static_cast<unsigned>(facts.application_lcore);
    put(application ? " on the application core" : " outside of the application core");
    const std::size_t called = application ? facts.node->application_called() : 0;
    if (called != 0 && called <= facts.services.size())
        put(facts.services[called - 1].data(), facts.services[called - 1].size());
    else put("\n");
    // SA_RESETHAND: it ends the process now, with a core dump where those are kept.
    raise(number);
}

}  // namespace

CrashReport::CrashReport(const protocol::Node& node, const Config& config, int application_lcore) {
    facts = {&node, application_lcore, {}};
    for (const auto& s : config.services)
        facts.services.push_back(", in the application of service " + s.name + "\n");
    struct sigaction action {};
    action.sa_handler = report;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    for (const int number : fatal) sigaction(number, &action, nullptr);
}

CrashReport::~CrashReport() {
    for (const int number : fatal) signal(number, SIG_DFL);
    facts = {};
}

}  // namespace holdfast::engine
