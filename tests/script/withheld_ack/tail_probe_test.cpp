// A withheld tail must not wait for the far end's delayed ACK: one true byte of old data fetches it.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// An established lane whose server leg has measured a round trip of 10 ms.
struct MeasuredLane : LaneStage {
    MeasuredLane() {
        establish();
        client().sends(data(1, 101));
        server().expects(data(1, 101));
        at(10_ms);
        server().sends(ack(101));
        client().expects(ack(101));
    }
};

}  // namespace

STORY("tail: two round trips without ACK, and the last byte is sent again", "[withheld_ack]") {
    MeasuredLane lane;
    lane.client().sends(data(101, 301));
    lane.server().expects(data(101, 301));
    lane.at(40_ms);
    lane.server().expects(probe(300).at(32_ms));  // 10 ms + 2 RTT + 2 ms
    lane.server().sends(ack(301));
    lane.client().expects(ack(301));
    lane.expect_count(Side::server, "tail_probes", 1);
}

STORY("tail: a probe that was lost, too, is followed by the timeout", "[withheld_ack]") {
    MeasuredLane lane;
    lane.client().sends(data(101, 301));
    lane.server().expects(data(101, 301));
    lane.at(100_ms);
    lane.server().expects(probe(300).at(32_ms));
    // RTO = SRTT + 4 RTTVAR = 30 ms, from the probe on; then doubled.
    lane.server().expects(data(101, 301).at(62_ms));
    lane.at(125_ms);
    lane.server().expects(data(101, 301).at(122_ms));
    lane.server().sends(ack(301));
    lane.client().expects(ack(301));
}

STORY("tail: an answer in time needs no probe", "[withheld_ack]") {
    MeasuredLane lane;
    lane.client().sends(data(101, 301));
    lane.server().expects(data(101, 301));
    lane.at(20_ms);
    lane.server().sends(ack(301));
    lane.client().expects(ack(301));
    lane.after(1_s);
    lane.server().expects_nothing();
}

STORY("tail: of a full segment the whole is sent again: it may be lost", "[withheld_ack]") {
    MeasuredLane lane;
    lane.client().sends(data(101, 1549));
    lane.server().expects(data(101, 1549));
    lane.at(40_ms);
    lane.server().expects(data(101, 1549).at(32_ms));
    lane.server().sends(ack(1549).sack(101, 1549));
    lane.client().expects(ack(1549));
}
