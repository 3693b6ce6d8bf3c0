// R1 from outside: reads what crossed the client's and the server's own devices in one run, and proves that
// no acknowledgment to one end ever covered a byte that the other end had not acknowledged before.
//
// The two captures carry the clock of one machine, so their packets have one order. The stream of one leg
// appears on the other at a constant distance of sequence numbers: offsets from each leg's initial sequence
// numbers are equal on both, SYN and FIN counting one each. So the proof needs no help from the program it
// judges.
//
//     client ----- leg ----- proxy ----- leg ----- server
//            ack = irs_c + k            ack = iss_s + m         k must not exceed the m that left the server
//            before
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "capture.hpp"
#include "examine.hpp"

using namespace holdfast::r1;

namespace {

struct Options {
    std::string client, server, corrupt;
    std::uint64_t min_acks = 10'000;
    bool require_reports = true;
    bool json = false;
    std::vector<Moment> moments;
};

constexpr std::string_view kUsage =
    "r1_check CLIENT.pcap SERVER.pcap [options]\n"
    "Proves from captures at the endpoints' own devices that no ACK covered a byte the other end had not "
    "acknowledged.\n"
    "  --min-acks N    fail below so many checked ACKs (10000)\n"
    "  --at SECONDS    also print what was in flight at that time (since the epoch; may be repeated)\n"
    "  --no-reports    do not ask for tcpdump's reports, FILE.report\n"
    "  --json          print one JSON object instead of lines\n"
    "  --corrupt FILE  write a copy of CLIENT.pcap in which one ACK is raised by one byte, and stop:\n"
    "                  a checker that accepts it is broken\n";

Options parse(int argc, char** argv) {
    Options options;
    std::vector<std::string> files;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto value = [&]() -> std::string {
            if (++i == argc) throw std::invalid_argument(argument + " needs a value");
            return argv[i];
        };
        if (argument == "--min-acks") {
            options.min_acks = std::stoull(value());
        } else if (argument == "--at") {
            options.moments.push_back({static_cast<std::int64_t>(std::stold(value()) * 1e9L), {}, {}});
        } else if (argument == "--no-reports") {
            options.require_reports = false;
        } else if (argument == "--json") {
            options.json = true;
        } else if (argument == "--corrupt") {
            options.corrupt = value();
        } else if (argument == "--help") {
            std::fputs(kUsage.data(), stdout);
            std::exit(0);
        } else if (argument.starts_with("--")) {
            throw std::invalid_argument(argument + " is no option; see --help");
        } else {
            files.push_back(argument);
        }
    }
    if (files.size() != 2) throw std::invalid_argument("give CLIENT.pcap and SERVER.pcap; see --help");
    options.client = files[0];
    options.server = files[1];
    std::sort(options.moments.begin(), options.moments.end(),
              [](const Moment& a, const Moment& b) { return a.time_ns < b.time_ns; });
    return options;
}

struct Result {
    Findings findings;
    unsigned paired = 0;
    std::vector<std::string> faults;  ///< why this run proves nothing, or the contrary
};

void check_reports(const Options& options, Result& result) {
    if (!options.require_reports) return;
    for (const std::string& capture : {options.client, options.server}) {
        const auto lost = dropped(capture);
        if (!lost) result.faults.push_back(capture + ".report does not say how many packets were dropped");
        if (lost && *lost > 0)
            result.faults.push_back(capture + ": " + std::to_string(*lost) + " packets dropped");
    }
}

Result judge(const Capture& client, const Capture& server, Options& options) {
    Result result;
    check_reports(options, result);
    std::vector<const Leg*> free;
    for (const auto& leg : server.legs()) free.push_back(leg.get());
    for (const auto& leg : client.legs()) {
        const Leg* found = partner(*leg, free);
        if (found && leg->endpoint_isn && found->endpoint_isn) {
            std::erase(free, found);
            ++result.paired;
            examine(*leg, *found, &options.moments, result.findings);
        } else if (leg->acknowledged_by_proxy()) {
            result.faults.push_back(name(leg->endpoint) +
                                    " was acknowledged though no server leg carries its session");
        }
    }
    for (const Leg* leg : free) {
        if (leg->acknowledged_by_proxy()) {
            result.faults.push_back("the server was acknowledged to " + name(leg->proxy) +
                                    " though no client leg carries that session");
        }
    }
    if (!result.findings.violations.empty()) {
        result.faults.push_back(std::to_string(result.findings.violations.size()) +
                                " ACKs covered bytes that the other end had not acknowledged");
    }
    if (result.findings.acks < options.min_acks) {
        result.faults.push_back("only " + std::to_string(result.findings.acks) +
                                " ACKs checked, fewer than " + std::to_string(options.min_acks));
    }
    return result;
}

