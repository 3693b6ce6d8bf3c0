// Gate peer: no byte is acknowledged to its sender before the far end has acknowledged it (R1).
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("withheld: the ACK of the client's data waits for the server's", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001).ack(1));
    lane.client().expects_nothing();
    lane.after(10_ms);
    lane.client().expects_nothing();
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
}

STORY("withheld: the ACK of the server's data waits for the client's", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(data(1, 1001));
    lane.client().expects(data(1, 1001).ack(1));
    lane.server().expects_nothing();
    lane.client().sends(ack(1001));
    lane.server().expects(ack(1001));
}

STORY("withheld: part of it acknowledged is that part released", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1, 1001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(501));
    lane.client().expects(ack(501));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
}

STORY("withheld: a burst of ACKs becomes one", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    for (Position p = 1; p < 5001; p += 1000) {
        lane.client().sends(data(p, p + 1000));
        lane.server().expects(data(p, p + 1000));
    }
    lane.server().sends_together({ack(1001), ack(2001), ack(3001), ack(5001)});
    lane.client().expects(ack(5001));
}

STORY("withheld: a burst of data is passed on whole and acknowledged once", "[withheld_ack]") {
    LaneStage lane({.gate = Gate::none});
    lane.establish();
    lane.client().sends_together({data(1, 1001), data(1001, 2001), data(2001, 3001)});
    lane.client().expects(ack(3001));
    for (Position p = 1; p < 3001; p += 1000) lane.server().expects(data(p, p + 1000));
}

STORY("withheld: both directions at once do not wait for each other", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 501));
    lane.server().expects(data(1, 501).ack(1));
    lane.server().sends(data(1, 701));
    lane.client().expects(data(1, 701).ack(1));
    lane.client().sends(ack(701));
    lane.server().expects(ack(701));
    lane.client().expects_nothing();
    lane.server().sends(ack(501));
    lane.client().expects(ack(501));
}

STORY("withheld: an ACK that comes with data leaves with that data", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 501));
    lane.server().expects(data(1, 501));
    // A request and its response: one segment each way, then one ACK.
    lane.server().sends(data(1, 701).ack(501));
    lane.client().expects(data(1, 701).ack(501));
    lane.client().expects_nothing();
    lane.client().sends(ack(701));
    lane.server().expects(ack(701));
}

STORY("withheld: a server that acknowledges what it was never sent releases nothing", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 501));
    lane.server().expects(data(1, 501));
    lane.server().sends(ack(5001));
    lane.server().expects(ack(1));  // a challenge
    lane.client().expects_nothing();
    lane.expect_count(Side::server, "ack_of_unsent", 1);
}

STORY("withheld: bytes repeated while withheld are not answered: no ACK could say more", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.client().sends(data(1, 1001));
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.server().sends(ack(1001));
    // The repetition is reported when the ACK passes it, or the sender takes its loss for real (RFC 2883).
    lane.client().expects(ack(1001).sack(1, 1001));
    lane.expect_count(Side::client, "dsack_sent", 1);
}

STORY("withheld: the counts that operators read", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    const auto& cell = lane.lane().cells[0][0];
    expect_equal(cell.received - cell.announced, 1000, "bytes withheld");
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    expect_equal(cell.received - cell.announced, 0, "bytes withheld");
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}
