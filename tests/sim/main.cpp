// sim: a client, a server and two nodes in one process and virtual time. See README.md.
#include <rte_eal.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/application_world.hpp"
#include "tests/sim/campaign.hpp"
#include "tests/sim/self_test.hpp"
#include "tests/sim/takeovers.hpp"
#include "tests/sim/throughput.hpp"

namespace holdfast::sim {
namespace {

constexpr const char* usage = R"(usage:
  sim --seed N [-v]            one run; prints every drawn option, with -v everything that happens
  sim --seeds FROM..TO         many runs; prints failures, the coverage with --coverage
  sim --self-test [FROM..TO]   the two ends against each other, without a proxy (default 1..2000)
  sim --patterns MOMENT        all loss patterns of the first 10 frames; MOMENT is handshake, close, takeover or all
                               (with --every N only each N-th of them)
  sim --pattern MOMENT LEG N [-v]   one of them; LEG is client or server
  sim --takeovers              a takeover in every pair of states with every combination of what a connection may be
                               (with --every N only each N-th of them)
  sim --takeover N [-v]        one of them
  sim --applications [FROM..TO]   clients of an application on the pair, gate app or host and standby; the active is killed
                               at every 64th part of the events of these runs (default 0..59: the first 40 of small
                               applications, of the others every second one of a journal, of a process of gate host;
                               with --every N only each N-th of them)
  sim --application N [-v]     one of them
  sim --throughput FILE        goodput through one node over buffer, loss and delay; FILE must say the same
options: --jobs N, --stop-after N (failures, default 20), --coverage
)";

/// A campaign of so many seeds must leave no cell of the coverage empty.
constexpr std::uint64_t coverage_runs = 5000;

enum class Mode {
    none,
    seed,
    seeds,
    self_test,
    patterns,
    pattern,
    takeovers,
    takeover,
    applications,
    application,
    throughput
};

struct Arguments {
    Mode mode = Mode::none;
    CampaignOptions campaign;
    std::string moment = "all", leg, golden;
    std::uint64_t every = 1;  ///< of the patterns
    bool verbose = false, ok = true;
};

bool read_range(std::string_view text, CampaignOptions& o) {
    unsigned long long first = 0, last = 0;
    if (std::sscanf(std::string(text).c_str(), "%llu..%llu", &first, &last) != 2 || last < first)
        return false;
    o.first = first;
    o.last = last;
    return true;
}

Arguments read_arguments(std::vector<std::string> words) {
    Arguments a;
    std::size_t i = 0;
    const auto next = [&] { return i + 1 < words.size() ? words[++i] : (a.ok = false, std::string()); };
    const auto has_range = [&] {
        return i + 1 < words.size() && words[i + 1].find("..") != std::string::npos;
    };
    for (; i < words.size(); ++i) {
        const auto& w = words[i];
        if (w == "--seed") {
            a.mode = Mode::seed;
            a.campaign.first = std::strtoull(next().c_str(), nullptr, 10);
        } else if (w == "--seeds") {
            a.mode = Mode::seeds;
            a.ok = read_range(next(), a.campaign) && a.ok;
        } else if (w == "--self-test") {
            a.mode = Mode::self_test;
            a.campaign.first = 1;
            a.campaign.last = 2000;
            if (has_range()) a.ok = read_range(next(), a.campaign) && a.ok;
        } else if (w == "--patterns") {
            a.mode = Mode::patterns;
            a.moment = next();
        } else if (w == "--pattern") {
            a.mode = Mode::pattern;
            a.moment = next();
            a.leg = next();
            a.campaign.first = std::strtoull(next().c_str(), nullptr, 10);
        } else if (w == "--takeovers") {
            a.mode = Mode::takeovers;
        } else if (w == "--takeover") {
            a.mode = Mode::takeover;
            a.campaign.first = std::strtoull(next().c_str(), nullptr, 10);
        } else if (w == "--applications") {
            a.mode = Mode::applications;
            a.campaign.first = 0;
            a.campaign.last = ApplicationOptions::seeds - 1;
            if (has_range()) a.ok = read_range(next(), a.campaign) && a.ok;
        } else if (w == "--application") {
            a.mode = Mode::application;
            a.campaign.first = std::strtoull(next().c_str(), nullptr, 10);
        } else if (w == "--throughput") {
            a.mode = Mode::throughput;
            a.golden = next();
        } else if (w == "--jobs") {
            a.campaign.jobs = static_cast<unsigned>(std::max(1, std::atoi(next().c_str())));
        } else if (w == "--stop-after") {
            a.campaign.stop_after = static_cast<unsigned>(std::max(1, std::atoi(next().c_str())));
        } else if (w == "--every") {
            a.every = std::max(1ULL, std::strtoull(next().c_str(), nullptr, 10));
        } else if (w == "--coverage") {
            a.campaign.coverage = true;
        } else if (w == "-v") {
            a.verbose = true;
        } else {
            a.ok = false;
        }
    }
    return a;
}

void start_eal() {
    std::vector<std::string> words = {"sim", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
                                      "-m",  "512",       "-l",       "0",           "--log-level=error"};
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
        std::fprintf(stderr, "EAL does not start\n");
        std::exit(1);
    }
}

