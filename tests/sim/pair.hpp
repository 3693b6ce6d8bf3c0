// What every run with two nodes stands on: the machines, the two ends, the networks between them, and time.
//
//     client -- switch -- a -- switch -- server
//                  \      |      /
//                   \---- b ----/
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "tests/sim/coverage.hpp"
#include "tests/sim/host.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/speaker_checker.hpp"

namespace holdfast::sim {

/// What came of a run.
struct Outcome {
    std::string rule, text;  ///< empty: nothing was violated
    std::uint64_t hash = 0, events = 0, acks_checked = 0, peak_withheld = 0;
    unsigned completed = 0, refused = 0, lost = 0, takeovers = 0;
    Duration lasted{};
    Coverage coverage;

    bool passed() const { return rule.empty(); }
};

class Pair : public Actor, public HostObserver, public MachineObserver {
  public:
    Pair(const Site& site, bool verbose);

  protected:
    // Building; chance comes from `random`, or a wire has a seed.
    void attach_machines(const Options& options, Random& random);
    Switch::Attachment attach_host(Host& host, Switch& to, std::uint64_t seed,
                                   const WireOptions (&access)[2]);

    /// Lets events happen until `done`; it is a violation when that takes longer than `limit`, or the events
    /// run out. False when a rule was broken.
    bool run_until(const std::function<bool()>& done, Duration limit, const char* phase);
    virtual void after_event() {}
    /// What is not done yet, in words.
    virtual std::string unsettled() const = 0;

    /// A frame of another machine's than before, of those that only the active sends.
    virtual void speaker_changed(Machine&) {}
    /// A segment of TCP, before it is on the wire.
    virtual void node_sends(Machine& machine, Side side, const Segment& segment) = 0;

    bool pair_ready() const;
    /// No session, and no mbuf out of the pools.
    static bool is_empty(Machine& machine);
    std::string describe_nodes() const;
    /// The parts of the outcome that every run has.
    void conclude(Outcome& outcome) const;
    std::size_t number(const Machine& machine) const { return &machine == machines_[0].get() ? 0 : 1; }

    void machine_sends(Machine& machine, std::size_t port, const Bytes& frame) final;

    Journal journal_;
    Scheduler scheduler_;
    std::array<std::unique_ptr<Machine>, 2> machines_;
    Host client_, server_;
    Switch client_switch_, server_switch_;
    std::unique_ptr<Wire> mirror_wires_[2];
    SpeakerChecker speaker_checker_;
    Instant last_speech_{};  ///< of the active
};

}  // namespace holdfast::sim
