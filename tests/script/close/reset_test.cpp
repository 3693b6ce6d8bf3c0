// Resets: what ends one leg ends the other at once.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("reset: the client's RST goes to the server at once", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "sessions_reset", 1);
    lane.expect_view(proxy::View::closing);
}

STORY("reset: the server's RST goes to the client at once", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(rst(1));
    lane.client().expects(rst(1));
    lane.server().expects_nothing();
}

STORY("reset: one that carries data is a RST all the same", "[close]") {
    LaneStage lane;
    lane.establish();
    auto with_reason = data(1, 11);
    with_reason.flags = flag::rst | flag::ack;
    lane.client().sends(with_reason);
    lane.server().expects(rst(1));
    lane.server().expects_nothing();
}

STORY("reset: it carries the number that the other end expects, though bytes are under way", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.client().sends(rst(1001));
    // The server has received the data: it expects 1001 (RFC 5961 would challenge anything else).
    lane.server().expects(rst(1001));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("reset: afterwards the tuple answers by RST, and is free for a new connection at once", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(rst(1));
    lane.client().expects(rst(1));
    lane.client().sends(data(1, 101));
    lane.client().expects(rst(1));
    lane.main().begin_anew(LaneStage::client_isn + 17);
    lane.establish();
    lane.expect_count(Side::client, "sessions_established", 2);
}

STORY("reset: data that crosses a RST inside the lane is dropped and nothing is left", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(rst(1));
    lane.client().expects(rst(1));
    lane.server().sends(data(1, 101));
    lane.server().expects(rst(1));
    lane.at(10_s);
    expect_equal(lane.pool(Side::client).in_use() + lane.pool(Side::server).in_use(), 0, "mbufs in use");
    lane.expect_view(proxy::View::none);
}

STORY("reset: in a half-closed session", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1));
    lane.server().sends(ack(2));
    lane.client().expects(ack(2));
    lane.server().sends(rst(1));
    lane.client().expects(rst(1));
}
