// One-byte segments cost as much as large ones. Many sessions of them to a server that never acknowledges
// must not starve a session that has nothing to do with it.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr unsigned greedy_sessions = 1000;

LaneOptions many() {
    LaneOptions o;
    o.limits.sessions = 1100;
    o.limits.ring = 4096;
    o.mbufs = 4095;
    return o;
}

/// Every greedy client sends one-byte segments, more than the lane can hold.
void flood(LaneStage& lane) {
    std::vector<Conversation*> greedy;
    for (unsigned i = 0; i < greedy_sessions; ++i) {
        greedy.push_back(&lane.another());
        lane.establish(*greedy.back());
    }
    for (Position p = 1; p <= 5; ++p)
        for (auto* c : greedy) {
            c->client.sends(probe(p));
            c->client.ignores_rest();
            c->server.ignores_rest();
        }
}

}  // namespace

STORY("greedy: 1,000 sessions of 1-byte segments leave an unrelated session untouched", "[limits]") {
    LaneStage lane(many());
    lane.establish();
    flood(lane);
    expect(lane.count(Side::client, "payload_over_budget") > 0, "the budget was reached");
    // Up and down, as if nobody else were there.
    for (Position p = 1; p < 5001; p += 1000) {
        lane.client().sends(data(p, p + 1000));
        lane.server().expects(data(p, p + 1000));
        lane.server().sends(ack(p + 1000));
        lane.client().expects(ack(p + 1000));
    }
    lane.server().sends(data(1, 1001));
    lane.client().expects(data(1, 1001));
    lane.client().sends(ack(1001));
    lane.server().expects(ack(1001));
}

STORY("greedy: the pool is never empty because of them: the ACKs that free it can be received", "[limits]") {
    LaneStage lane(many());
    flood(lane);
    expect(lane.pool(Side::client).in_use() <= lane.pool(Side::client).size() * 3 / 4 + 64,
           "a reserve is left");
    for (auto& c : lane.conversations()) {
        if (c.server.knows().heard_end > 1) c.server.sends(ack(c.server.knows().heard_end));
        c.server.ignores_rest();
        c.client.ignores_rest();
    }
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("greedy: a hole above does not lift the budget", "[limits]") {
    LaneOptions options;
    options.mbufs = 4095;
    LaneStage lane(options);
    lane.establish();
    lane.client().sends(probe(60'000));
    for (Position p = 1; p < 3801; ++p) {
        lane.client().sends(probe(p));
        lane.client().ignores_rest();
        lane.server().ignores_rest();
    }
    expect(lane.held_mbufs() <= lane.pool(Side::client).size() / 2, "half of the pool is not one session's");
    expect(lane.count(Side::client, "payload_over_budget") > 0, "counted");
    lane.ignore_rest();
}
