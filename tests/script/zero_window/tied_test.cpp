// Windows are tied: what one end is offered is what the other end granted.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("tied: the client is offered the server's right edge", "[zero_window]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001).window(32000));
    // 64001 was granted before; the edge stays where it was.
    lane.client().expects(ack(1001).window(62976));
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(2001).window(128000));
    lane.client().expects(ack(2001).window(128000));
}

STORY("tied: a window that opens is passed on at once", "[zero_window]") {
    LaneStage lane;
    lane.server().offer.window = 2000;
    lane.server().default_window = 1920;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001).window(896));
    lane.client().expects(ack(1001).window(896));
    lane.server().sends(ack(1001).window(64000));
    lane.client().expects(ack(1001).window(64000));
}

STORY("tied: a stalled server closes the client's window with everything acknowledged", "[zero_window]") {
    LaneStage lane;
    lane.server().offer.window = 3072;  // whole steps of the window scale: the edge stands still
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack().window(3072));
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    for (Position p = 1; p < 3073; p += 1024) {
        lane.client().sends(data(p, p + 1024));
        lane.server().expects(data(p, p + 1024));
        lane.server().sends(ack(p + 1024).window(static_cast<std::uint32_t>(3073 - p - 1024)));
        lane.client().takes();
    }
    expect_equal(lane.client().knows().heard_ack, 3073, "acknowledged");
    expect_equal(lane.client().knows().heard_edge, 3073, "the edge offered");
    expect_equal(lane.held_mbufs(), 0, "mbufs held for a server that does not read");
}

STORY("tied: data past the edge is trimmed, the rest taken", "[zero_window]") {
    LaneStage lane;
    lane.server().offer.window = 1000;
    lane.server().default_window = 896;
    lane.establish();
    lane.client().sends(data(1, 1401));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001).window(0));
    lane.client().expects(ack(1001).window(0));
    lane.expect_count(Side::client, "beyond_window", 1);
}

STORY("tied: a server that shrinks its window shrinks nobody else's", "[zero_window]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(ack(1).window(1280));
    lane.client().expects_nothing();
    lane.client().sends(data(1, 1001));
    // The client was promised 64000 bytes; what it sends is taken, and waits here.
    for (Position p = 1001; p < 5001; p += 1000) lane.client().sends(data(p, p + 1000));
    lane.server().expects(data(1, 1001));
    lane.server().ignores_rest();
    lane.client().expects_nothing();
    lane.server().sends(ack(1001).window(64000));
    lane.client().expects(ack(1001));
    lane.ignore_rest();
}

STORY("tied: never more than the session's budget, whatever the far end grants", "[zero_window]") {
    LaneOptions options;
    options.limits.session_bytes = 16384;
    LaneStage lane(options);
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001).window(1'000'064));
    const auto s = lane.client().takes();
    // The SYN-ACK promised the server's 64000 bytes, and that stands.
    expect(s.ack + s.window <= 64'001, "not past the budget");
}

STORY("tied: silly small openings are not passed on one by one", "[zero_window]") {
    LaneStage lane;
    lane.establish();
    for (std::uint32_t i = 1; i <= 10; ++i) lane.server().sends(ack(1).window(64000 + i * 128));
    lane.client().expects_nothing();
    lane.server().sends(ack(1).window(64000 + 40 * 128));
    lane.client().expects(ack(1));
}
