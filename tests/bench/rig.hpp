// One active node between a host of clients and a host of servers, all in this process and in virtual time.
// The node's cores are driven like the engine's threads drive them, burst in, timers, bursts out, on real
// DPDK ports.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "cores/protocol/node.hpp"
#include "tests/bench/host.hpp"
#include "tests/bench/port_pair.hpp"

namespace holdfast::bench {

struct RigOptions {
    PortKind ports = PortKind::ring;
    bool offload = true;           ///< the ports verify and fill in checksums
    std::uint32_t sessions = 256;  ///< most that will be opened
    std::uint32_t slots = 1024;    ///< limits.sessions
    std::uint32_t mbufs = 8191;    ///< of each pool
    Gate gate = Gate::peer;
    unsigned node_id = 0;  ///< 1 is the standby of 0
};

class PoolHandle {
  public:
    PoolHandle(const std::string& name, std::uint32_t mbufs);
    ~PoolHandle() { rte_mempool_free(pool_); }
    PoolHandle(const PoolHandle&) = delete;
    PoolHandle& operator=(const PoolHandle&) = delete;
    rte_mempool* get() const { return pool_; }

  private:
    rte_mempool* pool_;
};

class Rig {
  public:
    /// `name` is unique in the process. Throws std::runtime_error.
    Rig(const std::string& name, const RigOptions& options);
    ~Rig();

    /// Runs until the node, which has no peer, is active. Throws std::runtime_error when it does not become
    /// so.
    void wait_active();
    /// Lays the mirror link between two nodes; from then on both must be driven in turn.
    static void connect(Rig& a, Rig& b);

    /// One duty cycle of a core on its port: what a figure consists of.
    void cycle(Side side);
    /// Everything that is not measured: the node core and one cycle of the others, after `pause`.
    void idle(Duration pause = {});
    /// Runs node and hosts until nothing moves any more.
    void settle();
    /// Opens sessions until `count` are established on both legs. Throws std::runtime_error when some do not
    /// open.
    void open(std::uint32_t count);

    Host& host(Side side) { return side == Side::client ? clients_ : servers_; }
    const protocol::Node& node() const { return *node_; }

  private:
    static Config config(const RigOptions& options);
    protocol::NodeResources resources(const std::string& name, const RigOptions& options);
    protocol::Core& core(Side side) {
        return side == Side::client ? node_->client_core() : node_->server_core();
    }
    void run_node_core();

    RigOptions options_;
    PoolHandle client_pool_, server_pool_, mirror_pool_, host_pool_;
    PortPair client_ports_, server_ports_;
    Host clients_, servers_;
    Rig* peer_ = nullptr;
    std::vector<rte_mbuf*> mirror_in_;
    Instant now_{1'000'000'000};
    std::unique_ptr<protocol::Node> node_;
};

}  // namespace holdfast::bench
