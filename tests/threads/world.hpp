// One or two threaded nodes between the simulator's client and server, in real time. The hosts, the switches
// and the judgement of every byte live on the thread that calls this.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/host.hpp"
#include "tests/sim/options.hpp"
#include "tests/threads/threaded_node.hpp"

namespace holdfast::threads {

class World : private sim::Actor {
  public:
    World(std::size_t nodes, bool plant_race);
    ~World() override;

    /// Starts the nodes and waits until one is active and the other, if there is one, ready.
    void boot();
    /// Opens the sessions one after the other. Returns when all are established.
    void open_sessions();
    /// Returns when this share of all bytes, in percent, has arrived.
    void carry(unsigned percent);
    /// Ends the active node, waits for the other one to be active, and starts the victim again.
    void kill_active();
    void wait_ready();
    /// Returns when every session is complete.
    void finish();
    /// Returns when the active node has no session any more.
    void forget();
    /// Ends the nodes.
    void stop();

    const std::string& fault() const { return journal_.text(); }
    bool failed() const { return journal_.failed(); }
    std::string summary() const;
    std::uint64_t planted() const { return nodes_.front()->planted(); }

  private:
    void wake(std::uint64_t, const sim::Frame&) override {}
    void wait(const std::string& what, Duration limit, const std::function<bool()>& done);
    void turn();
    void plan_sessions();
    void plan_echo(unsigned number);
    void attach(ThreadedNode& node);
    void attach(sim::Host& host, sim::Switch& to);
    void kill(ThreadedNode& node);
    ThreadedNode* active();
    bool ready();
    std::uint64_t bytes_arrived() const;
    std::uint64_t bytes_planned() const;

    struct Nowhere : sim::FrameSink {
        void frame_arrives(const sim::Frame&) override {}
    };

    sim::Scheduler scheduler_;
    Nowhere nowhere_;
    sim::Journal journal_{false};
    sim::HostObserver observer_;
    sim::Host client_, server_;
    sim::Switch client_switch_, server_switch_;
    std::vector<std::unique_ptr<ThreadedNode>> nodes_;
    std::vector<std::unique_ptr<sim::Wire>> mirror_wires_;
    std::vector<sim::Conversation> conversations_;
    Instant looked_at_{};
    std::uint64_t frames_ = 0;
    unsigned kills_ = 0;
};

}  // namespace holdfast::threads