void print_json(const Options& options, const Result& result) {
    nlohmann::json reneged = nlohmann::json::array(), moments = nlohmann::json::array();
    for (const Violation& each : result.findings.reneged) {
        reneged.push_back({{"at", static_cast<double>(each.time_ns) / 1e9},
                           {"to", name(each.leg->endpoint)},
                           {"from", name(each.leg->proxy)},
                           {"offset", each.covered}});
    }
    for (const Moment& each : options.moments) {
        moments.push_back({{"at", static_cast<double>(each.time_ns) / 1e9},
                           {"client_bytes", each.unacknowledged[0]},
                           {"client_sessions", each.sessions[0]},
                           {"server_bytes", each.unacknowledged[1]},
                           {"server_sessions", each.sessions[1]}});
    }
    const nlohmann::json verdict = {{"ok", result.faults.empty()},
                                    {"acks", result.findings.acks},
                                    {"sessions", result.paired},
                                    {"peak_withheld", result.findings.peak_withheld},
                                    {"violations", result.findings.violations.size()},
                                    {"reneged", std::move(reneged)},
                                    {"moments", std::move(moments)},
                                    {"faults", result.faults}};
    std::puts(verdict.dump().c_str());
}

void print_lines(const Options& options, const Result& result, std::size_t orphans) {
    constexpr std::size_t kShown = 10;
    for (std::size_t i = 0; i < std::min(kShown, result.findings.violations.size()); ++i) {
        const Violation& each = result.findings.violations[i];
        std::printf("violation at %.6f: the %s at %s was acknowledged up to offset %" PRId64
                    ", the other end had acknowledged %" PRId64 "\n",
                    static_cast<double>(each.time_ns) / 1e9, each.to == Side::client ? "client" : "server",
                    name(each.leg->endpoint).c_str(), each.covered, each.allowed);
    }
    for (std::size_t i = 0; i < std::min(kShown, result.findings.reneged.size()); ++i) {
        const Violation& each = result.findings.reneged[i];
        std::printf("note at %.6f: an ACK to %s stopped at offset %" PRId64
                    ", inside a range reported by SACK\n",
                    static_cast<double>(each.time_ns) / 1e9, name(each.leg->endpoint).c_str(), each.covered);
    }
    for (const Moment& each : options.moments) {
        std::printf("at %.6f: client had %" PRId64 " unacknowledged bytes in %u sessions, server %" PRId64
                    " in %u\n",
                    static_cast<double>(each.time_ns) / 1e9, each.unacknowledged[0], each.sessions[0],
                    each.unacknowledged[1], each.sessions[1]);
    }
    if (orphans)
        std::printf("%zu packets of connections older than the captures were not looked at\n", orphans);
    for (std::size_t i = 0; i < std::min(kShown, result.faults.size()); ++i)
        std::printf("FAULT %s\n", result.faults[i].c_str());
    std::printf("%s: %" PRIu64 " ACKs checked in %u sessions, peak withheld %" PRId64 " bytes\n",
                result.faults.empty() ? "R1 holds" : "R1 NOT SHOWN", result.findings.acks, result.paired,
                result.findings.peak_withheld);
}

int run(int argc, char** argv) {
    Options options = parse(argc, argv);
    const Capture client(options.client, Side::client), server(options.server, Side::server);
    const Result result = judge(client, server, options);
    if (!options.corrupt.empty()) {
        const auto& tight = result.findings.tight_to_client;
        if (tight.empty())
            throw std::runtime_error("no ACK to the client covers all that it may: none to corrupt");
        write_corrupt(options.client, options.corrupt, tight[tight.size() / 2]);
        return 0;
    }
    if (options.json) {
        print_json(options, result);
    } else {
        print_lines(options, result, client.orphans() + server.orphans());
    }
    return result.faults.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "r1_check: %s\n", error.what());
        return 2;
    }
}
