// Gate none: ordinary TCP. Data is acknowledged when it is in order here, and held until the far end has it.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("gate none: data is acknowledged at once", "[withheld_ack]") {
    LaneStage lane({.gate = Gate::none});
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.client().expects(ack(1001));
    lane.server().expects(data(1, 1001));
}

STORY("gate none: what was acknowledged is ours to repeat until the server has it", "[withheld_ack]") {
    LaneStage lane({.gate = Gate::none});
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.client().expects(ack(1001));
    lane.server().expects(data(1, 1001));
    lane.after(1100_ms);
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001));
    lane.client().ignores_rest();  // a window update
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("gate none: a FIN is acknowledged at once, too", "[withheld_ack]") {
    LaneStage lane({.gate = Gate::none});
    lane.establish();
    lane.client().sends(fin(1));
    lane.client().expects(ack(2));
    lane.server().expects(fin(1));
}