/// A run, and where its options say so a second one that must be the same (R7).
Outcome run_options(const Options& options, bool verbose) {
    auto outcome = World(options, verbose).run();
    if (!options.runs_twice || !outcome.passed()) return outcome;
    const auto again = World(options, false).run();
    if (again.hash != outcome.hash) {
        outcome.rule = "R7";
        outcome.text = "two runs of the seed differ";
    }
    return outcome;
}

int print(const Outcome& o) {
    std::printf("%u completed, %u refused in their handshake, %u lost unprotected, %u changes of speaker\n",
                o.completed, o.refused, o.lost, o.takeovers);
    std::printf(
        "%.3f s of virtual time, %llu events, %llu ACKs checked, at most %llu bytes withheld, hash %016llx\n",
        static_cast<double>(o.lasted.ns) / 1e9, static_cast<unsigned long long>(o.events),
        static_cast<unsigned long long>(o.acks_checked), static_cast<unsigned long long>(o.peak_withheld),
        static_cast<unsigned long long>(o.hash));
    if (!o.passed()) std::printf("FAILED %s: %s\n", o.rule.c_str(), o.text.c_str());
    std::printf("%d passed, %d failed\n", o.passed() ? 1 : 0, o.passed() ? 0 : 1);
    return o.passed() ? 0 : 1;
}

int show(const Options& options, bool verbose) {
    std::printf("%s\n", options.to_string().c_str());
    std::fflush(stdout);
    return print(run_options(options, verbose));
}

Outcome self_test(std::uint64_t seed, bool verbose) {
    const auto first = run_self_test(seed, verbose), second = run_self_test(seed, false);
    Outcome o;
    o.rule = first.rule;
    o.text = first.text;
    o.events = first.events;
    if (first.passed && first.hash != second.hash) {
        o.rule = "R7";
        o.text = "two runs of the seed differ";
    }
    return o;
}

/// Every way to spoil a segment must be noticed; returns how many were not.
unsigned test_endpoints() {
    constexpr unsigned limit = 300;
    unsigned unnoticed = 0;
    for (std::size_t i = 1; i < std::size(tamper_rows); ++i) {
        const auto n = runs_to_notice(static_cast<Tamper>(i), limit);
        std::printf("%-26s %s\n", std::string(tamper_rows[i].name).c_str(),
                    n == 0 ? "NOT NOTICED" : ("noticed in run " + std::to_string(n)).c_str());
        unnoticed += n == 0 ? 1 : 0;
    }
    return unnoticed;
}

int run_self_tests(const Arguments& a) {
    const auto unnoticed = test_endpoints();
    const auto failed = run_campaign(
        a.campaign, [] {}, [&](std::uint64_t n) { return self_test(n, a.verbose); });
    return unnoticed == 0 && failed == 0 ? 0 : 1;
}

