// A simulated port of a node: a receive queue, a pool, a wire, and a driver that gives sent mbufs back late,
// as real ones do.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cores/protocol/core.hpp"
#include "tests/sim/journal.hpp"
#include "tests/sim/network.hpp"

namespace holdfast::sim {

struct NicOptions {
    protocol::PortProfile profile;
    std::uint32_t mbufs = 2048;         ///< size of the pool
    std::uint32_t receive_queue = 256;  ///< frames; beyond it the tail is dropped
    std::uint32_t parked = 0;           ///< sent mbufs that the driver keeps before it frees the oldest
    std::uint32_t refusals = 0;         ///< per million bursts: the port takes nothing for a while
    Duration refuses_for{};             ///< at most so long
    MacAddress virtual_mac;             ///< accepted besides the port's own
    std::uint16_t vlan = 0;             ///< the wire's other end takes and gives tagged frames; 0 = none
    bool vlan_stripped = false;         ///< the driver takes the tag out of received frames
};

class Nic : public FrameSink {
  public:
    /// `woken` is called when a frame has been queued.
    Nic(Journal& journal, std::string name, const NicOptions& options, std::function<void()> woken);
    ~Nic();
    Nic(const Nic&) = delete;
    Nic& operator=(const Nic&) = delete;

    void attach(Wire& out) { out_ = &out; }
    /// Memory for one life of the node.
    void start();
    /// Drops everything queued and parked; a port may hold mbufs of another port's pool.
    void stop();
    /// Checks that the pool is whole again (R6) and gives its memory back. All ports have stopped.
    void release_memory();

    void frame_arrives(const Frame& frame) override;
    /// Up to out.size() received frames as mbufs, each shown to `seen`; what finds no mbuf is dropped.
    std::uint32_t receive(std::span<rte_mbuf*> out, const std::function<void(const Bytes&)>& seen);
    /// Puts a frame of the node on the wire and takes its mbuf. Returns the bytes as they left.
    Frame transmit(rte_mbuf* m);
    /// Frees what the driver has parked, as a port does when asked or stopped.
    void reap() {
        while (!parked_.empty()) release();
    }

    /// Leaves no free mbuf in the pool, as if somebody else held them all.
    void hoard();
    void give_back();

    bool has_received() const { return !queue_.empty(); }
    const NicOptions& options() const { return options_; }
    rte_mempool* pool() const { return pool_; }
    /// Of its pool, wherever they are but in the hoard.
    std::uint64_t mbufs_in_use() const { return rte_mempool_in_use_count(pool_) - hoard_.size(); }
    /// Sent and not given back, of whatever pool.
    std::uint64_t parked() const { return parked_.size(); }
    std::uint64_t dropped() const { return dropped_; }

  private:
    struct Parked {
        rte_mbuf* mbuf;
        std::uint64_t hash;
    };
    bool check(const rte_mbuf* m);
    static std::uint64_t content_hash(const rte_mbuf* m);
    void release();
    bool take_tag(Bytes& bytes);
    void fill(rte_mbuf* m, const Bytes& bytes) const;
    std::size_t link_size() const;
    void finish_checksums(const rte_mbuf* m, Bytes& bytes);

    Journal& journal_;
    std::string name_;
    NicOptions options_;
    std::function<void()> woken_;
    Wire* out_ = nullptr;
    rte_mempool* pool_ = nullptr;
    unsigned lives_ = 0;
    std::deque<Frame> queue_;
    std::deque<Parked> parked_;
    std::vector<rte_mbuf*> hoard_;
    std::uint64_t dropped_ = 0;
};

}  // namespace holdfast::sim
