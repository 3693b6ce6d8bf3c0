// window_lead: a sender is offered more than the far end granted, and what that does not take waits here.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

struct Leading : LaneStage {
    explicit Leading(std::uint32_t lead, LimitsConfig limits = LaneOptions{}.limits)
        : LaneStage(options(lead, limits)) {
        // An offer beyond the far end's is what these stories are about.
        trust_nobody();
        server().offer.window = 2048;
        server().default_window = 2048;
        establish();
        client().expects(ack(1));  // the lead, once there is a connection to lead
    }
    static LaneOptions options(std::uint32_t lead, const LimitsConfig& limits) {
        LaneOptions o;
        o.tcp.window_lead = lead;
        o.limits = limits;
        return o;
    }
};

}  // namespace

STORY("lead: what goes beyond the far end's window is taken, waits, and is not acknowledged",
      "[zero_window]") {
    Leading lane(4096);
    lane.client().sends(data(1, 1025));
    lane.server().expects(data(1, 1025));
    lane.server().sends(ack(1025).window(1024));
    lane.client().expects(ack(1025).window(1024 + 4096));
    lane.client().sends_together({data(1025, 2473), data(2473, 3921)});
    lane.server().expects(data(1025, 2049));  // as much as it granted
    lane.server().expects_nothing();
    lane.client().expects_nothing();  // R1
    lane.server().sends(ack(2049).window(4096));
    lane.server().expects(data(2049, 2473));
    lane.server().expects(data(2473, 3921));
    lane.client().expects(ack(2049).window(4096 + 4096));
}

STORY("lead: it stays within what a session may hold", "[zero_window]") {
    LimitsConfig limits = LaneOptions{}.limits;
    limits.session_bytes = 65536;
    Leading lane(1 << 20, limits);
    lane.client().sends(data(1, 1025));
    lane.server().expects(data(1, 1025));
    lane.server().sends(ack(1025).window(1024));
    lane.client().expects(ack(1025).window(65536));
}

STORY("lead: what waits goes on when a window that was closed opens", "[zero_window]") {
    Leading lane(4096);
    lane.client().sends_together({data(1, 1025), data(1025, 2049)});
    lane.server().expects(data(1, 1025));
    lane.server().expects(data(1025, 2049));
    lane.server().sends(ack(2049).window(0));
    lane.client().expects(ack(2049).window(4096));
    lane.client().sends(data(2049, 3073));
    lane.server().expects_nothing();
    lane.after(10_s);
    lane.server().ignores_rest();  // window probes
    lane.client().ignores_rest();
    lane.server().sends(ack(2049).window(2048));
    lane.server().expects(data(2049, 3073));
    lane.server().sends(ack(3073).window(2048));
    lane.client().expects(ack(3073));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("lead: what waits above a hole beyond the far end's window is reported as it waits here",
      "[zero_window]") {
    Leading lane(4096);
    lane.client().sends(data(1025, 2049));
    lane.server().expects(data(1025, 2049));  // ahead of the hole
    lane.client().expects_nothing();
    lane.client().sends(data(2500, 3000));
    lane.server().expects_nothing();
    lane.client().expects_twice(ack(1).sack(2500, 3000));
    lane.expect_count(Side::client, "sack_beyond_far", 1);
    lane.client().sends(data(1, 1025));
    lane.server().expects(data(1, 1025));
    lane.server().sends(ack(2049));
    lane.client().expects(ack(2049).sack(2500, 3000));
    lane.client().sends(data(2049, 2500));
    lane.server().expects(data(2049, 3000));
    lane.server().sends(ack(3000));
    lane.client().expects(ack(3000).no_sack());
}

STORY("lead: many that wait for room hide what lies beyond the far end's window only until the next look",
      "[zero_window]") {
    LaneStage lane(Leading::options(65'536, LaneOptions{}.limits));
    lane.trust_nobody();
    lane.establish();
    // More than the initial window takes: nothing goes ahead of that.
    std::vector<Seg> burst;
    for (Position p = 1; p < 20'001; p += 1000) burst.push_back(data(p, p + 1000));
    lane.client().sends_together(burst);
    for (Position p = 21'001; p < 41'001; p += 200) lane.client().sends(data(p, p + 100));
    lane.client().sends(data(70'001, 70'501));
    lane.server().ignores_rest();
    lane.server().sends(ack(1001));
    lane.expect_count(Side::server, "ahead_sent", 0);
    lane.expect_count(Side::client, "sack_beyond_far", 1);
    lane.client().ignores_rest();
    // Above withheld bytes the report waits for their ACK.
    for (Position acked = 1001; acked < 20'001;) {
        lane.client().ignores_rest();
        acked = std::min<Position>(lane.server().knows().heard_end, 20'001);
        lane.server().sends(ack(acked));
    }
    const auto report = lane.client().takes();
    expect(report.sacked == std::vector{Range{70'001, 70'501}}, "it is reported");
    lane.ignore_rest();
}
