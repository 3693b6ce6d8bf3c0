// What begins after a SYN that had to be sent twice.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// The server has answered the second SYN.
struct LostSyn : LaneStage {
    LostSyn() {
        pass_syn();
        at(1001_ms);
        server().expects(syn());
        pass_syn_ack();
        client().sends(ack(1));
        server().expects(ack(1));
    }
};

}  // namespace

STORY("rto: after a SYN that was lost data begins with three seconds (RFC 6298)", "[retransmit]") {
    LostSyn lane;
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.after(2900_ms);
    lane.server().expects_nothing();
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
}

STORY("cwnd: after a SYN that was lost one segment leaves at first (RFC 5681)", "[retransmit]") {
    constexpr Position mss = 1448;
    LostSyn lane;
    for (Position i = 0; i < 3; ++i) lane.client().sends(data(1 + i * mss, 1 + (i + 1) * mss));
    lane.server().expects(data(1, 1 + mss));
    lane.server().expects_nothing();
    lane.ignore_rest();
}
