// Cycles that the two cores of a lane together spend on one data segment and its ACK, next to a macswap on
// the same kind of port. Generator and sink live in this process; only the node's duty cycles are timed.
//
// relay_cycles [--ports ring|virtio] [--rounds N] [--once CASE]      prints a JSON object
// With --once the named case alone runs, for valgrind --tool=callgrind --collect-atstart=no.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/rig.hpp"

namespace holdfast::bench {
namespace {

constexpr std::uint16_t burst_size = 32;
constexpr int bursts_per_round = 500, warm_up_bursts = 200, passes_max = 20;
constexpr std::uint16_t headers = 14 + 20 + 32;  ///< with the timestamps that every segment carries
constexpr std::uint16_t full_payload = 1448;

/// What one burst of the client consists of: `flows` times `per_flow` segments, spread over `sessions`.
struct Case {
    const char* name;
    std::uint32_t sessions;
    std::uint32_t per_flow;  ///< segments of one session in a burst
    std::uint32_t ack_every;
    std::uint16_t payload;
    bool offload = true;
    Gate gate = Gate::peer;
};

constexpr Case cases[] = {
    {"64 B, an ACK each", 256, 1, 1, 64},
    {"64 B, an ACK for two", 256, 2, 2, 64},
    {"MSS, an ACK each", 256, 1, 1, full_payload},
    {"MSS, an ACK for two", 256, 2, 2, full_payload},
    {"MSS, one bulk session, an ACK for two", 1, 32, 2, full_payload},
    {"MSS, an ACK each, checksums in software", 256, 1, 1, full_payload, false},
    {"MSS, an ACK for two, gate none", 256, 2, 2, full_payload, true, Gate::none},
};

std::uint64_t median(std::vector<std::uint64_t>& v) {
    const auto middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
    std::nth_element(v.begin(), middle, v.end());
    return *middle;
}

/// Cycles of the calls between start() and stop(), summed up to take().
class Stopwatch {
  public:
    void start() { started_ = rte_rdtsc_precise(); }
    void stop() { sum_ += rte_rdtsc_precise() - started_; }
    std::uint64_t take() { return std::exchange(sum_, 0); }

  private:
    std::uint64_t started_ = 0, sum_ = 0;
};

/// One case on a node of its own.
class Relay {
  public:
    Relay(const std::string& name, PortKind ports, const Case& c)
        : case_(c),
          rig_(name, {.ports = ports, .offload = c.offload, .sessions = c.sessions, .gate = c.gate}) {
        rig_.wait_active();
        rig_.open(c.sessions);
        for (int i = 0; i < warm_up_bursts; ++i) burst();
    }

    /// Median over many bursts of the cycles per data segment.
    [[gnu::noinline]] double round() {
        std::vector<std::uint64_t> samples;
        for (int i = 0; i < bursts_per_round; ++i) samples.push_back(burst());
        return static_cast<double>(median(samples)) / burst_size;
    }

    /// Frames that the node sent per data segment that it received, over the whole life of the case.
    double frames_out() const { return out_ / in_; }

  private:
    std::uint64_t burst();
    void timed(Side side);

    const Case& case_;
    Rig rig_;
    Stopwatch watch_;
    std::uint32_t next_flow_ = 0;
    double in_ = 0, out_ = 0;
};

[[gnu::noinline]] void Relay::timed(Side side) {
    watch_.start();
    rig_.cycle(side);
    watch_.stop();
}

std::uint64_t Relay::burst() {
    auto& clients = rig_.host(Side::client);
    auto& servers = rig_.host(Side::server);
    const auto frames = clients.frames_received() + servers.frames_received();
    for (std::uint32_t i = 0; i < burst_size; ++i) {
        clients.send(next_flow_, case_.payload);
        if ((i + 1) % case_.per_flow == 0) next_flow_ = (next_flow_ + 1) % case_.sessions;
    }
    clients.flush();
    // More than one pass only while a congestion window is still small.
    for (int pass = 0; clients.in_flight() > 0; ++pass) {
        if (pass == passes_max) throw std::runtime_error("a burst was not acknowledged at its end");
        timed(Side::client);
        timed(Side::server);
        servers.receive(case_.ack_every);
        servers.acknowledge_rest();
        servers.flush();
        timed(Side::server);
        timed(Side::client);
        clients.receive(1);
    }
    in_ += burst_size;
    out_ += static_cast<double>(clients.frames_received() + servers.frames_received() - frames);
    const auto cycles = watch_.take();
    rig_.idle();
    return cycles;
}

/// What dpdk-testpmd --forward-mode=macswap does with a burst.
void macswap(std::uint16_t port) {
    std::array<rte_mbuf*, burst_size> burst;
    const auto n = rte_eth_rx_burst(port, 0, burst.data(), burst_size);
    for (std::uint16_t i = 0; i < n; ++i) {
        if (i + 1 < n) rte_prefetch0(rte_pktmbuf_mtod(burst[i + 1], void*));
        auto* header = rte_pktmbuf_mtod(burst[i], rte_ether_hdr*);
        std::swap(header->dst_addr, header->src_addr);
        burst[i]->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
        burst[i]->l2_len = RTE_ETHER_HDR_LEN;
        burst[i]->l3_len = sizeof(rte_ipv4_hdr);
    }
    if (rte_eth_tx_burst(port, 0, burst.data(), n) < n)
        throw std::runtime_error("macswap: a port takes no more frames");
}

/// macswap of frames of one size.
class Macswap {
  public:
    Macswap(const std::string& name, PortKind kind, std::uint16_t size)
        : near_pool_(name + "_n", 8191),
          far_pool_(name + "_f", 8191),
          ports_(kind, name, near_pool_.get(), far_pool_.get()),
          size_(size) {
        for (int i = 0; i < warm_up_bursts; ++i) burst();
    }

