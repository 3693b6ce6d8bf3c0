#include "engine/boot/host.hpp"

#include <rte_launch.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "cores/protocol/event_text.hpp"
#include "cores/protocol/node.hpp"
#include "engine/application/library.hpp"
#include "engine/boot/crash_report.hpp"
#include "engine/boot/eal.hpp"
#include "engine/boot/layout.hpp"
#include "engine/boot/stale_socket.hpp"
#include "engine/boot/start_refused.hpp"
#include "engine/control/event_history.hpp"
#include "engine/control/log.hpp"
#include "engine/control/telemetry.hpp"
#include "engine/control/term_file.hpp"
#include "engine/control/term_keeper.hpp"
#include "engine/journal/journals.hpp"
#include "engine/lcore/clock.hpp"
#include "engine/lcore/runner.hpp"
#include "engine/link/link_watch.hpp"
#include "engine/port/device.hpp"
#include "engine/port/port.hpp"
#include "engine/process/port_link.hpp"

namespace holdfast::engine {
namespace {

constexpr std::size_t event_history_size = 1024;
/// A stopping node waits so long for its successor.
constexpr Duration hand_over_max = milliseconds(500);
/// The lane's cores have something for the node core now and then (records), not with every frame: their work
/// wakes it only from sleeps of this length.
constexpr Duration node_core_grace = microseconds(100);

/// SIGTERM and SIGINT, blocked in this thread and in all that it starts, for the control loop to collect.
sigset_t block_stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);  // a virtio_user port writes to a socket whose other end may have died
    return set;
}

std::uint64_t random_number() {
    std::uint64_t n = 0;
    if (getrandom(&n, sizeof n, 0) != sizeof n) throw StartRefused("the kernel gives no random numbers");
    return n | 1;  // never 0
}

/// Refuses a directory for the term that could not be made or written to later on.
void check_state_dir(const std::string& wanted) {
    std::filesystem::path path = std::filesystem::absolute(wanted);
    std::error_code error;
    while (!std::filesystem::exists(path, error) && path.has_relative_path()) path = path.parent_path();
    if (!std::filesystem::is_directory(path, error))
        throw StartRefused("node.state_dir: " + path.string() + " is no directory; name one");
    if (access(path.c_str(), W_OK) != 0)
        throw StartRefused("node.state_dir: this user may not write to " + path.string() +
                           "; name another directory, or start as root");
}

/// The applications of all services, from where each service has its own. Libraries are loaded here: one that
/// does not fit starts nothing.
app::ApplicationFactory application_factory(const Config& config) {
    std::map<std::string, app::MakeApplication> loaded;
    for (const auto& s : config.services)
        if (!s.application_library.empty())
            loaded.try_emplace(s.application_library, load_application(s.application_library));
    return [loaded](const ServiceConfig& s, app::Channel& channel) {
        const auto it = loaded.find(s.application_library);
        if (it == loaded.end()) return app::make_application(s, channel);
        return std::unique_ptr<app::Application>(it->second(channel));
    };
}

/// What can be found out before EAL touches any device.
void check_machine(const Arguments& arguments, const Config& config) {
    check_pci_device(config.client.device, "client");
    check_pci_device(config.server.device, "server");
    check_pci_device(config.mirror.device, "mirror");
    check_hugepages(arguments);
    check_state_dir(config.state_dir);
}

/// The one thing that a start leaves on the machine, so it is made when everything else was found in order.
void make_state_dir(const Config& config) {
    std::error_code error;
    std::filesystem::create_directories(config.state_dir, error);
    if (error)
        throw StartRefused("node.state_dir: " + config.state_dir + " can not be made: " + error.message());
}

/// Shared memory with the process that serves a service with gate host. Its port is the application core's.
struct HostPort {
    HostPort(std::size_t number, const ServiceConfig& service, const Port::Options& options)
        : port("host" + std::to_string(number), config_of(service), options), link(port.id(), port.pool()) {}

    static PortConfig config_of(const ServiceConfig& service) {
        std::uint16_t id;
        if (rte_eth_dev_get_port_by_name(service.host.c_str(), &id) != 0)
            throw StartRefused("service " + service.name + ": host: there is no " + service.host +
                               "; give --vdev " + service.host +
                               ",role=server,id=0,socket=PATH,socket-abstract=no before --");
        PortConfig config;
        config.device = service.host;
        return config;
    }

    Port port;
    PortLink link;
};

