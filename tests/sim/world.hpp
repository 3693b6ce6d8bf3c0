// One run: conversations between the ends through the pair, faults and judges.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/pair.hpp"
#include "tests/sim/track.hpp"
#include "tests/sim/wire_checker.hpp"

namespace holdfast::sim {

class World : public Pair {
  public:
    World(const Options& options, bool verbose);
    ~World() override;
    Outcome run();

  private:
    enum class Token : std::uint64_t { tick, start_machine, start_conversation, heal_link, fault };

    // Building.
    void attach_end(Host& host, Switch& to, Side side, const WireOptions (&access)[2]);
    bool pattern_loses(const Bytes& frame);
    void begin_pattern(Moment moment);
    void schedule(Token token, std::uint64_t argument, Duration in);

    // The phases of a run.
    bool boot();
    void safety();
    void liveness();
    void drain();
    bool faults_over() const;
    bool all_settled() const;
    bool drained() const;
    bool settled(const Track& track) const;
    void judge_ends();
    void judge_end(const Track& track);
    std::string unsettled() const override;

    // Faults.
    void arm_next_fault();
    void consider_fault();
    void inflict(const Fault& fault);
    void check_terminated(const Machine& machine);
    void plan_restart(const Fault& fault, Machine& victim);
    void restart(std::size_t number);
    void count_coverage(FaultKind kind);
    void cut(Machine& machine, std::size_t port, Duration lasts);
    void set_link(std::size_t machine, std::size_t port, bool up);
    bool fault_is_due(const Fault& fault) const;
    bool only_one_knows_term(const Machine& machine) const;
    void watch_trigger(const Track& track);
    Machine* active() const;
    Machine& other(const Machine& machine) const {
        return *machines_[&machine == machines_[0].get() ? 1 : 0];
    }

    // Takeovers.
    void speaker_changed(Machine& machine) override;
    void assess(Track& track, const Machine& heir);
    bool breaks_unprotected(const Track& track) const;
    bool was_retaken() const;
    void remember_protection(const Machine& machine);

    void wake(std::uint64_t token, const Frame& frame) override;
    void host_sends(Host& host, const Segment& s) override;
    void state_changed(Host& host, Talker& talker, State before) override;
    void node_sends(Machine& machine, Side side, const Segment& segment) override;
    void machine_receives(Machine& machine, std::size_t port, const Bytes& frame) override;
    void machine_dies(Machine& machine) override;

    Options options_;
    Random random_;
    std::vector<Track> tracks_;
    WireChecker wire_checker_;
    Outcome outcome_;

    std::size_t next_fault_ = 0;
    Instant armed_at_{}, traffic_at_{}, trigger_met_at_ = Instant::never();
    Instant healed_at_{};           ///< the liveness phase began
    unsigned pending_repairs_ = 0;  ///< faults that are not over
    bool fault_armed_ = false;
    unsigned skips_left_ = 0;
    /// What the speaker said of each conversation's protection, when it was last asked: at its death or loss
    /// of role.
    std::vector<std::string> protection_;
    std::optional<unsigned> pattern_frames_;  ///< TCP frames since the pattern's moment
};

}  // namespace holdfast::sim
