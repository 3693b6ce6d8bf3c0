// SACK under gate peer: only what the far end has is reported, so that no takeover can lose it. What waits
// above a hole goes ahead to the far end, which reports it.
#include "tests/script/lane_stage.hpp"
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// The client's first segment, 1..1001, is lost; the second, 1001..2001, arrives and goes ahead.
struct Hole : LaneStage {
    explicit Hole(const LaneOptions& options = {}) : LaneStage(options) {
        establish();
        client().sends(data(1001, 2001));
        server().expects(data(1001, 2001));
        client().expects_nothing();
    }
};

}  // namespace

STORY("ahead: a report waits for the server's", "[sack]") {
    Hole lane;
    lane.at(15_ms);
    lane.client().expects_nothing();
    lane.server().sends(ack(1).sack(1001, 2001));
    lane.client().expects(ack(1).sack(1001, 2001));
}

STORY("ahead: the hole is filled, and what went ahead does not go again", "[sack]") {
    Hole lane;
    lane.server().sends(ack(1).sack(1001, 2001));
    lane.client().expects(ack(1).sack(1001, 2001));
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().expects_nothing();
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001).no_sack());
    lane.client().sends(data(2001, 3001));
    lane.server().expects(data(2001, 3001));
    lane.server().sends(ack(3001));
    lane.client().expects(ack(3001));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    lane.expect_count(Side::server, "ack_of_unsent", 0);
}

STORY("ahead: lost on its way, it is found missing once the hole is filled", "[sack]") {
    Hole lane;
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.at(10_ms);
    lane.server().sends(ack(1001));
    lane.client().expects_twice(ack(1001));
    // Nothing follows that could show the loss: the tail loss probe does.
    lane.at(200_ms);
    while (lane.server().has_unexpected()) {
        const auto s = lane.server().takes();
        if (s.begin <= 1001 && s.end == 2001) break;
    }
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
    lane.ignore_rest();
}

STORY("ahead: several segments, several holes, each reported as the server reports it", "[sack]") {
    Hole lane;
    lane.client().sends(data(3001, 4001));
    lane.server().expects(data(3001, 4001));
    lane.server().sends(ack(1).sack(3001, 4001));
    lane.client().expects_twice(ack(1).sack(3001, 4001));
    lane.server().sends(ack(1).sack(1001, 2001).sack(3001, 4001));
    lane.client().expects(ack(1).sack(1001, 2001).sack(3001, 4001));
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(2001).sack(3001, 4001));
    lane.client().expects(ack(2001).sack(3001, 4001));
    lane.client().sends(data(2001, 3001));
    lane.server().expects(data(2001, 3001));
    lane.server().sends(ack(4001));
    lane.client().expects(ack(4001));
}

STORY("ahead: an end that repeats itself in other pieces is held to its first word", "[sack]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(501, 1001));
    lane.server().expects(data(501, 1001));
    // Covers what went ahead: only what lies before that is taken, and nothing counts as received that is not
    // held.
    lane.client().sends(data(1, 1301));
    lane.server().expects(data(1, 501));
    lane.server().expects_nothing();
    lane.server().sends(ack(1001));
    lane.client().expects_twice(ack(1001));
    lane.client().sends(data(1001, 1301));
    lane.server().expects(data(1001, 1301));
    lane.server().sends(ack(1301));
    lane.client().expects(ack(1301));
}

STORY("ahead: a larger piece above the hole is cut before what went ahead", "[sack]") {
    Hole lane;
    lane.client().sends(data(701, 2101));
    lane.server().expects(data(701, 1001));
    lane.client().sends(data(1, 701));
    lane.server().expects(data(1, 701));
    lane.server().expects_nothing();
    lane.server().sends(ack(2001));
    lane.client().expects_twice(ack(2001));
}

STORY("ahead: not past the server's window, and not while anything waits to be sent", "[sack]") {
    LaneStage lane;
    lane.establish();
    // The initial window takes fifteen of them; the others wait.
    std::vector<Seg> burst;
    for (Position p = 1; p < 20'001; p += 1000) burst.push_back(data(p, p + 1000));
    lane.client().sends_together(burst);
    lane.client().sends(data(21'001, 22'001));
    while (lane.server().has_unexpected()) expect(lane.server().takes().end <= 20'001, "nothing went ahead");
    lane.client().expects_nothing();
    lane.server().sends(ack(8'001));
    // Now there is room.
    bool went = false;
    while (lane.server().has_unexpected()) went = lane.server().takes().begin == 21'001 || went;
    expect(went, "it went ahead");
    lane.ignore_rest();
}

STORY("ahead: not anchored while an end holds bytes above a gap", "[sack]") {
    TakeoverStage lane;
    lane.client().knowledge().sent = lane.server().knowledge().heard_end = 3001;
    lane.take_over_and_probe();
    lane.client().sends(data(901, 1001));  // a retransmission: no more is known of it
    lane.server().expects(data(901, 1001));
    // The server has acknowledged all that we know of, and holds more.
    lane.server().sends(ack(1001).sack(2001, 3001));
    lane.client().expects(ack(1001).sack(2001, 3001));
    lane.after(50_ms);
    lane.expect_view(proxy::View::translated);
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(3001));
    lane.client().expects(ack(3001));
    lane.ignore_rest();
}
