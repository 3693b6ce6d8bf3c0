// SACK while ACKs are withheld: a report above withheld bytes would make the sender take those for lost, and
// an ACK number inside a range once SACKed looks like reneging (Linux: tcp_check_sack_reneging).
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions reporting_itself() {
    LaneOptions o;
    o.tcp.hold_sack = false;
    return o;
}

/// The server leg has measured a round trip of 10 ms; positions begin at 101, story time at 10 ms.
struct MeasuredLane : LaneStage {
    explicit MeasuredLane(const LaneOptions& options = {}) : LaneStage(options) {
        establish();
        client().sends(data(1, 101));
        server().expects(data(1, 101));
        at(10_ms);
        server().sends(ack(101));
        client().expects(ack(101));
    }
    /// 101..1101 is withheld, 1101..2101 lost, 2101..3101 received, and the server says so.
    void make_hole() {
        client().sends(data(101, 1101));
        server().expects(data(101, 1101));
        client().sends(data(2101, 3101));
        if (!config().tcp.hold_sack) return;
        server().expects(data(2101, 3101));
        server().sends(ack(101).sack(2101, 3101));
    }
};

}  // namespace

STORY("sack hold: above withheld bytes the report waits for their ACK", "[sack]") {
    MeasuredLane lane;
    lane.make_hole();
    lane.client().expects_nothing();
    lane.at(15_ms);
    lane.server().sends(ack(1101).sack(2101, 3101));
    lane.client().expects_twice(ack(1101).sack(2101, 3101));
    lane.expect_count(Side::client, "sack_held", 1);
    lane.expect_count(Side::client, "sack_hold_expired", 0);
}

STORY("sack hold: at most two round trips of the far leg, then it leaves", "[sack]") {
    MeasuredLane lane;
    lane.make_hole();
    lane.client().expects_nothing();
    lane.at(29_ms);
    lane.client().expects_nothing();
    lane.at(31_ms);
    lane.client().expects_twice(ack(101).sack(2101, 3101).at(30_ms));
    lane.expect_count(Side::client, "sack_hold_expired", 1);
    lane.ignore_rest();
}

STORY("sack hold: once for all that arrives meanwhile", "[sack]") {
    MeasuredLane lane;
    lane.make_hole();
    for (int i = 0; i < 4; ++i) {
        lane.after(4_ms);
        const auto p = 3101 + static_cast<Position>(i) * 1000;
        lane.client().sends(data(p, p + 1000));
        lane.server().expects(data(p, p + 1000));
        lane.server().sends(ack(101).sack(2101, p + 1000));
    }
    lane.client().expects_nothing();
    lane.at(31_ms);
    lane.client().expects_twice(ack(101).sack(2101, 7101).at(30_ms));
    lane.ignore_rest();
}

STORY("sack hold: the knob turns it off", "[sack]") {
    MeasuredLane lane(reporting_itself());
    lane.make_hole();
    lane.client().expects_twice(ack(101).sack(2101, 3101));
    lane.ignore_rest();
}

STORY("sack: an ACK number stops one byte below a range that was SACKed, until all of it is released",
      "[sack]") {
    MeasuredLane lane(reporting_itself());
    lane.make_hole();
    lane.client().expects_twice(ack(101).sack(2101, 3101));
    lane.at(31_ms);
    lane.server().ignores_rest();  // a probe for its ACK
    lane.client().sends(data(1101, 2101));
    lane.server().expects(data(1101, 2101));
    lane.server().expects(data(2101, 3101));
    lane.server().sends(ack(1101));
    lane.client().expects(ack(1101));
    // The server has half of the range: an ACK inside it would look like reneging.
    lane.server().sends(ack(2601));
    lane.client().expects(ack(2100));
    lane.expect_count(Side::client, "ack_clamped_by_sack", 1);
    lane.server().sends(ack(3101));
    lane.client().expects(ack(3101));
}

STORY("sack: an ACK exactly at the begin of a SACKed range is inside it", "[sack]") {
    MeasuredLane lane(reporting_itself());
    lane.make_hole();
    lane.client().expects_twice(ack(101).sack(2101, 3101));
    lane.at(31_ms);
    lane.server().ignores_rest();
    lane.client().sends(data(1101, 2101));
    lane.server().ignores_rest();
    lane.server().sends(ack(2101));
    lane.client().expects(ack(2100));
    lane.server().sends(ack(3101));
    lane.client().expects(ack(3101));
}

STORY("sack: what was held and never reported clamps nothing", "[sack]") {
    MeasuredLane lane;
    lane.client().sends(data(101, 1101));
    lane.client().sends(data(2101, 3101));
    lane.client().sends(data(1101, 2101));
    lane.server().ignores_rest();
    lane.server().sends(ack(2601));
    lane.client().expects_twice(ack(2601));
}
