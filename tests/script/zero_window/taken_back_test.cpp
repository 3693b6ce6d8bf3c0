// Windows that are closed, or taken back, while something is under way.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("zero window: a RST with the next number passes a closed window", "[zero_window]") {
    LaneStage lane;
    lane.server().offer.window = 1000;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001).window(0));
    lane.client().expects(ack(1001).window(0));
    lane.client().sends(rst(1001));
    lane.server().expects(rst(1001));
}

STORY("zero window: an end that took its window back and answers is not given up", "[zero_window]") {
    LaneOptions options;
    options.tcp.data_retries = 4;
    LaneStage lane(options);
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1).window(0));
    for (int i = 0; i < 20; ++i) {
        lane.after(5_s);
        while (lane.server().has_unexpected()) {
            expect(!lane.server().takes().raw.has(flag::rst), "no RST");
            lane.server().sends(ack(1).window(0));
        }
    }
    lane.server().sends(ack(1001).window(64000));
    lane.client().expects(ack(1001));
    lane.ignore_rest();
}
