#include "tests/sim/pair.hpp"

namespace holdfast::sim {
namespace {

constexpr std::uint64_t event_limit = 20'000'000;

}  // namespace

Pair::Pair(const Site& site, bool verbose)
    : journal_(verbose),
      client_(scheduler_, journal_, *this, "client", {{2, 0, 0, 0, 0, 1}}, site.client_host()),
      server_(scheduler_, journal_, *this, "server", {{2, 0, 0, 0, 0, 2}}, site.server_host()),
      client_switch_(scheduler_),
      server_switch_(scheduler_),
      speaker_checker_(journal_, site) {}

void Pair::attach_machines(const Options& options, Random& random) {
    for (std::size_t i = 0; i < 2; ++i)
        machines_[i] =
            std::make_unique<Machine>(scheduler_, journal_, *this, random.next(), options.machines[i]);
    Switch* switches[] = {&client_switch_, &server_switch_};
    for (auto& machine : machines_)
        for (std::size_t port = 0; port < 2; ++port) {
            auto& nic = machine->nic(port);
            nic.attach(*switches[port]
                            ->attach(nic, random.next(), options.node_access[0], options.node_access[1])
                            .from_station);
        }
    for (std::size_t i = 0; i < 2; ++i) {
        mirror_wires_[i] = std::make_unique<Wire>(scheduler_, random.next(), options.mirror_access[i],
                                                  machines_[1 - i]->nic(2));
        machines_[i]->nic(2).attach(*mirror_wires_[i]);
    }
}

Switch::Attachment Pair::attach_host(Host& host, Switch& to, std::uint64_t seed,
                                     const WireOptions (&access)[2]) {
    const auto wires = to.attach(host, seed, access[0], access[1]);
    host.attach(*wires.from_station);
    return wires;
}

bool Pair::run_until(const std::function<bool()>& done, Duration limit, const char* phase) {
    const Instant end = scheduler_.now() + limit;
    while (!journal_.failed() && !done()) {
        if (scheduler_.now() > end || !scheduler_.step() || scheduler_.events() > event_limit)
            journal_.violate("liveness", std::string(phase) + " does not end:" + unsettled());
        journal_.set_now(scheduler_.now());
        after_event();
    }
    return !journal_.failed();
}

bool Pair::pair_ready() const {
    for (std::size_t i = 0; i < 2; ++i)
        if (machines_[i]->is_active() && machines_[1 - i]->is_ready()) return true;
    return false;
}

bool Pair::is_empty(Machine& machine) {
    return machine.status().sessions == 0 && machine.held_mbufs() == 0 && machine.mbufs_in_use() == 0;
}

std::string Pair::describe_nodes() const {
    std::string text;
    for (const auto& machine : machines_) {
        text += " node " + machine->name();
        if (!machine->alive()) {
            text += " dead";
            continue;
        }
        const auto s = machine->status();
        text += " " + std::string(s.role) + " " + std::string(s.state) + " mirror " +
                std::string(s.mirror_state) + " sessions " + std::to_string(s.sessions) + " held " +
                std::to_string(machine->held_mbufs()) + " in use " + std::to_string(machine->mbufs_in_use());
        for (std::uint32_t slot = 0; slot < machine->node().session_slots(); ++slot)
            if (const auto row = machine->node().session(slot))
                text += " (" + row->client.to_string() + " " + std::string(row->mode) + ", " +
                        std::string(row->protection) + ")";
    }
    return text;
}

void Pair::conclude(Outcome& outcome) const {
    outcome.rule = journal_.rule();
    outcome.text = journal_.text();
    outcome.hash = journal_.hash();
    outcome.events = scheduler_.events();
    outcome.lasted = scheduler_.now() - Instant{};
}

void Pair::machine_sends(Machine& machine, std::size_t port, const Bytes& frame) {
    journal_.note(0xd00d + port, frame);
    if (port == 2) return;
    if (speaker_checker_.node_sends(machine, port, frame)) speaker_changed(machine);
    if (speaker_checker_.speaker() == &machine) last_speech_ = scheduler_.now();
    std::string fault;
    const auto segment = read_segment(frame, fault);
    if (!fault.empty())
        return journal_.violate("frame", "node " + machine.name() + " sends a frame with " + fault);
    if (segment) node_sends(machine, port == 0 ? Side::client : Side::server, *segment);
}

}  // namespace holdfast::sim
