#include "tests/threads/world.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace holdfast::threads {
namespace {

constexpr Duration boot_limit = seconds(20), session_limit = seconds(10), carry_limit = seconds(30),
                   takeover_limit = seconds(15), finish_limit = seconds(40), look_interval = milliseconds(5);
constexpr std::uint64_t seed = 7;
constexpr std::uint16_t first_port = 8000;
constexpr sim::Talk talks[] = {sim::Talk::bulk,        sim::Talk::bulk,       sim::Talk::requests,
                               sim::Talk::slow_reader, sim::Talk::half_close, sim::Talk::simultaneous_close};

constexpr std::size_t echoes = 2;  ///< sessions with the application echo, after those with the server
constexpr auto echo_port = static_cast<std::uint16_t>(first_port + std::size(talks));

/// Small rings, so that they refuse; a slow guard, since TSan slows everything and the CPUs may be shared.
sim::MachineOptions machine_options(unsigned number, bool alone) {
    auto m = sim::plain_options(seed).machines[number];
    auto& c = m.config;
    c.limits.ring = 8;
    c.limits.sessions = 16;
    c.guard.heartbeat = milliseconds(50);
    // An active whose lease lapses for want of CPU may have been replaced: its sessions with applications
    // end, as they should, and this test would wait for them.
    c.guard.lease = milliseconds(1500);
    c.guard.lease_margin = milliseconds(200);
    c.guard.boot_wait = milliseconds(3500);
    c.mirror_link.store_wait = seconds(5);
    c.services.clear();
    for (std::uint16_t i = 0; i < std::size(talks); ++i) {
        const auto port = static_cast<std::uint16_t>(first_port + i);
        ServiceConfig service;
        service.name = "service" + std::to_string(i);
        service.address = {sim::Site{}.virtual_address().address, port};
        service.backends = {{sim::Site{}.server_host(), port}};
        c.services.push_back(service);
    }
    ServiceConfig echo;
    echo.name = "echo";
    echo.address = {sim::Site{}.virtual_address().address, echo_port};
    echo.gate = Gate::app | Gate::standby;
    echo.application = ApplicationKind::echo;
    echo.degrade = alone;
    c.services.push_back(echo);
    for (auto& port : m.ports) {
        port.parked = 16;
        port.profile.multi_segs = number == 0;
    }
    return m;
}

bool is_established(const sim::Talker& talker) {
    const auto state = talker.socket().state();
    return state != sim::State::syn_sent && state != sim::State::syn_received;
}

}  // namespace

World::World(std::size_t nodes, bool plant_race)
    : client_(scheduler_, journal_, observer_, "client", {{2, 0, 0, 0, 0, 1}}, sim::Site{}.client_host()),
      server_(scheduler_, journal_, observer_, "server", {{2, 0, 0, 0, 0, 2}}, sim::Site{}.server_host()),
      client_switch_(scheduler_),
      server_switch_(scheduler_) {
    attach(client_, client_switch_);
    attach(server_, server_switch_);
    for (unsigned i = 0; i < nodes; ++i)
        attach(
            *nodes_.emplace_back(std::make_unique<ThreadedNode>(machine_options(i, nodes == 1), plant_race)));
    // The mirror link; without a peer it ends nowhere.
    for (std::size_t i = 0; i < nodes; ++i) {
        sim::FrameSink& to = nodes == 2 ? static_cast<sim::FrameSink&>(nodes_[1 - i]->port(2)) : nowhere_;
        auto& wire = *mirror_wires_.emplace_back(
            std::make_unique<sim::Wire>(scheduler_, seed + i, sim::WireOptions{}, to));
        nodes_[i]->port(2).attach(wire);
    }
    plan_sessions();
}

World::~World() = default;

void World::attach(sim::Host& host, sim::Switch& to) {
    host.attach(*to.attach(host, seed, {}, {}).from_station);
}

void World::attach(ThreadedNode& node) {
    sim::Switch* switches[] = {&client_switch_, &server_switch_};
    for (std::size_t i = 0; i < 2; ++i)
        node.port(i).attach(*switches[i]->attach(node.port(i), seed, {}, {}).from_station);
}

void World::plan_sessions() {
    sim::ConversationLimits limits;
    limits.bytes = 800'000;
    limits.longest_pause = milliseconds(300);
    for (unsigned i = 0; i < std::size(talks); ++i) {
        conversations_.push_back(sim::draw_conversation(seed, i, talks[i], limits));
        server_.listen(static_cast<std::uint16_t>(first_port + i),
                       [plan = conversations_.back().server](const Endpoint&) { return plan; });
    }
    for (unsigned i = 0; i < echoes; ++i) plan_echo(static_cast<unsigned>(std::size(talks)) + i);
}

