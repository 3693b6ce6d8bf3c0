// What leaves during recovery (RFC 6937), and recoveries that were for nothing (RFC 3708, RFC 4015).
#include "tests/script/flight.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {
/// Segments that have come to the server and were not expected.
int arrived(Flight& lane) {
    int n = 0;
    for (; lane.server().has_unexpected(); ++n) lane.server().takes();
    return n;
}

void expect_arrived(Flight& lane, int expected, const std::string& what) {
    const int n = arrived(lane);
    expect(n == expected, what + ": " + std::to_string(n) + " and not " + std::to_string(expected));
}
}  // namespace

STORY("prr: the pipe comes down to seven tenths while ACKs come, not at once", "[rack]") {
    Flight lane(10);
    lane.client_sends(11, 30);
    lane.server().expects_nothing();
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(5)));
    lane.server().expects(lane.segment(1));
    // Of ten segments that are delivered one after the other about seven let another one go.
    int more = arrived(lane);
    for (Position i = 5; i <= 10; ++i) {
        lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(i + 1)));
        more += arrived(lane);
    }
    expect(more >= 4 && more <= 6, "new segments in the round trip of the loss");
    lane.acknowledge(11);
    lane.ignore_rest();
}

STORY("prr: recovery ends at seven tenths of the window (RFC 9438)", "[rack]") {
    Flight lane(10);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(11)));
    lane.server().expects(lane.segment(1));
    lane.acknowledge(11);
    lane.client_sends(11, 30);
    expect_arrived(lane, 7, "segments under way after the recovery");
}

STORY("undo: all that was repeated had arrived, so the window is as before (D-SACK)", "[rack]") {
    Flight lane(10);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(11)));
    lane.server().expects(lane.segment(1));
    lane.acknowledge(11);
    lane.server().sends(ack(lane.start(11)).sack(lane.start(1), lane.start(2)));
    lane.expect_count(Side::server, "recoveries_undone", 1);
    lane.client_sends(11, 30);
    expect_arrived(lane, 10, "segments under way after the recovery was taken back");
}

STORY("undo: a timeout was too early when the ACK is for what left before it (timestamps)", "[rack]") {
    Flight lane(10);
    const auto sent_before = lane.server().knows().heard_ts;  // of the flight
    lane.at(300_ms);
    expect(arrived(lane) > 0, "a probe and a timeout");
    lane.server().sends(ack(lane.start(2)).echo(sent_before));
    lane.client().expects(ack(lane.start(2)));
    lane.expect_count(Side::server, "recoveries_undone", 1);
    lane.ignore_rest();
}

STORY("undo: the D-SACK that a one-byte probe brings takes nothing back", "[rack]") {
    Flight lane(10);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(11)));
    lane.server().expects(lane.segment(1));
    lane.acknowledge(11);
    lane.server().sends(ack(lane.start(11)).sack(lane.start(11) - 1, lane.start(11)));
    lane.expect_count(Side::server, "recoveries_undone", 0);
}

STORY("tlp: the loss that a probe has repaired lowers the window (RFC 8985)", "[rack]") {
    Flight lane(10);
    lane.at(45_ms);
    lane.server().expects(lane.segment(10));
    lane.server().sends(ack(lane.start(11)));
    lane.client().expects(ack(lane.start(11)));
    lane.client_sends(11, 11);
    lane.server_expects(11, 11);
    lane.acknowledge(12);
    lane.client_sends(12, 40);
    // Ten, and the eight by which slow start had grown, less three tenths.
    expect_arrived(lane, 13, "segments under way");
}

STORY("undo: an old ACK that comes late takes nothing back", "[rack]") {
    Flight lane(10);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(11)));
    lane.server().expects(lane.segment(1));
    lane.acknowledge(11);
    // Its blocks lie below what is acknowledged by now, but not below its own ACK.
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(10)));
    lane.expect_count(Side::server, "recoveries_undone", 0);
}

STORY("undo: the D-SACK that a tail loss probe brings takes nothing back", "[rack]") {
    Flight lane(10);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(11)));
    lane.server().expects(lane.segment(1));
    lane.acknowledge(11);
    lane.client_sends(11, 11);
    lane.server_expects(11, 11);
    lane.after(40_ms);
    expect_arrived(lane, 1, "the probe");
    lane.server().sends(ack(lane.start(12)));
    lane.client().expects(ack(lane.start(12)));
    lane.server().sends(ack(lane.start(12)).sack(lane.start(11), lane.start(12)));
    lane.expect_count(Side::server, "recoveries_undone", 0);
}

STORY("tlp: a probe that was for nothing costs an endpoint without D-SACK no window", "[rack]") {
    Flight lane(10);
    lane.at(45_ms);
    lane.server().expects(lane.segment(10));
    lane.server().sends(ack(lane.start(11)));
    lane.client().expects(ack(lane.start(11)));
    lane.server().sends(ack(lane.start(11)));  // for the probe
    lane.client_sends(11, 11);
    lane.server_expects(11, 11);
    lane.acknowledge(12);
    lane.client_sends(12, 40);
    expect_arrived(lane, 18, "segments under way");
}

STORY("rto: the window is lowered once where a timeout ends a recovery", "[rack]") {
    Flight lane(10);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(6)));
    lane.server().expects(lane.segment(1));
    lane.at(400_ms);
    expect(arrived(lane) > 0, "timeouts");
    lane.acknowledge(11);
    // Slow start up to seven segments, and then a window that grows slowly.
    for (Position i = 11; i < 19; ++i) {
        lane.client_sends(i, i);
        lane.server_expects(i, i);
        lane.acknowledge(i + 1);
    }
    lane.client_sends(19, 60);
    const int n = arrived(lane);
    expect(n >= 7, "segments under way: " + std::to_string(n));
}

STORY("cwnd: after an idle time it begins anew (RFC 5681)", "[rack]") {
    Flight lane(10);
    lane.acknowledge(11);
    lane.client_sends(11, 30);
    expect_arrived(lane, 18, "slow start has opened the window");
    lane.at(30_ms);
    lane.server().sends(ack(lane.start(29)));
    lane.client().expects(ack(lane.start(29)));
    lane.ignore_rest();
    lane.server().sends(ack(lane.start(31)));
    lane.client().expects(ack(lane.start(31)));
    lane.at(5_s);
    arrived(lane);  // probes
    lane.client_sends(31, 60);
    expect_arrived(lane, 10, "the initial window");
}

STORY("rack: a repetition that is lost lowers the window again, once a round trip", "[rack]") {
    Flight lane(10);
    auto& server = lane.server();
    const auto both_missing = [&](Position end) {
        return ack(lane.start(1)).sack(lane.start(4), lane.start(end)).sack(lane.start(2), lane.start(3));
    };
    server.sends(both_missing(11));
    server.expects(lane.segment(1));
    server.expects(lane.segment(3));
    lane.client_sends(11, 11);
    server.expects(lane.segment(11));
    lane.at(30_ms);
    // What left after both repetitions has come, they have not.
    server.sends(both_missing(12));
    server.expects(lane.segment(1));
    server.expects(lane.segment(3));
    lane.expect_count(Side::server, "repetitions_lost", 1);
    lane.at(31_ms);
    server.sends(both_missing(12));
    lane.acknowledge(12);
    lane.expect_count(Side::server, "fast_recoveries", 1);
    lane.expect_count(Side::server, "repetitions_lost", 1);
    lane.client_sends(12, 30);
    expect_arrived(lane, 5, "segments under way: twice seven tenths of ten");
}