/// The three ports of a node, and those to processes.
struct Ports {
    explicit Ports(const Config& config)
        : options{config.limits.mbufs, config.idle == IdlePolicy::interrupt},
          mirror("mirror", config.mirror, options),
          client("client", config.client, options),
          server("server", config.server, options) {
        for (const auto& service : config.services)
            if (has(service.gate, Gate::host))
                hosts.try_emplace(service.host, hosts.size(), service, host_options);
    }

    std::array<Port*, port_count> by_role() { return {&mirror, &client, &server}; }
    std::vector<Port*> all() {
        std::vector<Port*> ports{&mirror, &client, &server};
        for (auto& [device, host] : hosts) ports.push_back(&host.port);
        return ports;
    }

    /// Which they are, one line each.
    std::string describe_hosts() const {
        std::string text;
        for (const auto& [device, host] : hosts)
            text += "      port " + host.port.role() + ": " + device + " (" +
                    std::string(host.port.driver()) + ")\n";
        return text;
    }

    static constexpr Port::Options host_options{4095, false};

    Port::Options options;
    Port mirror, client, server;
    std::map<std::string, HostPort> hosts;  ///< by device
};

protocol::NodeResources resources(const Config& config, Ports& ports, const Journals& journals,
                                  app::ApplicationFactory applications, Instant now) {
    protocol::NodeResources r;
    r.config = config;
    r.name_prefix = "hf";
    r.client_pool = ports.client.pool();
    r.server_pool = ports.server.pool();
    r.mirror_pool = ports.mirror.pool();
    r.client_port = ports.client.profile();
    r.server_port = ports.server.profile();
    r.mirror_port = ports.mirror.profile();
    r.socket = ports.client.socket();
    r.boot_nonce = random_number();
    r.stored_term = load_term(config.state_dir);
    r.seed = random_number();
    r.started_at = now;
    r.make_application = std::move(applications);
    r.application_counters = [&journals](const auto& visit) { journals.for_each_counter(visit); };
    r.host_link = [&ports](const ServiceConfig& s) -> host::Link& { return ports.hosts.at(s.host).link; };
    return r;
}

/// A node with its threads. Ends before the ports do.
class Machine {
  public:
    Machine(const Config& config, Ports& ports, Journals& journals, app::ApplicationFactory applications,
            const Clock& clock)
        : config_(config),
          clock_(clock),
          journals_(journals),
          started_at_(clock.now()),
          node_(resources(config, ports, journals, std::move(applications), started_at_)),
          node_runner_("node", node_.node_core(), &ports.mirror, clock, node_options(config)),
          client_runner_("client", node_.client_core(), &ports.client, clock, lane_options(config)),
          server_runner_("server", node_.server_core(), &ports.server, clock, lane_options(config)),
          runners_{&node_runner_, &client_runner_, &server_runner_, add_application_runner(config)},
          running_(runners_.data(), runners_.back() != nullptr ? core_count : core_count - 1),
          terms_(node_, config.state_dir, [this] { node_runner_.wake(); }),
          telemetry_({node_, config.node_name, running_, events_, started_at_}) {
        for (Runner* r : running_) r->set_neighbours(running_);
        links_.watch(ports.mirror, node_runner_, [this](bool up) { node_.set_mirror_link(up); });
        links_.watch(ports.client, client_runner_, [this](bool up) { node_.set_link(Side::client, up); });
        links_.watch(ports.server, server_runner_, [this](bool up) { node_.set_link(Side::server, up); });
    }

    /// Runs the cores on `lcores` until one of `stop_signals` arrives.
    void run(const Lcores& lcores, const sigset_t& stop_signals) {
        const bool applies = running_.size() == core_count;
        const CrashReport crashes(
            node_, config_,
            applies ? static_cast<int>(lcores[static_cast<std::size_t>(CoreRole::application)]) : -1);
        for (std::size_t i = 0; i < running_.size(); ++i) {
            launches_[i] = {runners_[i], &stop_};
            rte_eal_remote_launch(run_core, &launches_[i], lcores[i]);
        }
        control_until(stop_signals);
        hand_over();
        stop_.store(true);
        for (Runner* r : running_) r->wake();
        rte_eal_mp_wait_lcore();
        collect_events();
    }

