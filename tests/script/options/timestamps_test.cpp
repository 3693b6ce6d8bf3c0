// Timestamps in ordinary traffic (RFC 7323): ours grow, theirs are echoed.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("timestamps: an ACK echoes what it acknowledges", "[options]") {
    LaneStage lane({.gate = Gate::none});
    lane.establish();
    lane.client().sends(data(1, 101).ts(0xffffff10));
    lane.client().expects(ack(101).echo(0xffffff10));
    lane.server().expects(data(1, 101));
    // Out of order: the echo stays with the last segment in order (section 4.3).
    lane.client().sends(data(201, 301).ts(0xffffff20));
    lane.client().expects(ack(101).echo(0xffffff10));
    lane.client().sends(data(101, 201).ts(0x00000005));  // across the wrap
    lane.client().expects(ack(301).echo(0x00000005));
    lane.server().expects(data(101, 301));
}

STORY("timestamps: with withheld ACKs the echo is of the oldest segment not acknowledged", "[options]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 101).ts(0xffffff10));
    lane.server().expects(data(1, 101));
    lane.after(5_ms);
    lane.client().sends(data(101, 201).ts(0xffffff20));
    lane.server().expects(data(101, 201));
    lane.server().sends(ack(201));
    // Section 4.3: else the sender would measure less than the whole wait.
    lane.client().expects(ack(201).echo(0xffffff10));
}

STORY("timestamps: ours are milliseconds and never go back", "[options]") {
    LaneStage lane({.gate = Gate::none});
    lane.establish();
    const auto sees = [&](Position p) {
        lane.client().sends(data(p, p + 1));
        lane.server().ignores_rest();
        return lane.client().expects(ack(p + 1)).raw.options.timestamps->value;
    };
    const auto first = sees(1);
    lane.after(250_ms);
    const auto second = sees(2);
    expect(second - first >= 249 && second - first <= 251, "a millisecond a tick");
}

STORY("timestamps: two connections' clocks differ", "[options]") {
    LaneStage lane;
    auto& second = lane.another();
    lane.establish();
    lane.establish(second);
    expect(lane.client().knows().heard_ts - second.client.knows().heard_ts + 1000 > 2000,
           "an offset each (RFC 7323 section 5.4)");
}
