// Loss that ACKs show: fast retransmit, SACK, the tail loss probe.
#include "tests/script/flight.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("recovery: three duplicate ACKs, and the first segment goes again, once (RFC 5681)", "[retransmit]") {
    Flight lane(5, false);
    lane.server().sends(ack(lane.start(1)));
    lane.server().sends(ack(lane.start(1)));
    lane.server().expects_nothing();
    lane.server().sends(ack(lane.start(1)));
    lane.server().expects(lane.segment(1));
    lane.server().sends(ack(lane.start(1)));
    lane.server().expects_nothing();
    lane.server().sends(ack(lane.start(6)));
    lane.client().expects(ack(lane.start(6)));
    lane.expect_count(Side::server, "fast_recoveries", 1);
    lane.expect_count(Side::server, "rto_fired", 0);
}

STORY("recovery: without SACK the first two duplicate ACKs let one new segment go each (RFC 3042)",
      "[retransmit]") {
    Flight lane(10, false);
    auto& server = lane.server();
    // The congestion window is full.
    lane.client_sends(11, 14);
    server.expects_nothing();
    for (Position i : {11, 12}) {
        server.sends(ack(lane.start(1)));
        server.expects(lane.segment(i));
        server.expects_nothing();
    }
    server.sends(ack(lane.start(1)));
    server.expects(lane.segment(1));
    lane.expect_count(Side::server, "fast_recoveries", 1);
    lane.ignore_rest();
}

STORY("recovery: a partial ACK uncovers the next hole (RFC 6582)", "[retransmit]") {
    Flight lane(6, false);
    for (int i = 0; i < 3; ++i) lane.server().sends(ack(lane.start(1)));
    lane.server().expects(lane.segment(1));
    // Segment 3 is lost, too.
    lane.server().sends(ack(lane.start(3)));
    lane.client().expects(ack(lane.start(3)));
    lane.server().expects(lane.segment(3));
    lane.server().sends(ack(lane.start(7)));
    lane.client().expects(ack(lane.start(7)));
    lane.expect_count(Side::server, "fast_recoveries", 1);
}

STORY("recovery: a window update is no duplicate ACK", "[retransmit]") {
    Flight lane(5, false);
    for (std::uint32_t i = 1; i <= 4; ++i) lane.server().sends(ack(lane.start(1)).window(64000 + i * 128));
    lane.server().expects_nothing();
    lane.ignore_rest();
}

STORY("recovery: SACK shows the holes, and only they go again", "[retransmit]") {
    Flight lane(8);
    auto& server = lane.server();
    // 1 and 3 are lost.
    server.sends(ack(lane.start(1)).sack(lane.start(2), lane.start(3)));
    server.expects_nothing();
    server.sends(ack(lane.start(1)).sack(lane.start(4), lane.start(5)).sack(lane.start(2), lane.start(3)));
    server.expects_nothing();
    server.sends(ack(lane.start(1)).sack(lane.start(4), lane.start(7)).sack(lane.start(2), lane.start(3)));
    server.expects(lane.segment(1));
    server.expects(lane.segment(3));
    server.expects_nothing();
    server.sends(ack(lane.start(9)));
    lane.client().expects(ack(lane.start(9)));
    lane.expect_count(Side::server, "segments_retransmitted", 2);
}

STORY("recovery: a retransmission that is lost is found by time, not by a timeout (RFC 8985)",
      "[retransmit]") {
    Flight lane(10);
    auto& server = lane.server();
    server.sends(ack(lane.start(1)).sack(lane.start(2), lane.start(10)));
    server.expects(lane.segment(1));
    // It is lost. What was sent after it arrives a round trip later.
    lane.at(25_ms);
    lane.client().sends(lane.segment(11));
    server.expects(lane.segment(11));
    lane.at(36_ms);
    server.sends(ack(lane.start(1)).sack(lane.start(2), lane.start(12)));
    server.expects(lane.segment(1));
    server.sends(ack(lane.start(12)));
    lane.client().expects(ack(lane.start(12)));
    lane.expect_count(Side::server, "rto_fired", 0);
}

STORY("recovery: the window is halved once per loss episode", "[retransmit]") {
    Flight lane(10);
    auto& server = lane.server();
    for (Position i = 11; i <= 20; ++i) lane.client().sends(lane.segment(i));
    server.ignores_rest();  // what the window allows
    server.sends(ack(lane.start(1)).sack(lane.start(2), lane.start(11)));
    server.expects(lane.segment(1));
    lane.expect_count(Side::server, "fast_recoveries", 1);
    lane.ignore_rest();
}

STORY("recovery: a SACK of bytes never sent is ignored", "[retransmit]") {
    Flight lane(5);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(6), lane.start(40)));
    lane.server().expects_nothing();
    lane.client().expects_nothing();
    lane.server().sends(ack(lane.start(6)));
    lane.client().expects(ack(lane.start(6)));
}

STORY("recovery: blocks upside down or empty are ignored", "[retransmit]") {
    Flight lane(5);
    lane.server().sends(
        ack(lane.start(1)).sack(lane.start(4), lane.start(2)).sack(lane.start(3), lane.start(3)));
    lane.server().expects_nothing();
    lane.server().sends(ack(lane.start(6)));
    lane.client().expects(ack(lane.start(6)));
}

STORY("recovery: what was SACKed is not sent again after a timeout (RFC 6675)", "[retransmit]") {
    Flight lane(3);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(3)));
    lane.at(10_s);
    bool seen[4] = {};
    while (lane.server().has_unexpected()) {
        const auto s = lane.server().takes();
        for (Position i = 1; i <= 3; ++i) seen[i] = seen[i] || s.begin == lane.start(i);
    }
    expect(seen[1], "the hole");
    expect(!seen[2], "not what the server has");
    lane.server().sends(ack(lane.start(3)));
    lane.server().expects(lane.segment(3));
    lane.ignore_rest();
}

STORY("recovery: what was SACKed and dropped all the same goes again at the next timeout (RFC 2018)",
      "[retransmit]") {
    Flight lane(3);
    lane.server().sends(ack(lane.start(1)).sack(lane.start(2), lane.start(4)));
    lane.after(100_ms);
    while (lane.server().has_unexpected()) lane.server().takes();
    // An ACK that ends where what was SACKed begins: the server no longer has it.
    lane.server().sends(ack(lane.start(2)));
    lane.client().expects(ack(lane.start(2)));
    lane.after(5_s);
    bool again = false;
    while (lane.server().has_unexpected()) again = lane.server().takes().begin == lane.start(2) || again;
    expect(again, "what was dropped");
    lane.ignore_rest();
}

STORY("tlp: new data is the probe when there is some that the window takes (RFC 8985)", "[retransmit]") {
    Flight lane(10);
    // The congestion window is full: the eleventh waits.
    lane.client().sends(lane.segment(11));
    lane.server().expects_nothing();
    lane.at(35_ms);
    lane.server().expects(lane.segment(11));
    lane.expect_count(Side::server, "tlp_sent", 1);
    lane.ignore_rest();
}
