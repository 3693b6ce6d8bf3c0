// A FIN is an offset like a byte: it passes on behind the data, and the same gates.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("fin: the client's FIN is acknowledged when the server has acknowledged it", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 101).fin());
    lane.server().expects(data(1, 101));
    lane.server().expects(fin(101));
    lane.client().expects_nothing();
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    lane.server().sends(ack(102));
    lane.client().expects(ack(102));
}

STORY("fin: the server's FIN likewise", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(fin(1));
    lane.client().expects(fin(1));
    lane.server().expects_nothing();
    lane.client().sends(ack(2));
    lane.server().expects(ack(2));
}

STORY("fin: one that overtook data waits for it", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(fin(101));
    lane.server().expects_nothing();
    lane.client().ignores_rest();
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().expects(fin(101));
    lane.server().sends(ack(102));
    lane.client().expects(ack(102));
}

STORY("fin: a FIN repeated while withheld is passed on once", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1));
    lane.client().sends(fin(1));
    lane.server().expects_nothing();
    lane.server().sends(ack(2));
    lane.client().expects(ack(2));
}

STORY("fin: it passes a closed window", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(ack(1).seq(1).window(0));
    lane.client().ignores_rest();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1));
    lane.server().sends(ack(2).window(0));
    lane.client().expects(ack(2));
}

STORY("fin: lost on the far leg it is repeated with backoff", "[withheld_ack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1).at(0_s));
    lane.at(3100_ms);
    lane.server().expects(fin(1).at(1_s));
    lane.server().expects(fin(1).at(3_s));
    lane.server().sends(ack(2));
    lane.client().expects(ack(2));
}
