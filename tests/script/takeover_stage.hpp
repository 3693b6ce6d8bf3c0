// A session that another node served until now: this node holds its record, and takes over.
//
//                 client                                server
//     up     sends positions [1, up)                 has acknowledged up
//     down   has acknowledged down                   sends positions [1, down)
#pragma once

#include "tests/script/lane_stage.hpp"

namespace holdfast::script {

/// What the old active had done, and what of it the mirror told.
struct Past {
    Position up = 1001, down = 501;
    bool established = true;  ///< the client is known to have completed its handshake
    bool progress = true;     ///< the hints came through; else only the Opened record did
    bool timestamps = true;
    bool ecn = false;
    Gate gate = Gate::peer;
};

class TakeoverStage : public LaneStage {
  public:
    explicit TakeoverStage(const Past& past = {}, LaneOptions options = {});

    /// Another session of the old active, installed after the ones before.
    Conversation& install_another(const Past& past);
    /// The old active ended the first session and opened another in its slot.
    Conversation& use_slot_again(const Past& past);
    /// The old active ended the session of a slot.
    void remove(std::uint32_t slot);
    /// The guard decides: this node is active, in the next term.
    void take_over() { become_active(2); }
    /// Takes over; the probes to both ends are expected and not answered.
    void take_over_and_probe();
    /// Both ends say that they have all: a pure ACK each, passed on with the other leg's numbers.
    void both_heard();

    Position up() const { return past_.up; }
    Position down() const { return past_.down; }
    /// The record of a session of that past, in a slot.
    SessionRecord record_of(std::uint32_t slot, const Conversation& c, const Past& past) const;
    /// What the mirror knows of its legs, the client's first.
    std::vector<ProgressRecord> hints_of(const SessionRecord& r, const Conversation& c,
                                         const Past& past) const;
    /// More of that comes from the mirror.
    void hint(const std::vector<ProgressRecord>& hints);

  private:
    void install_past(std::uint32_t slot, Conversation& c, const Past& past, std::uint32_t generation = 1);
    Past past_;
};

}  // namespace holdfast::script
