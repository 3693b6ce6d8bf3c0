// Judges every segment that a node sends to an endpoint: rules R1, R2 and R3, tied windows, timestamps.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "tests/sim/host.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/track.hpp"

namespace holdfast::sim {

class WireChecker {
  public:
    WireChecker(Scheduler& scheduler, Journal& journal, const Options& options, std::vector<Track>& tracks,
                const std::array<std::unique_ptr<Machine>, 2>& machines);

    void node_sends(Machine& machine, Side side, const Segment& s);
    void node_receives(Machine& machine, Side side, const Segment& s);
    void endpoint_sends(Side side, const Segment& s);
    /// Call it now and then.
    void check_promises();
    /// `machine` has lost the active role: what it heard until now is no evidence for later.
    void forget(const Machine& machine);

    /// The conversation that the server knows as `snat`; nullptr before the node opened its leg.
    Track* find_by_snat(const Endpoint& snat);
    std::uint64_t acks_checked() const { return acks_checked_; }
    std::uint64_t peak_withheld() const { return peak_withheld_; }

  private:
    struct View;  // one segment with all that is needed to judge it
    Track* find(Side side, const Endpoint& endpoint);
    void pair(const Machine& machine, const Segment& syn);
    void learn(const View& v);
    void check_ack(const View& v);
    void check_entrusted_ack(const View& v, Position ack);
    void check_sack(const View& v);
    void check_payload(const View& v);
    void check_fin(const View& v);
    void check_window(const View& v);
    bool is_late_forward(const View& v, Position edge) const;
    void check_timestamp(const View& v);
    void check_stored(const View& v);
    bool by_cookie(const View& v) const;
    void violate(const View& v, const std::string& rule, const std::string& text) const;
    std::size_t number(const Machine& machine) const { return &machine == machines_[0].get() ? 0 : 1; }

    bool cookies_;          ///< clients may get SYN cookies
    bool mirrors_payload_;  ///< a standby may send what it held
    bool entrusted_;        ///< gate standby alone
    Scheduler& scheduler_;
    Journal& journal_;
    Site site_;
    std::uint32_t header_size_;  ///< of the PROXY header in front of the client's bytes; 0 = none
    std::vector<Track>& tracks_;
    const std::array<std::unique_ptr<Machine>, 2>& machines_;
    std::uint64_t acks_checked_ = 0, peak_withheld_ = 0;
};

}  // namespace holdfast::sim