/// The client hears what it says.
void World::plan_echo(unsigned number) {
    using Kind = sim::Step::Kind;
    auto& c = conversations_.emplace_back(sim::draw_conversation(seed, number, sim::Talk::upload, {}));
    auto& plan = c.client;
    plan.script = {};
    constexpr std::uint64_t message = 9000;
    for (std::uint64_t said = message; said <= 20 * message; said += message) {
        plan.script.steps.push_back({Kind::write, message, {}});
        plan.script.steps.push_back({Kind::await, said, {}});
        plan.script.steps.push_back({Kind::sleep, 0, milliseconds(20)});
    }
    plan.script.steps.push_back({Kind::shutdown, 0, {}});
    plan.script.steps.push_back({Kind::await_end, 0, {}});
    plan.expected = plan.script.bytes();
    plan.in = plan.out;
    c.server.expected = 0;
}

/// Lets the network and the hosts do what is due.
void World::turn() {
    const Instant now = clock_now();
    journal_.set_now(now);
    scheduler_.at(now, *this, 0);  // brings virtual time up to real time
    while (scheduler_.next() <= now) scheduler_.step();
    std::uint32_t work = 0;
    for (auto& node : nodes_)
        for (std::size_t i = 0; i < sim::port_count; ++i) work += node->port(i).deliver();
    frames_ += work;
    if (now - looked_at_ > look_interval) {
        looked_at_ = now;
        for (auto& node : nodes_)
            if (node->alive()) node->look();
    }
    if (work == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
}

void World::wait(const std::string& what, Duration limit, const std::function<bool()>& done) {
    const Instant end = clock_now() + limit;
    while (!journal_.failed() && !done()) {
        turn();
        if (clock_now() > end)
            journal_.violate("liveness", what + " took longer than " + std::to_string(limit.to_ms()) + " ms");
    }
}

ThreadedNode* World::active() {
    for (auto& node : nodes_)
        if (node->alive() && node->node().status().role == "active") return node.get();
    return nullptr;
}

bool World::ready() {
    auto* speaker = active();
    if (speaker == nullptr) return false;
    return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
        return node.get() == speaker || (node->alive() && node->node().status().state == "ready");
    });
}

void World::wait_ready() {
    wait("boot", boot_limit, [this] { return ready(); });
}

void World::boot() {
    for (auto& node : nodes_) node->start();
    wait_ready();
}

void World::open_sessions() {
    for (std::uint16_t i = 0; i < conversations_.size(); ++i) {
        const auto& c = conversations_[i];
        const bool echo = i >= std::size(talks);
        const Endpoint service{sim::Site{}.virtual_address().address,
                               echo ? echo_port : static_cast<std::uint16_t>(first_port + i)};
        const auto& talker = client_.connect(c.client_port, service, c.client);
        wait("session " + std::to_string(i), session_limit, [&] {
            return is_established(talker) && (echo || (server_.talkers().size() == i + 1u &&
                                                       is_established(*server_.talkers().back())));
        });
    }
}

std::uint64_t World::bytes_arrived() const {
    std::uint64_t sum = 0;
    for (const auto* host : {&client_, &server_})
        for (const auto& talker : host->talkers()) sum += talker->socket().received();
    return sum;
}

std::uint64_t World::bytes_planned() const {
    std::uint64_t sum = 0;
    for (const auto& c : conversations_) sum += c.client.expected + c.server.expected;
    return sum;
}

void World::carry(unsigned percent) {
    wait("carrying " + std::to_string(percent) + " % of the bytes", carry_limit,
         [&] { return bytes_arrived() * 100 >= bytes_planned() * percent; });
}

void World::kill(ThreadedNode& node) {
    if (const auto missing = node.kill(); missing != 0)
        journal_.violate("R6", "node " + node.name() + ": " + std::to_string(missing) + " mbufs missing");
}

void World::kill_active() {
    auto* victim = active();
    if (victim == nullptr) return journal_.violate("liveness", "no node is active");
    kill(*victim);
    ++kills_;
    wait("takeover", takeover_limit, [this] { return active() != nullptr; });
    victim->start();
}

void World::finish() {
    wait("the end of all sessions", finish_limit, [this] {
        return std::all_of(client_.talkers().begin(), client_.talkers().end(),
                           [](const auto& t) { return t->complete(); }) &&
               std::all_of(server_.talkers().begin(), server_.talkers().end(),
                           [](const auto& t) { return t->complete(); });
    });
    if (bytes_arrived() != bytes_planned()) journal_.violate("R3", "bytes are missing");
}

void World::forget() {
    wait("forgetting all sessions", finish_limit, [this] {
        auto* speaker = active();
        return speaker != nullptr && speaker->node().status().sessions == 0;
    });
}

void World::stop() {
    for (auto& node : nodes_)
        if (node->alive()) kill(*node);
}

std::string World::summary() const {
    std::uint64_t cycles = 0;
    for (const auto& node : nodes_) cycles += node->cycles();
    return std::to_string(conversations_.size()) + " sessions, " + std::to_string(bytes_arrived()) + " of " +
           std::to_string(bytes_planned()) + " bytes, " + std::to_string(frames_) + " frames, " +
           std::to_string(cycles) + " cycles, " + std::to_string(kills_) + " kills";
}

}  // namespace holdfast::threads