  private:
    static Runner::Options lane_options(const Config& c) {
        return {c.idle, c.idle_sleep_max, false, Duration{}, {}};
    }
    Runner::Options node_options(const Config& c) {
        const bool realtime = c.guard.realtime && c.idle != IdlePolicy::busy;
        return {c.idle, c.idle_sleep_max, realtime, node_core_grace, [this] { terms_.serve(); }};
    }

    /// nullptr where no service has an application.
    Runner* add_application_runner(const Config& config) {
        auto* core = node_.application_core();
        if (core == nullptr) return nullptr;
        return &application_runner_.emplace("application", *core, nullptr, clock_, lane_options(config));
    }

    struct Launch {
        Runner* runner;
        const std::atomic<bool>* stop;
    };
    static int run_core(void* launch) {
        static_cast<Launch*>(launch)->runner->run(*static_cast<Launch*>(launch)->stop);
        return 0;
    }

    void control_until(const sigset_t& stop_signals) {
        const timespec tick{0, static_cast<long>(link_poll_interval.ns)};
        while (sigtimedwait(&stop_signals, nullptr, &tick) < 0) {
            links_.poll(clock_.now());
            collect_events();
        }
    }

    /// Lets the standby go on at once instead of after the detection time.
    void hand_over() {
        const Instant begun = clock_.now();
        node_.resign();
        node_runner_.wake();
        while (node_.resigning() && clock_.now() - begun < hand_over_max)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        collect_events();
    }

    void collect_events() {
        Event event;
        while (node_.next_event(event)) tell(event);
        journals_.poll(clock_.now(), [this](const Event& e) { tell(e); });
    }
    void tell(const Event& event) {
        events_.add(event);
        const EventRow& row = event_rows[static_cast<std::size_t>(event.kind)];
        say("event " + std::string(row.name) + ": " + protocol::describe(event));
    }

    const Config& config_;
    const Clock& clock_;
    Journals& journals_;
    Instant started_at_;
    protocol::Node node_;
    EventHistory events_{event_history_size};
    Runner node_runner_, client_runner_, server_runner_;
    std::optional<Runner> application_runner_;
    std::array<Runner*, core_count> runners_;  ///< by CoreRole
    std::span<Runner* const> running_;
    TermKeeper terms_;
    LinkWatch links_;
    Telemetry telemetry_;
    std::array<Launch, core_count> launches_{};
    std::atomic<bool> stop_{false};
};

/// Stops the ports and says what did not come back. True when every mbuf did (R6).
bool stop_ports(Ports& ports) {
    std::string text;
    std::uint32_t leaked = 0;
    for (auto& [device, host] : ports.hosts) host.link.release();
    for (Port* port : ports.all()) {
        port->stop();
        leaked += port->leaked_mbufs();
        text += (text.empty() ? "" : ", ") + port->role() + " " + std::to_string(port->leaked_mbufs());
    }
    say("stopped; mbufs still in use: " + text);
    if (leaked != 0)
        say("a leak: " + std::to_string(leaked) + " mbufs did not come back; report it with the log");
    return leaked == 0;
}

}  // namespace

int run_node(const Arguments& arguments, const Config& config) {
    const sigset_t stop_signals = block_stop_signals();
    check_machine(arguments, config);
    auto applications = application_factory(config);
    for (const auto& path : remove_stale_sockets(arguments.eal))
        say("removed " + path + ", nobody listened there");
    const Eal eal(arguments);
    const Lcores lcores = assign_lcores(config.has_applications());
    const Clock clock;
    Ports ports(config);
    std::cerr << describe_layout(lcores, {&ports.mirror, &ports.client, &ports.server},
                                 config.has_applications())
              << ports.describe_hosts();
    if (!clock.uses_tsc()) say("no invariant TSC, the clock is CLOCK_MONOTONIC");
    if (arguments.eal_has("--no-telemetry"))
        say("telemetry is off (--no-telemetry): holdfastctl will not reach this node");
    if (arguments.print_layout) return 0;
    make_state_dir(config);
    Journals journals(config, random_number());
    {
        const PreferNumaNode memory(ports.client.socket());
        for (Port* port : ports.all()) port->start();
        Machine machine(config, ports, journals, journals.factory(std::move(applications)), clock);
        say("node " + config.node_name + " runs, detection time " +
            std::to_string((config.guard.lease + config.guard.lease_margin).to_ms()) + " ms");
        machine.run(lcores, stop_signals);
    }
    return stop_ports(ports) ? 0 : 1;
}

}  // namespace holdfast::engine
