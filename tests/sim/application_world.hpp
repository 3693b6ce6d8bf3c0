// A run of clients with an application on the pair, gate app or host and standby, in which the active node is
// killed at chosen events. All clients must get all their answers, whatever the event; and what a journal or
// a process of gate host has must cover what was acknowledged.
// The server answers for its address, and nothing more.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>

#include "tests/sim/application_options.hpp"
#include "tests/sim/host.hpp"
#include "tests/sim/speaker_checker.hpp"
#include "tests/sim/world.hpp"

namespace holdfast::sim {

/// What a kill waits for, counted since the clients began.
struct KillPoint {
    enum class Unit : std::uint8_t {
        events,  ///< of any kind
        news     ///< segments that told a client something new: the worst moment for what is not stored
    };
    Unit unit{};
    std::uint64_t count = 0;
    /// What happens then: it is killed between two events, or in the middle of its next burst to the standby;
    /// or it lives and its application core stalls.
    enum class Way : std::uint8_t { at_once, in_burst, stall };
    Way way = Way::at_once;
};

/// What is drawn from a number: the clients, the networks, the application, and when the active is killed.
struct ApplicationCase {
    static constexpr std::uint64_t kills_per_seed = 64;

    std::uint64_t seed = 0;
    std::uint64_t kill = 0;  ///< of kills_per_seed parts of what the run has without one

    KillPoint::Unit unit() const { return kill % 2 == 0 ? KillPoint::Unit::events : KillPoint::Unit::news; }
    bool twice() const { return kill % 4 >= 2; }
    KillPoint::Way way() const {
        if (kill % 16 == 5) return KillPoint::Way::stall;
        return kill % 8 == 3 || kill % 8 == 4 ? KillPoint::Way::in_burst : KillPoint::Way::at_once;
    }
};
ApplicationCase application_case(std::uint64_t number);

/// The run without a kill first, to count what happens in it; then the one with it.
Outcome run_application_case(const ApplicationCase& c, bool verbose);

class ApplicationWorld : public Pair {
  public:
    /// The active is killed at `kill`, if there is one; and once more when the pair is whole again, after
    /// some events, if `twice`.
    ApplicationWorld(std::uint64_t seed, std::optional<KillPoint> kill, bool twice, bool verbose);
    ~ApplicationWorld() override;
    Outcome run();
    /// Between the clients' beginning and their end.
    std::uint64_t counted(KillPoint::Unit unit) const {
        return unit == KillPoint::Unit::events ? events_of_traffic_ : news_;
    }

  private:
    ApplicationWorld(ApplicationOptions options, std::optional<KillPoint> kill, bool twice, bool verbose);

    /// What was said to one client, whoever said it.
    struct Said {
        std::map<Position, std::uint8_t> bytes;
        std::optional<SeqNum> iss;
        std::optional<std::uint32_t> timestamp;
        std::optional<SeqNum> ack;  ///< highest that the client was given
    };

    void wake(std::uint64_t token, const Frame& frame) override;
    void node_sends(Machine& machine, Side side, const Segment& segment) override;
    void machine_receives(Machine&, std::size_t, const Bytes&) override {}
    void machine_dies(Machine& machine) override;

    void after_event() override { consider_kill(); }
    bool all_complete() const;
    bool drained() const;
    bool kill_is_due() const;
    void consider_kill();
    void judge_stall();
    std::unique_ptr<Backing> make_backing();
    void judge_reply(const Machine& speaker, const Segment& s);
    void judge_acknowledgment(const Machine& speaker, const Segment& s);
    std::string unsettled() const override;

    ApplicationOptions options_;
    bool twice_;
    std::optional<KillPoint> kill_;
    ClientBook clients_;
    std::unique_ptr<Backing> backing_;  ///< none: nothing stands behind the application
    Machine* stalled_ = nullptr;
    Instant stalled_at_{};
    std::map<std::uint16_t, Said> said_;  ///< by the client's port
    std::uint64_t kills_ = 0, again_at_ = ~std::uint64_t{0}, traffic_from_ = 0, events_of_traffic_ = 0,
                  news_ = 0;
    Outcome outcome_;
};

}  // namespace holdfast::sim
