// What was overtaken for too long is lost; what is only late is not (RFC 8985 section 6).
#include "tests/script/flight.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("rack: one segment above the hole is enough, a quarter of the round trip later", "[rack]") {
    Flight lane(3);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(3), lane.start(4)));
    lane.server().expects_nothing();
    lane.at(22_ms);
    lane.server().expects_nothing();
    lane.at(24_ms);
    lane.server_expects(1, 1);
    lane.acknowledge(2);
    lane.server_expects(2, 2);
    lane.acknowledge(4);
    lane.expect_count(Side::server, "rto_fired", 0);
    lane.expect_count(Side::server, "fast_recoveries", 1);
}

STORY("rack: what is overtaken for less is not sent again", "[rack]") {
    Flight lane(3);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(3), lane.start(4)));
    lane.at(21_ms);
    lane.acknowledge(4);
    lane.at(100_ms);
    lane.server().expects_nothing();
    lane.expect_count(Side::server, "segments_retransmitted", 0);
}

STORY("rack: three segments above the hole are enough at once while nothing was ever out of order",
      "[rack]") {
    Flight lane(4);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(5)));
    lane.server().expects(lane.segment(1));
    lane.acknowledge(5);
}

STORY("rack: once segments have come out of order, three above the hole wait as long as one", "[rack]") {
    Flight lane(4);
    // The second arrives before the first.
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(3)));
    lane.at(21_ms);
    lane.acknowledge(5);
    lane.client_sends(5, 8);
    lane.server_expects(5, 8);
    lane.at(31_ms);
    lane.server().sends(ack(lane.start(5)).sack(lane.start(6), lane.start(9)));
    lane.server().expects_nothing();
    lane.at(35_ms);
    lane.server().expects(lane.segment(5));
    lane.acknowledge(9);
    lane.expect_count(Side::server, "rto_fired", 0);
}

STORY("rack: a repetition that is lost, too, is noticed by what left after it", "[rack]") {
    Flight lane(6);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(7)));
    lane.server().expects(lane.segment(1));
    lane.client_sends(7, 7);
    lane.server_expects(7, 7);
    lane.at(30_ms);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(8)));
    lane.server().expects(lane.segment(1));
    lane.acknowledge(8);
    lane.expect_count(Side::server, "rto_fired", 0);
    lane.expect_count(Side::server, "fast_recoveries", 1);
}

STORY("rack: a duplicate at the endpoint widens the reordering window", "[rack]") {
    Flight lane(3);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(3), lane.start(4)));
    lane.at(24_ms);
    lane.server_expects(1, 1);
    // The originals arrive late, then what was repeated: half a round trip would have been right.
    lane.acknowledge(4);
    lane.server().sends(ack(lane.start(4)).sack(lane.start(1), lane.start(2)));
    lane.client_sends(4, 6);
    lane.server_expects(4, 6);
    lane.at(34_ms);
    lane.server().sends(ack(lane.start(4)).sack(lane.start(6), lane.start(7)));
    lane.at(37_ms);
    lane.server().expects_nothing();
    lane.at(40_ms);
    lane.server_expects(4, 4);
    lane.acknowledge(7);
}

STORY("rack: the reordering window is a round trip at most", "[rack]") {
    Flight lane(3);
    lane.acknowledge(4);
    // Each round reports a duplicate: a dozen quarters are three round trips.
    Position next = 4;
    for (int i = 0; i < 12; ++i, next += 2) {
        lane.client_sends(next, next + 1);
        lane.server_expects(next, next + 1);
        lane.after(10_ms);
        lane.server().sends(ack(lane.start(next + 2)).sack(lane.start(next), lane.start(next + 1)));
        lane.client().expects(ack(lane.start(next + 2)));
    }
    lane.client_sends(next, next + 1);
    lane.server_expects(next, next + 1);
    lane.after(10_ms);
    lane.server().sends(ack(lane.start(next)).sack(lane.start(next + 1), lane.start(next + 2)));
    lane.after(9_ms);
    lane.server().expects_nothing();
    lane.after(2_ms);
    lane.server_expects(next, next);
    lane.acknowledge(next + 2);
}
