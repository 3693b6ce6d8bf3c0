// A computer that runs a node: ports, memory, a clock, three threads and a disk with a term on it. It is the
// second host of the cores, beside engine/.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cores/protocol/node.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/nic.hpp"

namespace holdfast::sim {

inline constexpr std::size_t port_count = 3;               ///< client, server, mirror: a core each
inline constexpr std::size_t core_count = port_count + 1;  ///< the last one runs applications, without a port
inline constexpr const char* port_names[port_count] = {"client", "server", "mirror"};

struct MachineOptions {
    std::string name;  ///< one letter
    Config config;
    std::array<NicOptions, port_count> ports;
    Duration clock_offset{};                 ///< of the monotonic clock against virtual time
    std::int64_t clock_drift = 0;            ///< parts per million
    Duration cycle_delay = microseconds(5);  ///< a core gets to work at most so long after it was woken
    Duration store_delay{};                  ///< to write a term, at most
    bool notices_links = true;               ///< the driver reports a cut link
    /// Of services with gate app, made by each life of the node anew; empty: what is built in.
    std::function<std::unique_ptr<app::Application>(std::uint64_t life, app::Channel&)> application;
    app::HostLinks host_link;  ///< of services with gate host
};

class Machine;

/// Sees what machines send and hand to their cores.
class MachineObserver {
  public:
    virtual ~MachineObserver() = default;
    /// Before the frame is on the wire.
    virtual void machine_sends(Machine& machine, std::size_t port, const Bytes& frame) = 0;
    virtual void machine_receives(Machine& machine, std::size_t port, const Bytes& frame) = 0;
    /// While its node can still be asked.
    virtual void machine_dies(Machine& machine) = 0;
};

class Machine : public Actor {
  public:
    Machine(Scheduler& scheduler, Journal& journal, MachineObserver& observer, std::uint64_t seed,
            const MachineOptions& options);
    ~Machine() override;

    Nic& nic(std::size_t port) { return *nics_[port]; }
    const std::string& name() const { return options_.name; }
    const MachineOptions& options() const { return options_; }

    void start();
    /// The node is gone between two instructions, and with it every frame in its queues.
    void kill();
    /// Like kill(), in the middle of the next burst that `core` sends.
    void kill_in_burst(std::size_t core) { doomed_core_ = core; }
    /// Nothing runs until `until`; frames queue up and the clock goes on.
    void pause(Instant until);
    /// As pause(), for one core.
    void stall(std::size_t core, Instant until);
    /// The application core has something to look at: a process beside the machine has said something.
    void wake_applications();
    /// Until then no pool has a free mbuf, but for those that the node itself gives back.
    void empty_pools(Instant until) { starved_until_ = until; }
    /// What the driver tells of a port's link.
    void link_changed(std::size_t port, bool up);
    /// Its disk is lost.
    void forget_term() {
        stored_term_ = 0;
        lost_term_ = true;
    }
    bool has_lost_term() const { return lost_term_; }

    bool alive() const { return node_ != nullptr; }
    /// It has not been paused or stalled at or after `since`.
    bool runs_since(Instant since) const { return idle_until_ < since; }
    bool paused() const { return paused_until_ > scheduler_.now(); }
    const protocol::Node& node() const { return *node_; }
    protocol::NodeStatus status() const { return node_->status(); }
    bool is_active() const { return alive() && node_->status().role == "active"; }
    bool is_ready() const { return alive() && node_->status().state == "ready"; }
    std::uint64_t held_mbufs();
    /// mbufs out of the pools that no driver holds.
    std::uint64_t mbufs_in_use() const;
    Instant clock() const { return to_clock(scheduler_.now()); }
    /// Counts starts and deaths: tells one life of the node from another.
    std::uint64_t life() const { return life_; }
    Instant born_at() const { return born_at_; }
    /// Reads what the node tells, and prints it where that is wanted.
    void take_events();
    /// A node was silent, and did not know whether the peer had served meanwhile, when it served again.
    bool was_unsure() const { return unsure_; }
    void print_counters() const;
    void count_refusals(Coverage& coverage) const;

  private:
    struct Thread {
        Instant next = Instant::never();  ///< its next cycle
        Instant stalled_until{};
        Instant refused_until{};  ///< its port takes nothing
        bool between = false;     ///< worked, has not transmitted yet
        unsigned restless = 0;    ///< cycles without work though its deadline had passed
    };
    enum class Token : std::uint64_t { cycle, persist };

    void wake(std::uint64_t token, const Frame& frame) override;
    std::uint64_t make_token(Token kind, std::uint64_t argument) const;
    void wake_core(std::size_t core, Instant at);
    void wake_core_soon(std::size_t core);
    void wake_others(std::size_t core);
    void cycle(std::size_t core);
    void starve(std::size_t core);
    std::uint32_t work(std::size_t core);
    bool port_refuses(std::size_t core);
    std::uint32_t send(std::size_t core);
    void rest(std::size_t core, bool worked, bool has_more);
    void ask_for_term();
    void persist(std::uint64_t term);
    protocol::Core& core(std::size_t i);
    std::size_t cores() const { return node_->application_core() != nullptr ? core_count : port_count; }
    protocol::NodeResources resources();
    Instant to_clock(Instant t) const;
    Instant from_clock(Instant t) const;
    Instant runnable_at(std::size_t core) const;

    Scheduler& scheduler_;
    Journal& journal_;
    MachineObserver& observer_;
    Random random_;
    MachineOptions options_;
    std::array<std::unique_ptr<Nic>, port_count> nics_;
    std::unique_ptr<protocol::Node> node_;
    std::array<Thread, core_count> threads_;
    Instant paused_until_{}, born_at_{}, idle_until_{}, starved_until_{};
    std::optional<std::size_t> doomed_core_;
    std::uint64_t life_ = 0, stored_term_ = 0;
    bool persisting_ = false, lost_term_ = false, unsure_ = false;
};

}  // namespace holdfast::sim
