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
