// Both directions end: in turn, at once, and what is still answered afterwards.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// Client first, then the server; everything acknowledged.
void close_in_turn(LaneStage& lane) {
    lane.client().sends(fin(1));
    lane.server().expects(fin(1));
    lane.server().sends(fin(1).ack(2));
    lane.client().expects(fin(1).ack(2));
    lane.client().sends(ack(2));
    lane.server().expects(ack(2));
}

}  // namespace

STORY("close: in turn, and nothing is left", "[close]") {
    LaneStage lane;
    lane.establish();
    close_in_turn(lane);
    lane.expect_view(proxy::View::closing);
    lane.expect_count(Side::client, "sessions_closed", 1);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    lane.at(61_s);
    lane.expect_view(proxy::View::none);
}

STORY("close: simultaneous: both FINs cross", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1).ack(1));
    lane.server().sends(fin(1).ack(1));
    lane.client().expects(fin(1).ack(1));
    lane.client().sends(ack(2));
    lane.server().expects(ack(2));
    lane.server().sends(ack(2));
    lane.client().expects(ack(2));
    lane.expect_view(proxy::View::closing);
}

STORY("close: simultaneous, with the last data of both", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 101).fin());
    lane.server().expects(data(1, 101));
    lane.server().expects(fin(101));
    lane.server().sends(data(1, 201).fin().ack(1));
    lane.client().expects(data(1, 201));
    lane.client().expects(fin(201));
    lane.server().sends(ack(102));
    lane.client().expects(ack(102));
    lane.client().sends(ack(202));
    lane.server().expects(ack(202));
    lane.expect_view(proxy::View::closing);
}

STORY("close: a FIN repeated in TIME-WAIT is answered by the last ACK", "[close]") {
    LaneStage lane;
    lane.establish();
    close_in_turn(lane);
    lane.after(1_s);
    lane.client().sends(fin(1).ack(2));
    lane.client().expects(ack(2));
    lane.server().sends(fin(1).ack(2));
    lane.server().expects(ack(2));
    lane.client().sends(data(1, 11));
    lane.client().expects(ack(2));
    lane.expect_count(Side::client, "quarantined", 2);
}

STORY("close: a RST in TIME-WAIT is not answered", "[close]") {
    LaneStage lane;
    lane.establish();
    close_in_turn(lane);
    lane.client().sends(rst(2));
    lane.client().expects_nothing();
}

STORY("close: a pure ACK in TIME-WAIT is not answered", "[close]") {
    LaneStage lane;
    lane.establish();
    close_in_turn(lane);
    lane.client().sends(ack(2));
    lane.client().expects_nothing();
}

STORY("close: a new connection of the same tuple may begin in TIME-WAIT, with higher numbers", "[close]") {
    LaneStage lane;
    lane.establish();
    close_in_turn(lane);
    lane.after(1_s);
    lane.main().begin_anew(LaneStage::client_isn + 100'000);
    lane.establish();
    lane.expect_count(Side::client, "sessions_established", 2);
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    // The old one's quarantine ends and takes nothing of the new one with it.
    lane.after(100_s);
    lane.server().ignores_rest();
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
}

STORY("close: an old SYN of the same connection, late, does not open it again", "[close]") {
    LaneStage lane;
    lane.establish();
    close_in_turn(lane);
    lane.client().sends(syn());
    lane.client().expects(ack(2));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "sessions_opened", 1);
}

STORY("close: the last ACK is lost: the end that repeats its FIN hears it again", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1));
    lane.server().sends(fin(1).ack(2));
    lane.client().expects(fin(1).ack(2));
    // The client's ACK of our FIN is lost: ours is repeated, and the server still waits.
    lane.at(1_s + 1_ms);
    lane.client().expects(fin(1).at(1_s));
    lane.server().expects_nothing();
    lane.client().sends(ack(2));
    lane.server().expects(ack(2));
}

STORY("close: the standby learns of the end", "[close]") {
    LaneStage lane({.standby_connected = true});
    lane.establish();
    close_in_turn(lane);
    lane.at(70_s);
    const auto* closed = lane.standby.newest(Side::client, proxy::JournalKind::closed);
    expect(closed != nullptr && closed->closed.id == lane.record().id, "the Closed record");
}
