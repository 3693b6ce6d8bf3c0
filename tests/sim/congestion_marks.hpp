// ECN of one end of a connection, as Linux has it (RFC 3168), and what the other side may never do with it.
#pragma once

#include <string_view>

#include "tests/sim/frame.hpp"

namespace holdfast::sim {

class CongestionMarks {
  public:
    bool agreed() const { return agreed_; }

    /// Our SYN offers it; repeated ones do not.
    void offer(Segment& syn);
    /// A SYN that we accept, with or without its offer.
    void take_offer(const Segment& syn, bool willing);
    /// Our SYN-ACK.
    void answer(Segment& syn_ack) const;
    /// A SYN-ACK to our SYN.
    void take_answer(const Segment& syn_ack);

    /// Any other segment of ours leaves. `fresh`: its payload was never sent before.
    void leave(Segment& s, bool fresh);
    /// The window was lowered: the next new data says so.
    void note_reduction() { cwr_owed_ = agreed_; }
    /// Data in the window.
    void take_data(const Segment& s);

    /// What is wrong with a segment that came; empty when nothing is.
    std::string_view fault(const Segment& s) const;

  private:
    bool offered_ = false, agreed_ = false;
    bool seen_ = false;  ///< a mark that we report until CWR comes
    bool cwr_owed_ = false;
};

/// `frame` with the mark of congestion, if it may bear one; else as it is.
Frame marked(const Frame& frame);

}  // namespace holdfast::sim
