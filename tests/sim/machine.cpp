#include "tests/sim/machine.hpp"

#include <algorithm>

namespace holdfast::sim {
namespace {
constexpr std::size_t burst_size = 32;
constexpr std::size_t node_core = 2, application_core = 3;
constexpr Duration restless_step = microseconds(20);
/// Even a core that polls takes its time: two that wait for each other must not stop the clock.
constexpr Duration shortest_cycle = nanoseconds(500);
constexpr unsigned restless_limit = 2000;

std::string core_name(std::size_t i) { return i < port_count ? port_names[i] : "application"; }
}  // namespace

Machine::Machine(Scheduler& scheduler, Journal& journal, MachineObserver& observer, std::uint64_t seed,
                 const MachineOptions& options)
    : scheduler_(scheduler), journal_(journal), observer_(observer), random_(seed), options_(options) {
    for (std::size_t i = 0; i < port_count; ++i)
        nics_[i] = std::make_unique<Nic>(journal_, "sim_" + options_.name + port_names[i] + "_",
                                         options_.ports[i], [this, i] { wake_core_soon(i); });
}

protocol::NodeResources Machine::resources() {
    protocol::NodeResources r;
    r.config = options_.config;
    r.name_prefix = "s" + options_.name + std::to_string(life_ % 10'000) + "_";
    r.client_pool = nics_[0]->pool();
    r.server_pool = nics_[1]->pool();
    r.mirror_pool = nics_[2]->pool();
    r.client_port = options_.ports[0].profile;
    r.server_port = options_.ports[1].profile;
    r.mirror_port = options_.ports[2].profile;
    r.boot_nonce = random_.next() | 1;
    r.stored_term = stored_term_;
    r.seed = random_.next();
    r.started_at = clock();
    if (options_.application)
        r.make_application = [this](const ServiceConfig&, app::Channel& channel) {
            return options_.application(life_, channel);
        };
    r.host_link = options_.host_link;
    return r;
}

Machine::~Machine() {
    node_.reset();
    for (auto& nic : nics_) nic->stop();
}

void Machine::start() {
    ++life_;
    for (auto& nic : nics_) nic->start();
    node_ = std::make_unique<protocol::Node>(resources());
    threads_ = {};
    born_at_ = scheduler_.now();
    persisting_ = false;
    paused_until_ = idle_until_ = starved_until_ = {};
    doomed_core_.reset();
    for (std::size_t i = 0; i < cores(); ++i) wake_core_soon(i);
    if (journal_.verbose()) journal_.print("node " + name() + " starts");
}

void Machine::kill() {
    take_events();
    if (journal_.verbose()) {
        print_counters();
        journal_.print("node " + name() + " dies");
    }
    observer_.machine_dies(*this);
    node_.reset();
    ++life_;
    for (auto& nic : nics_) nic->stop();
    for (auto& nic : nics_) nic->release_memory();
}

void Machine::pause(Instant until) {
    paused_until_ = idle_until_ = until;
    if (journal_.verbose())
        journal_.print("node " + name() + " is paused until " +
                       std::to_string(static_cast<double>(until.ns) / 1e9));
}

void Machine::stall(std::size_t core, Instant until) {
    threads_[core].stalled_until = idle_until_ = until;
    if (journal_.verbose()) journal_.print("node " + name() + ": core " + core_name(core) + " stalls");
}

void Machine::wake_applications() {
    if (alive()) wake_core_soon(application_core);
}

void Machine::link_changed(std::size_t port, bool up) {
    if (!alive() || !options_.notices_links) return;
    if (port == node_core) node_->set_mirror_link(up);
    else node_->set_link(port == 0 ? Side::client : Side::server, up);
}

Instant Machine::to_clock(Instant t) const {
    return t + options_.clock_offset + nanoseconds(t.ns / 1'000'000 * options_.clock_drift);
}

Instant Machine::from_clock(Instant t) const {
    if (t.is_never()) return t;
    const std::int64_t elapsed = (t - options_.clock_offset).ns;
    Instant guess{elapsed - elapsed / 1'000'000 * options_.clock_drift};
    while (to_clock(guess) < t) guess = guess + microseconds(1);
    return guess;
}

protocol::Core& Machine::core(std::size_t i) {
    switch (i) {
        case 0: return node_->client_core();
        case 1: return node_->server_core();
        case node_core: return node_->node_core();
        default: return *node_->application_core();
    }
}

std::uint64_t Machine::make_token(Token kind, std::uint64_t argument) const {
    return life_ << 48 | static_cast<std::uint64_t>(kind) << 40 | argument;
}

void Machine::wake_core(std::size_t core, Instant at) {
    at = later(at, scheduler_.now());
    if (at >= threads_[core].next) return;
    threads_[core].next = at;
    scheduler_.at(at, *this, make_token(Token::cycle, core));
}

void Machine::wake_core_soon(std::size_t core) {
    wake_core(core, scheduler_.now() + nanoseconds(random_.between(
                                           shortest_cycle.ns, (options_.cycle_delay + shortest_cycle).ns)));
}

void Machine::wake_others(std::size_t core) {
    for (std::size_t other = 0; other < cores(); ++other)
        if (other != core) wake_core_soon(other);
}

Instant Machine::runnable_at(std::size_t core) const {
    return later(paused_until_, threads_[core].stalled_until);
}

void Machine::wake(std::uint64_t token, const Frame&) {
    if (token >> 48 != life_ || !alive()) return;
    const auto argument = token & ((std::uint64_t{1} << 40) - 1);
    if (static_cast<Token>(token >> 40 & 0xff) == Token::persist) return persist(argument);
    Thread& thread = threads_[argument];
    if (thread.next != scheduler_.now()) return;  // woken earlier in the meantime
    thread.next = Instant::never();
    if (runnable_at(argument) > scheduler_.now()) {
        wake_core(argument, runnable_at(argument) + nanoseconds(random_.between(0, options_.cycle_delay.ns)));
        return;
    }
    cycle(argument);
}

/// One duty cycle. Now and then a core loses its CPU between its work and its transmit burst.
void Machine::cycle(std::size_t i) {
    Thread& thread = threads_[i];
    if (i == application_core) return rest(i, core(i).advance(clock()) > 0, false);
    starve(i);
    std::uint32_t done = thread.between ? 1 : work(i);
    if (!thread.between && random_.below(8) == 0) {
        thread.between = true;
        return wake_core_soon(i);
    }
    thread.between = false;
    if (port_refuses(i)) {
        // The core's work is not in vain for the others; itself it waits for the port.
        if (done > 0) wake_others(i);
        return wake_core(i, thread.refused_until);
    }
    done += send(i);
    if (!alive()) return;
    rest(i, done > 0, nics_[i]->has_received());
}

void Machine::starve(std::size_t i) {
    if (starved_until_ > scheduler_.now()) nics_[i]->hoard();
    else nics_[i]->give_back();
}

std::uint32_t Machine::work(std::size_t i) {
    std::array<rte_mbuf*, burst_size> burst;
    const Instant now = clock();
    const auto n = nics_[i]->receive(burst, [&](const Bytes& f) { observer_.machine_receives(*this, i, f); });
    if (n > 0) core(i).receive({burst.data(), n}, now);
    const auto done = core(i).advance(now);
    if (i == node_core) ask_for_term();
    return n + done;
}

/// The port's descriptors are used up now and then: frames wait in the core's queues meanwhile.
bool Machine::port_refuses(std::size_t i) {
    const auto& options = options_.ports[i];
    auto& until = threads_[i].refused_until;
    if (until > scheduler_.now()) return true;
    if (options.refusals == 0 || random_.below(1'000'000) >= options.refusals) return false;
    until = scheduler_.now() + nanoseconds(random_.between(1, options.refuses_for.ns));
    return true;
}

std::uint32_t Machine::send(std::size_t i) {
    std::array<rte_mbuf*, burst_size> out;
    std::uint32_t sent = 0;
    for (;;) {
        const auto n = core(i).transmit(out, clock());
        auto survivors = n;
        if (n > 0 && doomed_core_ == i) survivors = static_cast<std::uint32_t>(random_.below(n + 1));
        for (std::uint32_t k = 0; k < n; ++k) {
            if (k >= survivors) {
                rte_pktmbuf_free(out[k]);
                continue;
            }
            if (const auto frame = nics_[i]->transmit(out[k])) observer_.machine_sends(*this, i, *frame);
        }
        sent += n;
        if (n > 0 && doomed_core_ == i) {
            kill();
            return sent;
        }
        if (n < out.size()) return sent;
    }
}

/// After work the others may have something to do; without work the core sleeps until its deadline.
void Machine::rest(std::size_t i, bool worked, bool has_more) {
    if (worked || has_more) {
        threads_[i].restless = 0;
        wake_core_soon(i);
        wake_others(i);
        return;
    }
    const Instant deadline = from_clock(core(i).next_deadline());
    if (deadline.is_never()) return;
    if (deadline > scheduler_.now()) {
        threads_[i].restless = 0;
        return wake_core(i, deadline);
    }
    if (++threads_[i].restless > restless_limit)
        journal_.violate("deadline", "node " + name() + ": core " + core_name(i) + " is never satisfied");
    wake_core(i, scheduler_.now() + restless_step);
}

void Machine::ask_for_term() {
    const auto term = node_->term_to_persist();
    if (!term || persisting_) return;
    persisting_ = true;
    scheduler_.at(scheduler_.now() + nanoseconds(random_.between(0, options_.store_delay.ns)), *this,
                  make_token(Token::persist, *term));
}

void Machine::persist(std::uint64_t term) {
    if (runnable_at(node_core) > scheduler_.now()) {
        scheduler_.at(runnable_at(node_core), *this, make_token(Token::persist, term));
        return;
    }
    persisting_ = false;
    stored_term_ = term;
    node_->term_persisted(term);
    wake_core_soon(node_core);
}

std::uint64_t Machine::held_mbufs() {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < cores(); ++i) sum += core(i).held_mbufs();
    return sum;
}

std::uint64_t Machine::mbufs_in_use() const {
    std::uint64_t sum = 0;
    for (const auto& nic : nics_) sum += nic->mbufs_in_use();
    for (const auto& nic : nics_) sum -= nic->parked();
    return sum;
}

void Machine::take_events() {
    Event event;
    while (alive() && node_->next_event(event)) {
        unsure_ = unsure_ || (event.kind == EventKind::resumed && event.b != 0);
        if (!journal_.verbose()) continue;
        const auto& row = event_rows[static_cast<std::size_t>(event.kind)];
        journal_.print("node " + name() + " event " + std::string(row.name) +
                       " a=" + std::to_string(event.a) + " b=" + std::to_string(event.b));
    }
}

void Machine::count_refusals(Coverage& coverage) const {
    node_->for_each_counter(
        [&](const protocol::CounterView& c) { coverage.count_refusals(c.name, c.value); });
}

void Machine::print_counters() const {
    node_->for_each_counter([this](const protocol::CounterView& c) {
        if (c.value != 0)
            journal_.print("node " + name() + " counter " + std::string(c.module) + "." +
                           std::string(c.name) + " " + std::to_string(c.value));
    });
}

}  // namespace holdfast::sim