constexpr unsigned pattern_count = 1024;

std::optional<Moment> find_moment(std::string_view text) {
    for (std::size_t i = 0; i < std::size(moment_names); ++i)
        if (moment_names[i] == text) return static_cast<Moment>(i);
    return std::nullopt;
}

int run_patterns(Arguments& a) {
    std::uint64_t failed = 0;
    for (std::size_t m = 0; m < std::size(moment_names); ++m)
        for (const auto leg : {Side::client, Side::server}) {
            if (a.moment != "all" && a.moment != moment_names[m]) continue;
            std::printf("%s, %s leg:\n", std::string(moment_names[m]).c_str(),
                        leg == Side::client ? "client" : "server");
            a.campaign.first = 0;
            a.campaign.last = (pattern_count - 1) / a.every;
            failed += run_campaign(a.campaign, start_eal, [&](std::uint64_t n) {
                const auto bits = static_cast<std::uint32_t>(n * a.every);
                auto outcome = World(pattern_options({static_cast<Moment>(m), leg, bits}), false).run();
                if (!outcome.passed()) outcome.text += " (pattern " + std::to_string(bits) + ")";
                return outcome;
            });
        }
    return failed == 0 ? 0 : 1;
}

int run_takeovers(Arguments& a) {
    a.campaign.first = 0;
    a.campaign.last = (takeover_cases() - 1) / a.every;
    return run_campaign(a.campaign, start_eal,
                        [&](std::uint64_t n) { return run_takeover_case(n * a.every, false); }) == 0
               ? 0
               : 1;
}

int run_applications(Arguments& a) {
    const auto first = a.campaign.first * ApplicationCase::kills_per_seed;
    const auto count = (a.campaign.last - a.campaign.first + 1) * ApplicationCase::kills_per_seed;
    a.campaign.first = 0;
    a.campaign.last = (count - 1) / a.every;
    return run_campaign(a.campaign, start_eal,
                        [&](std::uint64_t n) {
                            return run_application_case(application_case(first + n * a.every), false);
                        }) == 0
               ? 0
               : 1;
}

int run(Arguments a) {
    const auto one = static_cast<std::uint32_t>(a.campaign.first);
    switch (a.mode) {
        case Mode::seed: start_eal(); return show(draw_options(a.campaign.first), a.verbose);
        case Mode::seeds:
            a.campaign.coverage_required = a.campaign.last - a.campaign.first + 1 >= coverage_runs;
            return run_campaign(a.campaign, start_eal,
                                [](std::uint64_t n) { return run_options(draw_options(n), false); }) == 0
                       ? 0
                       : 1;
        case Mode::self_test: return run_self_tests(a);
        case Mode::patterns: return run_patterns(a);
        case Mode::pattern:
            start_eal();
            return show(pattern_options(
                            {*find_moment(a.moment), a.leg == "server" ? Side::server : Side::client, one}),
                        a.verbose);
        case Mode::takeovers: return run_takeovers(a);
        case Mode::takeover: start_eal(); return print(run_takeover_case(a.campaign.first, a.verbose));
        case Mode::applications: return run_applications(a);
        case Mode::application:
            start_eal();
            return print(run_application_case(application_case(a.campaign.first), a.verbose));
        case Mode::throughput: start_eal(); return check_throughput(a.golden) ? 0 : 1;
        case Mode::none: break;
    }
    return 2;
}

}  // namespace
}  // namespace holdfast::sim

int main(int argc, char** argv) {
    auto arguments = holdfast::sim::read_arguments({argv + 1, argv + argc});
    const bool moment_ok = arguments.moment == "all" || holdfast::sim::find_moment(arguments.moment);
    if (!arguments.ok || arguments.mode == holdfast::sim::Mode::none || !moment_ok) {
        std::fputs(holdfast::sim::usage, stderr);
        return 2;
    }
    return holdfast::sim::run(std::move(arguments));
}
