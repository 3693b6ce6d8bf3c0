#include "tests/threads/threaded_node.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>

namespace holdfast::threads {
namespace {

constexpr std::size_t burst_size = 32, node_core = 2;
constexpr unsigned tx_bursts_max = 8, counting_interval = 64;
constexpr auto nap = std::chrono::microseconds(50);
constexpr const char* thread_names[sim::core_count] = {"client core", "server core", "node core",
                                                       "applications"};

}  // namespace

Instant clock_now() {
    const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(since_boot).count()};
}

ThreadedNode::ThreadedNode(const sim::MachineOptions& options, bool plant_race)
    : options_(options), plant_race_(plant_race) {
    for (std::size_t i = 0; i < sim::port_count; ++i)
        ports_[i] = std::make_unique<FramePort>(options_.ports[i]);
}

ThreadedNode::~ThreadedNode() {
    if (alive()) kill();
}

protocol::NodeResources ThreadedNode::resources() {
    protocol::NodeResources r;
    r.config = options_.config;
    r.name_prefix = "t" + options_.name + std::to_string(lives_) + "_";
    r.client_pool = ports_[0]->pool();
    r.server_pool = ports_[1]->pool();
    r.mirror_pool = ports_[2]->pool();
    r.client_port = options_.ports[0].profile;
    r.server_port = options_.ports[1].profile;
    r.mirror_port = options_.ports[2].profile;
    r.boot_nonce = static_cast<std::uint64_t>(clock_now().ns) | 1;
    r.stored_term = stored_term_;
    r.seed = r.boot_nonce;
    r.started_at = clock_now();
    return r;
}

void ThreadedNode::start() {
    ++lives_;
    for (std::size_t i = 0; i < sim::port_count; ++i)
        ports_[i]->open("thr_" + options_.name + sim::port_names[i] + std::to_string(lives_));
    node_ = std::make_unique<protocol::Node>(resources());
    stop_.store(false);
    const auto cores = node_->application_core() != nullptr ? sim::core_count : sim::port_count;
    for (std::size_t i = 0; i < cores; ++i) threads_[i] = std::thread([this, i] { run(i); });
}

std::uint32_t ThreadedNode::kill() {
    stop_.store(true);
    for (auto& thread : threads_)
        if (thread.joinable()) thread.join();
    node_.reset();
    for (auto& port : ports_) port->stop();
    std::uint32_t missing = 0;
    for (auto& port : ports_) missing += port->close();
    return missing;
}

protocol::Core& ThreadedNode::core(std::size_t i) {
    switch (i) {
        case 0: return node_->client_core();
        case 1: return node_->server_core();
        case node_core: return node_->node_core();
        default: return *node_->application_core();
    }
}

void ThreadedNode::run(std::size_t i) {
    pthread_setname_np(pthread_self(), thread_names[i]);
    auto& mine = core(i);
    while (!stop_.load(std::memory_order_relaxed)) {
        const auto work = cycle(mine, i);
        if (cycles_.fetch_add(1, std::memory_order_relaxed) % counting_interval == 0) mine.held_mbufs();
        if (plant_race_) ++planted_;
        if (work == 0 && mine.next_deadline() > clock_now()) std::this_thread::sleep_for(nap);
    }
}

/// One duty cycle, in the order of engine/lcore.
std::uint32_t ThreadedNode::cycle(protocol::Core& core, std::size_t i) {
    const Instant now = clock_now();
    if (i >= sim::port_count) return core.advance(now);
    std::array<rte_mbuf*, burst_size> burst;
    std::uint32_t work = ports_[i]->receive(burst);
    if (work > 0) core.receive({burst.data(), work}, now);
    work += core.advance(now);
    if (i == node_core) persist_term();
    return work + transmit(core, i);
}

std::uint32_t ThreadedNode::transmit(protocol::Core& core, std::size_t i) {
    std::array<rte_mbuf*, burst_size> burst;
    std::uint32_t work = 0;
    for (unsigned k = 0; k < tx_bursts_max; ++k) {
        const auto n = core.transmit(burst, clock_now());
        ports_[i]->transmit({burst.data(), n});
        work += n;
        if (n < burst.size()) break;
    }
    return work;
}

void ThreadedNode::persist_term() {
    const auto term = node_->term_to_persist();
    if (!term) return;
    stored_term_ = *term;
    node_->term_persisted(*term);
}

void ThreadedNode::look() {
    node_->status();
    for (std::uint32_t slot = 0; slot < node_->session_slots(); ++slot) node_->session(slot);
    node_->for_each_counter([](const protocol::CounterView&) {});
    for (Event event; node_->next_event(event);) {
    }
    node_->set_link(Side::client, true);
    node_->set_link(Side::server, true);
    node_->set_mirror_link(true);
}

}  // namespace holdfast::threads
