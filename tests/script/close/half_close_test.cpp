// Half-close: one direction ends, the other goes on.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// `closer` has closed its direction, and both ends know.
void close_half(Peer& closer, Peer& other) {
    closer.sends(fin(1));
    other.expects(fin(1));
    other.sends(ack(2));
    closer.expects(ack(2));
}

}  // namespace

STORY("half-close: after the client's FIN the server goes on for long", "[close]") {
    LaneStage lane;
    lane.establish();
    close_half(lane.client(), lane.server());
    for (Position p = 1; p < 3001; p += 1000) {
        lane.after(10_s);
        lane.server().sends(data(p, p + 1000));
        lane.client().expects(data(p, p + 1000).ack(2));
        lane.client().sends(ack(p + 1000));
        lane.server().expects(ack(p + 1000));
    }
    lane.server().sends(fin(3001));
    lane.client().expects(fin(3001));
    lane.client().sends(ack(3002));
    lane.server().expects(ack(3002));
    lane.expect_view(proxy::View::closing);
}

STORY("half-close: after the server's FIN the client goes on", "[close]") {
    LaneStage lane;
    lane.establish();
    close_half(lane.server(), lane.client());
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001).ack(2));
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    lane.client().sends(fin(1001));
    lane.server().expects(fin(1001));
    lane.server().sends(ack(1002));
    lane.client().expects(ack(1002));
    lane.expect_view(proxy::View::closing);
}

STORY("half-close: data after a FIN is acknowledged and dropped", "[close]") {
    LaneStage lane;
    lane.establish();
    close_half(lane.client(), lane.server());
    lane.client().sends(data(1, 11));
    lane.client().expects(ack(2));
    lane.client().sends(data(2, 12));
    lane.client().expects(ack(2));
    lane.server().expects_nothing();
}

STORY("half-close: a FIN that comes again is acknowledged again", "[close]") {
    LaneStage lane;
    lane.establish();
    close_half(lane.client(), lane.server());
    lane.client().sends(fin(1));
    lane.client().expects(ack(2));
    lane.server().expects_nothing();
}

STORY("half-close: a silent half is no reason to end, ten minutes long", "[close]") {
    LaneStage lane;
    lane.establish();
    close_half(lane.client(), lane.server());
    for (int minute = 0; minute < 10; ++minute) {
        lane.after(60_s);
        // Probes of a session without traffic are answered.
        while (lane.client().has_unexpected()) {
            lane.client().takes();
            lane.client().sends(ack(1));
        }
        while (lane.server().has_unexpected()) {
            lane.server().takes();
            lane.server().sends(ack(2));
        }
    }
    lane.server().sends(data(1, 101));
    lane.client().expects(data(1, 101));
    lane.expect_view(proxy::View::terminated);
    lane.ignore_rest();
}
