#include "tests/sim/throughput.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <stdexcept>

#include "tests/sim/host.hpp"
#include "tests/sim/options.hpp"

namespace holdfast::sim {
namespace {

constexpr std::uint64_t transfer_bytes = 2u << 20;
constexpr std::uint64_t bits_per_second = 200'000'000;
/// One loss more or less, or another place for it, weighs heavily in a single transfer.
constexpr std::uint64_t transfers = 3;
constexpr Duration boot_limit = seconds(10), transfer_limit = seconds(600);

/// Loss and delay are on the client's side, each way; the server stands next to the node.
struct Path {
    std::uint32_t buffer = 0;  ///< bytes that the node holds for a direction of a session
    std::uint32_t loss = 0;    ///< per million
    Duration delay{};          ///< one way
};

class ThroughputWorld : public Actor, public HostObserver, public MachineObserver {
  public:
    ThroughputWorld(const Path& path, Side sender, std::uint64_t seed);
    /// From the SYN until the receiver has all bytes.
    Duration run();

  private:
    void wake(std::uint64_t, const Frame&) override {}
    void machine_sends(Machine&, std::size_t, const Bytes&) override {}
    void machine_receives(Machine&, std::size_t, const Bytes&) override {}
    void machine_dies(Machine&) override {}

    static Options options(const Path& path);
    static TalkerPlan plan(bool sends);
    void attach(Host& host, Switch& to, std::size_t port, const WireOptions& access);
    template <class Done>
    void run_until(Done done, Duration limit);

    Options options_;
    Side sender_;
    Journal journal_{false};
    Scheduler scheduler_;
    Random random_;
    Machine machine_;
    Host client_, server_;
    Switch client_switch_{scheduler_}, server_switch_{scheduler_};
    Wire no_mirror_;
};

TalkerPlan ThroughputWorld::plan(bool sends) {
    TalkerPlan p;
    p.label = sends ? "sender" : "receiver";
    p.socket.isn = {0xfffff000};
    p.socket.receive_buffer = 4u << 20;
    (sends ? p.out : p.in) = Stream(1);
    if (sends) p.script.steps = {{Step::Kind::write, transfer_bytes, {}}};
    else p.expected = transfer_bytes;
    return p;
}

Options ThroughputWorld::options(const Path& path) {
    auto o = plain_options(1);
    auto& m = o.machines[0];
    m.config.limits.session_bytes = path.buffer;
    m.config.limits.mbufs = 8192;
    m.config.limits.ring = 4096;
    for (auto& nic : m.ports) {
        nic.mbufs = m.config.limits.mbufs;
        nic.receive_queue = 1024;
    }
    return o;
}

ThroughputWorld::ThroughputWorld(const Path& path, Side sender, std::uint64_t seed)
    : options_(options(path)),
      sender_(sender),
      random_(mix64(seed)),
      machine_(scheduler_, journal_, *this, random_.next(), options_.machines[0]),
      client_(scheduler_, journal_, *this, "client", {{2, 0, 0, 0, 0, 1}}, options_.site.client_host()),
      server_(scheduler_, journal_, *this, "server", {{2, 0, 0, 0, 0, 2}}, options_.site.server_host()),
      no_mirror_(scheduler_, 0, {}, machine_.nic(2)) {
    WireOptions far;
    far.delay = path.delay;
    far.loss = path.loss;
    far.bits_per_second = bits_per_second;
    attach(client_, client_switch_, 0, far);
    attach(server_, server_switch_, 1, {});
    no_mirror_.set_up(false);
    machine_.nic(2).attach(no_mirror_);
    server_.listen(80, [this](const Endpoint&) { return plan(sender_ == Side::server); });
}

void ThroughputWorld::attach(Host& host, Switch& to, std::size_t port, const WireOptions& access) {
    host.attach(*to.attach(host, random_.next(), access, access).from_station);
    auto& nic = machine_.nic(port);
    nic.attach(*to.attach(nic, random_.next(), {}, {}).from_station);
}

template <class Done>
void ThroughputWorld::run_until(Done done, Duration limit) {
    const Instant end = scheduler_.now() + limit;
    while (!done()) {
        if (journal_.failed()) throw std::runtime_error(journal_.rule() + ": " + journal_.text());
        if (scheduler_.now() > end || !scheduler_.step()) throw std::runtime_error("a transfer does not end");
        journal_.set_now(scheduler_.now());
    }
}

Duration ThroughputWorld::run() {
    machine_.start();
    run_until([&] { return machine_.is_active(); }, boot_limit);
    const Instant begin = scheduler_.now();
    client_.connect(20000, options_.site.virtual_address(), plan(sender_ == Side::client));
    Host& receiver = sender_ == Side::client ? server_ : client_;
    run_until(
        [&] {
            return !receiver.talkers().empty() &&
                   receiver.talkers().front()->socket().received() == transfer_bytes;
        },
        transfer_limit);
    return scheduler_.now() - begin;
}

/// In Mbit/s.
double goodput(const Path& path, Side sender) {
    Duration sum;
    for (std::uint64_t seed = 1; seed <= transfers; ++seed)
        sum = sum + ThroughputWorld(path, sender, seed).run();
    return static_cast<double>(transfers * transfer_bytes * 8) * 1000 / static_cast<double>(sum.ns);
}

std::string read_file(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(name).rdbuf();
    return text.str();
}

}  // namespace

std::string throughput_table() {
    constexpr std::uint32_t buffers[] = {64u << 10, 256u << 10, 2u << 20};
    constexpr std::uint32_t losses[] = {0, 1'000, 10'000, 30'000};
    constexpr Duration delays[] = {{}, milliseconds(20), milliseconds(50)};
    std::ostringstream out;
    out << "Goodput in Mbit/s of 2 MiB from a client (up) and to it (down) through one node with gate peer.\n"
           "The client's wire: 200 Mbit/s, loss and delay each way. Buffer: limits.session_bytes.\n"
           "Mean of 3 transfers.\n\nbuffer KiB  delay ms  loss %       up     down\n"
        << std::fixed;
    for (const auto buffer : buffers)
        for (const auto delay : delays)
            for (const auto loss : losses) {
                const Path path{buffer, loss, delay};
                out << std::setw(10) << (buffer >> 10) << std::setw(10) << delay.to_ms() << std::setw(8)
                    << std::setprecision(1) << loss / 10'000.0;
                for (const auto sender : {Side::client, Side::server})
                    out << std::setw(9) << std::setprecision(2) << goodput(path, sender);
                out << "\n";
            }
    return out.str();
}

bool check_throughput(const std::string& file) {
    const auto table = throughput_table();
    std::fputs(table.c_str(), stdout);
    if (std::getenv("HOLDFAST_UPDATE_GOLDEN") != nullptr) std::ofstream(file) << table;
    if (read_file(file) == table) return true;
    std::printf("differs from %s; with HOLDFAST_UPDATE_GOLDEN=1 that is written anew\n", file.c_str());
    return false;
}

}  // namespace holdfast::sim
