// Gate ["standby"] alone: a byte is acknowledged, and goes on to the far end, when the standby has stored it.
#include "tests/script/payload/heir.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("entrusted: the standby has it, and its sender the ACK, whatever the far end says", "[entrusted]") {
    LaneStage lane(entrusted());
    lane.establish();
    lane.client().sends(data(1, 301));
    lane.client().expects(ack(301));
    lane.server().expects(data(1, 301));
    lane.server().sends(data(1, 201).ack(1));
    lane.server().expects(ack(201));
    lane.client().expects(data(1, 201).ack(301));
}

STORY("entrusted: until the standby confirms nothing is acknowledged, and nothing goes on", "[entrusted]") {
    LaneStage lane(entrusted());
    lane.establish();
    lane.standby.confirms = false;
    lane.client().sends(data(1, 301));
    lane.client().sends(data(301, 501));
    lane.after(50_ms);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.confirm_all();
    lane.client().expects(ack(501));
    lane.server().expects(data(1, 501));
}

STORY("entrusted: a FIN passes it like a byte", "[entrusted]") {
    LaneStage lane(entrusted());
    lane.establish();
    lane.standby.confirms = false;
    lane.client().sends(data(1, 301).fin());
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.confirm_all();
    lane.client().expects(ack(302));
    lane.server().expects(data(1, 301));
    lane.server().expects(fin(301));
}

STORY("entrusted: a FIN without bytes, in either direction", "[entrusted]") {
    LaneStage lane(entrusted());
    lane.establish();
    lane.client().sends(fin(1));
    lane.client().expects(ack(2));
    lane.server().expects(fin(1));
    lane.server().sends(fin(1).ack(2));
    lane.server().expects(ack(2).seq(2));
    lane.client().expects(fin(1).ack(2));
    lane.client().sends(ack(2).seq(2));
    lane.after(70_s);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("entrusted: SACK is not agreed on, since what waits above a hole nobody else has", "[entrusted]") {
    LaneStage lane(entrusted());
    lane.establish();
    expect(!lane.record().sack, "no SACK");
    lane.client().sends(data(301, 501));
    lane.client().expects(ack(1));
    lane.server().expects_nothing();
    lane.client().sends(data(1, 301));
    lane.client().expects(ack(501));
    lane.server().expects(data(1, 501));
}

STORY("entrusted: without a standby in sync nothing passes, and the window closes", "[entrusted]") {
    auto options = entrusted();
    options.limits.session_bytes = 1u << 16;
    LaneStage lane(options);
    lane.establish();
    lane.disconnect_standby();
    Position at = 1;
    for (; lane.client().knows().heard_edge >= at + 1448; at += 1448) {
        lane.client().sends(data(at, at + 1448));
        expect(at < 200'000, "the window closes");
    }
    lane.server().expects_nothing();
    expect_equal(lane.client().knows().heard_ack, 1, "what is acknowledged");
    lane.expect_count(Side::server, "gate_waits", 1);
    expect_equal(lane.lane().core[1].waiting, 1, "legs that wait");
    lane.connect_standby();
    lane.settle();
    lane.client().expects(ack(at));
    Position sent = 1;
    for (; sent < 1 + 10 * 1448; sent += 1448) lane.server().expects(data(sent, sent + 1448));
    lane.ignore_rest();
    expect_equal(lane.lane().core[1].waiting, 0, "legs that wait");
}

STORY("entrusted: with degrade it is ordinary TCP while no standby is in sync", "[entrusted]") {
    auto options = entrusted();
    options.service.degrade = true;
    LaneStage lane(options);
    lane.establish();
    lane.disconnect_standby();
    lane.client().sends(data(1, 301));
    lane.client().expects(ack(301));
    lane.server().expects(data(1, 301));
    lane.expect_count(Side::server, "gate_degraded", 1);
    lane.connect_standby();
    lane.settle();
    lane.standby.confirms = false;
    lane.client().sends(data(301, 501));
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.confirm_all();
    lane.client().expects(ack(501));
    lane.server().expects(data(301, 501));
}

STORY("entrusted: at limits.payload_bytes the gate stays shut until the far end makes room", "[entrusted]") {
    auto options = entrusted();
    options.limits.payload_bytes = 4096;
    LaneStage lane(options);
    lane.establish();
    for (Position at = 1; at < 5793; at += 1448) lane.client().sends(data(at, at + 1448));
    lane.client().expects(ack(1449));
    lane.client().expects(ack(2897));
    lane.server().expects(data(1, 1449));
    lane.server().expects(data(1449, 2897));
    lane.after(100_ms);
    lane.client().expects_nothing();
    lane.expect_count(Side::server, "gate_full", 1);
    lane.server().ignores_rest();
    lane.server().sends(ack(2897));
    lane.client().expects(ack(2897));  // the server's window
    lane.client().expects(ack(5793));
    lane.server().ignores_rest();
    lane.server().sends(ack(5793));
    lane.client().ignores_rest();
}

STORY("entrusted: at limits.payloads a session waits for others, and goes on when they have", "[entrusted]") {
    auto options = entrusted();
    options.limits.payload_bytes = 4096;
    options.limits.payloads = 8 * 1024;  // four blocks a direction; some bytes take two at most
    LaneStage lane(options);
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.client().expects(ack(1449));
    lane.server().expects(data(1, 1449));
    auto& other = lane.another();
    lane.establish(other);
    other.client.sends(data(1, 501));
    other.client.expects_nothing();
    lane.expect_count(Side::server, "gate_full", 1);
    lane.server().sends(ack(1449));
    lane.client().ignores_rest();
    lane.after(200_ms);
    other.client.expects(ack(501));
    other.server.expects(data(1, 501));
    lane.ignore_rest();
}