    double round() {
        std::vector<std::uint64_t> samples;
        for (int i = 0; i < bursts_per_round; ++i) samples.push_back(burst());
        return static_cast<double>(median(samples)) / burst_size;
    }

  private:
    std::uint64_t burst() {
        std::array<rte_mbuf*, burst_size> frames;
        if (rte_pktmbuf_alloc_bulk(far_pool_.get(), frames.data(), burst_size) != 0)
            throw std::runtime_error("macswap: no mbufs");
        for (auto* m : frames) std::memset(rte_pktmbuf_append(m, size_), 2, headers);
        if (rte_eth_tx_burst(ports_.far(), 0, frames.data(), burst_size) != burst_size)
            throw std::runtime_error("macswap: lost");
        watch_.start();
        macswap(ports_.near());
        watch_.stop();
        const auto n = rte_eth_rx_burst(ports_.far(), 0, frames.data(), burst_size);
        rte_pktmbuf_free_bulk(frames.data(), n);
        return watch_.take();
    }

    PoolHandle near_pool_, far_pool_;
    PortPair ports_;
    std::uint16_t size_;
    Stopwatch watch_;
};

struct Options {
    PortKind ports = PortKind::ring;
    int rounds = 11;
    const Case* once = nullptr;
};

int run_once(const Options& options) {
    Relay relay("once", options.ports, *options.once);
    const double cycles = relay.round();
    std::printf("{\"case\": \"%s\", \"segments\": %d, \"cycles\": %.0f}\n", options.once->name,
                bursts_per_round * burst_size, cycles);
    return 0;
}

/// Relay and macswap take turns, so that both see the same neighbours on the machine.
void run_case(const Options& options, const Case& c, int number) {
    const auto name = std::string(name_of(options.ports).substr(0, 1)) + std::to_string(number);
    Relay relay(name, options.ports, c);
    Macswap data(name + "d", options.ports, static_cast<std::uint16_t>(headers + c.payload));
    Macswap ack(name + "a", options.ports, headers);
    std::vector<std::uint64_t> relayed, floors, ratios;
    for (int i = 0; i < options.rounds; ++i) {
        const double r = relay.round();
        const double floor = data.round() + ack.round() / c.ack_every;
        relayed.push_back(static_cast<std::uint64_t>(r));
        floors.push_back(static_cast<std::uint64_t>(floor));
        ratios.push_back(static_cast<std::uint64_t>(r / floor * 100));
    }
    std::printf("%s{\"case\": \"%s\", \"relay\": %lu, \"floor\": %lu, \"ratio\": %.2f, \"frames_out\": %.2f}",
                number == 0 ? "" : ",\n", c.name, median(relayed), median(floors),
                static_cast<double>(median(ratios)) / 100, relay.frames_out());
}

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string key = argv[i], value = argv[i + 1];
        if (key == "--ports") o.ports = value == "virtio" ? PortKind::virtio : PortKind::ring;
        if (key == "--rounds") o.rounds = std::stoi(value);
        if (key == "--once") o.once = &cases[std::stoi(value)];
    }
    return o;
}

int run(int argc, char** argv) {
    const auto options = parse(argc, argv);
    if (options.once != nullptr) return run_once(options);
    std::printf("{\"ports\": \"%s\", \"cases\": [\n", name_of(options.ports).data());
    int number = 0;
    for (const auto& c : cases) run_case(options, c, number++);
    std::printf("]}\n");
    return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
    const int used = rte_eal_init(argc, argv);
    if (used < 0) return 2;
    try {
        return holdfast::bench::run(argc - used, argv + used);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "relay_cycles: %s\n", e.what());
        return 1;
    }
}
