// A node whose cores run in a thread each, as under engine/.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "cores/protocol/node.hpp"
#include "tests/sim/machine.hpp"
#include "tests/threads/frame_port.hpp"

namespace holdfast::threads {

/// The clock that everybody reads: monotonic, never 0.
Instant clock_now();

class ThreadedNode {
  public:
    /// `plant_race`: the cores' threads write a plain variable that planted() reads.
    ThreadedNode(const sim::MachineOptions& options, bool plant_race);
    ~ThreadedNode();

    FramePort& port(std::size_t i) { return *ports_[i]; }
    const std::string& name() const { return options_.name; }

    void start();
    /// Its threads end between two cycles and the node is gone, with every frame in its queues. Returns how
    /// many mbufs are missing then (R6).
    std::uint32_t kill();

    bool alive() const { return node_ != nullptr; }
    protocol::Node& node() { return *node_; }
    /// Reads all that other threads may read while the cores run: what telemetry and the link watch do.
    void look();
    std::uint64_t planted() const { return planted_; }
    /// Duty cycles of all cores in all lives.
    std::uint64_t cycles() const { return cycles_.load(std::memory_order_relaxed); }

  private:
    void run(std::size_t core);
    std::uint32_t cycle(protocol::Core& core, std::size_t i);
    std::uint32_t transmit(protocol::Core& core, std::size_t i);
    void persist_term();
    protocol::Core& core(std::size_t i);
    protocol::NodeResources resources();

    sim::MachineOptions options_;
    bool plant_race_;
    std::array<std::unique_ptr<FramePort>, sim::port_count> ports_;
    std::unique_ptr<protocol::Node> node_;
    std::array<std::thread, sim::core_count> threads_;  ///< the last one has no port
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> cycles_{0};
    std::uint64_t stored_term_ = 0;  ///< the node core's thread, and nobody else while it runs
    std::uint64_t planted_ = 0;
    unsigned lives_ = 0;
};

}  // namespace holdfast::threads
