// The port of a core that has a thread of its own: frames pass to and from the network's thread as copied
// bytes, through lock-free queues and nothing else.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "tests/sim/network.hpp"
#include "tests/sim/nic.hpp"
#include "tests/threads/locked_pool.hpp"
#include "tests/threads/spsc.hpp"

namespace holdfast::threads {

class FramePort : public sim::FrameSink {
  public:
    explicit FramePort(const sim::NicOptions& options);
    ~FramePort() override;

    // The network's thread.
    void attach(sim::Wire& out) { out_ = &out; }
    void frame_arrives(const sim::Frame& frame) override;
    /// Puts what the core has sent on the wire; returns how many frames.
    std::uint32_t deliver();

    // The core's thread.
    std::uint32_t receive(std::span<rte_mbuf*> out);
    void transmit(std::span<rte_mbuf* const> frames);

    // While the core has no thread.
    /// A pool for one life of the node.
    void open(const std::string& name);
    /// Drops everything queued and parked; a port may hold mbufs of another port's pool.
    void stop();
    /// All ports have stopped: gives the pool back and returns how many mbufs were missing (R6).
    std::uint32_t close();

    rte_mempool* pool() const { return pool_.get(); }
    const sim::NicOptions& options() const { return options_; }

  private:
    void park(rte_mbuf* m);

    sim::NicOptions options_;
    sim::Wire* out_ = nullptr;
    Pool pool_;
    SpscQueue<sim::Bytes> to_core_, from_core_;
    std::deque<rte_mbuf*> parked_;
};

}  // namespace holdfast::threads
