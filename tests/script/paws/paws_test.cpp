// Protection against wrapped sequence numbers (RFC 7323 section 5).
#include "tests/script/lane_stage.hpp"
#include "tests/script/leg_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// The client's timestamps stand at 1000.
struct StampedLane : LaneStage {
    StampedLane() : LaneStage({.gate = Gate::none}) {
        client().ts_base = 1000;
        establish();
    }
};

}  // namespace

STORY("paws: a segment with an older timestamp is dropped and answered", "[paws]") {
    StampedLane lane;
    lane.client().sends(data(1, 101).ts(999));
    lane.client().expects(ack(1));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "paws_dropped", 1);
}

STORY("paws: an equal timestamp is not older", "[paws]") {
    StampedLane lane;
    lane.client().sends(data(1, 101).ts(1000));
    lane.client().expects(ack(101));
    lane.server().expects(data(1, 101));
}

STORY("paws: timestamps wrap", "[paws]") {
    LaneStage lane({.gate = Gate::none});
    lane.client().ts_base = 0xfffffff0;
    lane.establish();
    lane.client().sends(data(1, 101).ts(5));
    lane.client().expects(ack(101));
    lane.client().sends(data(101, 201).ts(0xfffffff1));
    lane.client().expects(ack(101));
    lane.server().expects(data(1, 101));
}

STORY("paws: a segment without the agreed option is dropped in silence", "[paws]") {
    StampedLane lane;
    lane.client().sends(data(1, 101).no_timestamps());
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "paws_dropped", 1);
}

STORY("paws: a RST needs no timestamp, and an old one does not protect", "[paws]") {
    StampedLane lane;
    lane.client().sends(rst(1).no_timestamps());
    lane.server().expects(rst(1));
}

STORY("paws: a segment above a hole does not move the echo, so older ones below it still count", "[paws]") {
    StampedLane lane;
    lane.client().sends(data(101, 201).ts(2000));
    lane.client().expects(ack(1).echo(1000));
    lane.client().sends(data(1, 101).ts(1500));
    lane.client().expects(ack(201).echo(1500));
    lane.server().expects(data(1, 201));
}

STORY("paws: after 24 days of silence a stored timestamp is no evidence (section 5.5)", "[paws]") {
    LegStage leg;
    leg.peer.ts_base = 1000;
    leg.accept();
    leg.at(seconds(23LL * 24 * 3600));
    leg.peer.sends(data(1, 101).ts(900));
    leg.peer.expects(ack(1));
    leg.at(seconds(25LL * 24 * 3600));
    leg.peer.sends(data(1, 101).ts(900));
    leg.peer.expects(ack(101));
}

STORY("paws: the server's segments are judged alike", "[paws]") {
    LaneStage lane({.gate = Gate::none});
    lane.server().ts_base = 1000;
    lane.establish();
    lane.server().sends(data(1, 101).ts(10));
    lane.server().expects(ack(1));
    lane.client().expects_nothing();
    lane.expect_count(Side::server, "paws_dropped", 1);
}
