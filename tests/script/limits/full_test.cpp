// Limits: what is full refuses new work, with a counter, and never breaks what exists (R6).
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("limits: a full table drops a new client's SYN; the others go on; a place that is free again is used",
      "[limits]") {
    LaneOptions options;
    options.limits.sessions = 2;
    LaneStage lane(options);
    auto& second = lane.another();
    auto& third = lane.another();
    lane.establish();
    lane.establish(second);
    third.client.sends(syn());
    third.client.expects_nothing();
    third.server.expects_nothing();
    lane.expect_count(Side::client, "sessions_no_slot", 1);
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    second.client.sends(rst(1));
    second.server.expects(rst(1));
    lane.after(5_s);
    lane.establish(third);
}

STORY("limits: rings of one place: everything passes, in order, a bit later", "[limits]") {
    LaneOptions options;
    options.limits.ring = 2;
    LaneStage lane(options);
    lane.establish();
    std::vector<Seg> burst;
    for (Position p = 1; p < 8001; p += 1000) burst.push_back(data(p, p + 1000));
    lane.client().sends_together(burst);
    for (const auto& s : burst) lane.server().expects(s);
    expect(lane.count(Side::client, "relay_refused") > 0, "refusals are counted");
    lane.server().sends(ack(8001));
    lane.client().expects(ack(8001));
    lane.client().sends(data(8001, 8101).fin());
    lane.server().expects(data(8001, 8101));
    lane.server().expects(fin(8101));
    lane.server().sends(fin(1).ack(8102));
    lane.client().expects(fin(1).ack(8102));
    lane.client().sends(ack(2));
    lane.server().expects(ack(2));
    lane.expect_view(proxy::View::closing);
}

STORY("limits: bytes above a hole are held up to the session's budget, the hole's filler always",
      "[limits]") {
    LaneOptions options;
    options.limits.session_bytes = 16'384;  // 32 mbufs
    LaneStage lane(options);
    lane.client().offer.sack = false;
    lane.establish();
    // With gaps between: nothing can be joined.
    for (Position p = 1001; p < 61'001; p += 1200) lane.client().sends(data(p, p + 600));
    lane.client().ignores_rest();
    expect(lane.held_mbufs() <= 32, "not more than the budget");
    const auto dropped =
        lane.count(Side::client, "reassembly_full") + lane.count(Side::client, "payload_over_budget");
    expect(dropped > 0, "what was dropped is counted");
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.ignore_rest();
}

STORY("limits: a server that never acknowledges is sent the session's budget, and no more", "[limits]") {
    LaneOptions options;
    options.limits.session_bytes = 16'384;
    LaneStage lane(options);
    lane.establish();
    for (Position p = 1; p < 2001; ++p) lane.client().sends(probe(p));
    expect(lane.held_mbufs() <= 33, "mbufs held");
    expect(lane.count(Side::client, "payload_over_budget") > 0, "counted");
    lane.server().ignores_rest();
    lane.client().ignores_rest();
    // It wakes up: what was dropped was never acknowledged, and comes again.
    const auto received = lane.server().knows().heard_end;
    lane.server().sends(ack(received));
    lane.client().expects(ack(received));
    lane.client().sends(data(received, 1001));
    lane.client().sends(data(1001, 2001));
    lane.server().ignores_rest();
    expect_equal(lane.server().knows().heard_end, 2001, "bytes that arrived");
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
}

STORY("limits: a hole of several segments below a full queue is filled all the same", "[limits]") {
    LaneOptions options;
    options.limits.session_bytes = 16'384;  // 32 mbufs
    LaneStage lane(options);
    lane.establish();
    // 1..4001 is lost; what waits above can not be joined, and uses up the budget.
    for (Position p = 4001; p < 63'001; p += 1200) lane.client().sends(data(p, p + 600));
    lane.client().ignores_rest();
    lane.server().ignores_rest();
    expect(lane.held_mbufs() <= 33, "not more than the budget");
    for (Position p = 1; p < 4001; p += 1000) {
        lane.client().sends(data(p, p + 1000));
        lane.server().expects(data(p, p + 1000));
        lane.server().sends(ack(p + 1000));
        lane.client().takes();
    }
    lane.ignore_rest();
}
