// The retransmission timer (RFC 6298).
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("rto: one second before anything is measured, then doubled", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.at(16_s);
    for (const auto t : {0_s, 1_s, 3_s, 7_s, 15_s}) lane.server().expects(data(1, 1001).at(t));
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    lane.expect_count(Side::server, "rto_fired", 4);
    lane.at(100_s);
    lane.server().expects_nothing();
}

STORY("rto: no longer than a minute apart, and after the last retry both ends are reset", "[retransmit]") {
    LaneOptions options;
    options.tcp.data_retries = 8;
    LaneStage lane(options);
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.at(400_s);
    for (const auto t : {0_s, 1_s, 3_s, 7_s, 15_s, 31_s, 63_s, 123_s, 183_s})
        lane.server().expects(data(1, 1001).at(t));
    lane.server().expects(rst(1001));
    lane.client().expects(rst(1));
    lane.expect_count(Side::server, "connections_timed_out", 1);
}

STORY("rto: from the measured round trip, not below its minimum", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.server().expects(data(1, 1449));
    lane.at(1_ms);
    lane.server().sends(ack(1449));
    lane.client().expects(ack(1449));
    lane.client().sends(data(1449, 2897));
    lane.server().expects(data(1449, 2897));
    lane.at(100_ms);
    // The tail loss probe first: 2 RTT + 2 ms after 1 ms; then 1 ms and 20 ms, doubled.
    lane.server().expects(data(1449, 2897).at(5_ms));
    lane.server().expects(data(1449, 2897).at(26_ms));
    lane.server().expects(data(1449, 2897).at(68_ms));
    lane.server().sends(ack(2897));
    lane.client().expects(ack(2897));
}

STORY("rto: all that was under way counts as lost: one segment goes, then two for its ACK", "[retransmit]") {
    constexpr Position mss = 1448;
    const auto segment = [](Position i) { return data(1 + i * mss, 1 + (i + 1) * mss); };
    LaneStage lane;
    lane.establish();
    for (Position i = 0; i < 4; ++i) lane.client().sends(segment(i));
    for (Position i = 0; i < 4; ++i) lane.server().expects(segment(i));
    lane.at(1001_ms);
    lane.server().expects(segment(0).at(1_s));
    lane.server().expects_nothing();
    lane.server().sends(ack(1 + mss));
    lane.client().expects(ack(1 + mss));
    lane.server().expects(segment(1));
    lane.server().expects(segment(2));
    lane.server().expects_nothing();
    lane.server().sends(ack(1 + 4 * mss));
    lane.client().expects(ack(1 + 4 * mss));
}

STORY("rto: a segment sent twice is no measure of time (Karn)", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.at(1001_ms);
    lane.server().expects(data(1, 1001));
    lane.at(1002_ms);
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    // Still one second: 1 ms would have been the sample of a fool.
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.at(1900_ms);
    lane.server().expects_nothing();
    lane.at(2100_ms);
    lane.server().expects(data(1001, 2001).at(2002_ms));
    lane.ignore_rest();
}

STORY("rto: every ACK of new bytes starts it again", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1, 1001));
    lane.server().expects(data(1001, 2001));
    lane.at(900_ms);
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    // Measured now: SRTT 0.9 s, RTTVAR 0.45 s, RTO 2.7 s; 2 RTT + 2 ms is earlier.
    lane.at(2700_ms);
    lane.server().expects_nothing();
    lane.at(2710_ms);
    lane.server().expects(probe(2000).at(2702_ms));
    lane.ignore_rest();
}

// (5.1) Each segment that left started it again: a stream of new ones kept a loss without SACK waiting.
STORY("rto: what leaves later does not put it off", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.at(600_ms);
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.at(999_ms);
    lane.server().expects_nothing();
    lane.at(1010_ms);
    lane.server().expects(data(1, 1001).at(1000_ms));
    lane.ignore_rest();
}
