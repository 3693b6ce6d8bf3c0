// The congestion window: where it begins and how it opens.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {
constexpr Position mss = 1448;
Seg segment(Position i) { return data(1 + i * mss, 1 + (i + 1) * mss); }
}  // namespace

STORY("cwnd: ten segments may be under way at first (RFC 6928)", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    for (Position i = 0; i < 15; ++i) lane.client().sends(segment(i));
    for (Position i = 0; i < 10; ++i) lane.server().expects(segment(i));
    lane.server().expects_nothing();
}

STORY("cwnd: slow start: every segment acknowledged lets two go", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    for (Position i = 0; i < 20; ++i) lane.client().sends(segment(i));
    for (Position i = 0; i < 10; ++i) lane.server().expects(segment(i));
    lane.after(10_ms);
    lane.server().sends(ack(1 + 2 * mss));
    lane.client().expects(ack(1 + 2 * mss));
    for (Position i = 10; i < 14; ++i) lane.server().expects(segment(i));
    lane.server().expects_nothing();
}

STORY("cwnd: small writes of an application leave at once: no Nagle", "[retransmit]") {
    LaneStage lane;
    lane.establish();
    for (Position p = 1; p <= 5; ++p) {
        lane.client().sends(data(p, p + 1));
        lane.server().expects(data(p, p + 1).push());
    }
}
