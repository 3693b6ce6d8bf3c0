// One ACK answers a whole burst. While the endpoint repairs a loss it has no tail loss probe: should that one
// ACK be lost it would wait for its timer, so it goes twice.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// The client's first segment, 1..1001, is lost; two that follow arrive in one burst.
struct Repair : LaneStage {
    explicit Repair(const LaneOptions& options = {}) : LaneStage(options) {
        establish();
        client().sends_together({data(1001, 2001), data(2001, 3001)});
        server().expects(data(1001, 2001));
        server().expects(data(2001, 3001));
    }
    void reported() {
        server().sends(ack(1).sack(1001, 3001));
        client().expects_twice(ack(1).sack(1001, 3001));
    }
};

LaneOptions reporting_itself() {
    LaneOptions o;
    o.tcp.hold_sack = false;
    return o;
}

}  // namespace

STORY("sack: the report of a burst above a hole goes twice, for it may be lost", "[sack]") {
    Repair lane;
    lane.client().expects_nothing();
    lane.reported();
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "acks_repeated", 1);
}

STORY("sack: the report of a single segment goes once (RFC 5681)", "[sack]") {
    LaneStage lane(reporting_itself());
    lane.establish();
    for (Position p = 1001; p < 6001; p += 1000) {
        lane.client().sends(data(p, p + 1000));
        lane.client().expects(ack(1).sack(1001, p + 1000));
        lane.client().expects_nothing();
    }
    lane.expect_count(Side::client, "acks_repeated", 0);
}

STORY("sack: the ACK that ends a repair goes twice, the next one does not", "[sack]") {
    Repair lane;
    lane.reported();
    lane.client().sends_together({data(1, 1001), data(3001, 4001)});
    lane.server().expects(data(1, 1001));
    lane.server().expects(data(3001, 4001));
    lane.server().sends(ack(4001));
    lane.client().expects_twice(ack(4001).no_sack());
    lane.client().expects_nothing();
    lane.client().sends_together({data(4001, 5001), data(5001, 6001)});
    lane.server().expects(data(4001, 5001));
    lane.server().expects(data(5001, 6001));
    lane.server().sends(ack(6001));
    lane.client().expects(ack(6001));
    lane.client().expects_nothing();
}

STORY("sack: what an ACK on data has answered is not answered again", "[sack]") {
    Repair lane;
    lane.reported();
    lane.client().sends_together({data(1, 1001), data(3001, 4001)});
    lane.server().ignores_rest();
    lane.server().sends(data(1, 501).ack(4001));
    lane.client().expects(data(1, 501).ack(4001));
    lane.client().expects_nothing();
}

STORY("sack: without SACK nothing goes twice: each duplicate would count as a loss", "[sack]") {
    LaneStage lane;
    lane.client().offer.sack = false;
    lane.establish();
    lane.client().sends_together({data(1001, 2001), data(2001, 3001)});
    lane.client().expects(ack(1).no_sack());
    lane.client().expects_nothing();
}
