// Segments that left and are not acknowledged: the scoreboard of RFC 6675 with the marking of RFC 8985
// (RACK).
#pragma once

#include <deque>
#include <optional>

#include "lib/base/time.hpp"
#include "tests/sim/receive_queue.hpp"

namespace holdfast::sim {

struct Sent {
    Position begin = 0, end = 0;
    Instant sent_at{};
    bool fin = false;  ///< its last position is the FIN
    bool sacked = false;
    bool lost = false;           ///< believed lost and not sent again yet
    bool retransmitted = false;  ///< left more than once
};

class SendQueue {
  public:
    /// What an acknowledgment took away.
    struct Progress {
        unsigned segments = 0;
        std::optional<Instant> sent_at;  ///< of the newest one that left only once, if all did: an RTT sample
    };

    void append(const Sent& s) { sent_.push_back(s); }
    Progress acknowledge(Position una);
    /// Marks what lies in `r`; returns how many segments that are new.
    unsigned sack(Range r);
    void mark_all_lost(bool sacked_too);
    void mark_head_lost();
    /// Marks what was sent before something that has arrived and is overdue by `reorder`; returns when to
    /// look again.
    Instant mark_overdue(Duration rtt, Duration reorder, Instant now);
    /// True when something is marked lost.
    bool any_lost() const;
    Sent* next_lost();

    bool empty() const { return sent_.empty(); }
    Sent& head() { return sent_.front(); }
    Sent& tail() { return sent_.back(); }
    std::size_t size() const { return sent_.size(); }
    unsigned sacked() const;
    /// Segments that we believe to be under way.
    unsigned in_flight() const;

  private:
    void delivered(const Sent& s);

    std::deque<Sent> sent_;
    Instant newest_delivered_{};  ///< RACK.xmit_ts
    Position newest_end_ = 0;     ///< RACK.end_seq
};

}  // namespace holdfast::sim
