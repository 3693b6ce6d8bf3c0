// Ends that take a session's memory and give nothing back (sockstress): zero windows, nothing read, nothing
// finished.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr unsigned hoarders = 150;

LaneOptions small(Duration idle_timeout) {
    LaneOptions o;
    o.limits.sessions = 256;
    o.limits.ring = 4096;
    o.limits.session_bytes = 16'384;  // 32 mbufs each
    o.mbufs = 4095;
    o.service.idle_timeout = idle_timeout;
    return o;
}

/// Each of them asks for a lot, and closes its window once it is under way.
void hoard(LaneStage& lane) {
    for (unsigned i = 0; i < hoarders; ++i) {
        auto& c = lane.another();
        lane.establish(c);
        for (Position p = 1; p < 20'001; p += 1000) c.server.sends(data(p, p + 1000));
        c.client.sends(ack(1).window(0));
        c.client.ignores_rest();
        c.server.ignores_rest();
    }
}

void forget_all(LaneStage& lane) {
    for (auto& c : lane.conversations()) {
        c.client.ignores_rest();
        c.server.ignores_rest();
    }
}

}  // namespace

STORY("attack: zero windows of many clients take a part of the pool, and another session goes on",
      "[attack]") {
    LaneStage lane(small({}));
    lane.trust_nobody();
    lane.establish();
    hoard(lane);
    expect(lane.count(Side::server, "payload_over_budget") > 0, "the budget was reached");
    for (const auto side : {Side::client, Side::server})
        expect(lane.pool(side).in_use() <= lane.pool(side).size() * 3 / 4 + 64, "a reserve is left");
    for (Position p = 1; p < 10'001; p += 1000) {
        lane.server().sends(data(p, p + 1000));
        lane.client().expects(data(p, p + 1000));
        lane.client().sends(ack(p + 1000));
        lane.server().expects(ack(p + 1000));
    }
    forget_all(lane);
    lane.ignore_rest();
}

STORY("attack: a window closed for ever ends with idle_timeout, and all that it held is free", "[attack]") {
    LaneStage lane(small(30_s));
    lane.trust_nobody();
    hoard(lane);
    expect(lane.held_mbufs() > 0, "something is held");
    // They live: every probe of the window is answered, so nothing else would end them (RFC 9293
    // section 3.8.6.1).
    for (int second = 0; second < 29; ++second) {
        lane.after(1_s);
        forget_all(lane);
        for (auto& c : lane.conversations())
            if (c.client.knows().synchronized) c.client.sends(ack(1).window(0));
    }
    lane.expect_count(Side::client, "sessions_idle", 0);
    lane.after(2_s);
    forget_all(lane);
    lane.expect_count(Side::client, "sessions_idle", hoarders);
    lane.after(1_s);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    lane.ignore_rest();
}
