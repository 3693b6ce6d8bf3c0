// A single lost window update must not stall a session for ever.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// The server's window is full and closed, the client's with it, and all is acknowledged. Story time 10 ms.
struct ClosedLane : LaneStage {
    ClosedLane() {
        server().offer.window = 1000;
        establish();
        client().sends(data(1, 1001));
        server().expects(data(1, 1001));
        at(10_ms);
        server().sends(ack(1001).window(0));
        client().expects(ack(1001).window(0));
        server().default_window = 0;
    }
};

}  // namespace

STORY("window probe: the far window is asked after 200 ms, with backoff to 5 s, by one true byte",
      "[zero_window]") {
    ClosedLane lane;
    auto due = 10_ms;
    for (const auto wait : {200_ms, 400_ms, 800_ms, 1600_ms, 3200_ms, 5000_ms, 5000_ms, 5000_ms}) {
        due = due + wait;
        lane.at(due - 3_ms);
        lane.server().expects_nothing();
        lane.at(due + 3_ms);
        const auto s = lane.server().takes();
        expect(s.begin == 1000 && s.end == 1001, "the byte below SND.UNA");
        lane.server().sends(ack(1001));
    }
    lane.client().expects_nothing();
    expect(lane.count(Side::server, "window_probes") == 8, "counted");
}

STORY("window probe: its answer opens both windows", "[zero_window]") {
    ClosedLane lane;
    // The server reads; its window update is lost.
    lane.at(215_ms);
    lane.server().expects(probe(1000).at(210_ms));
    lane.server().sends(ack(1001).window(64000));
    lane.client().expects(ack(1001).window(64000));
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(2001).window(64000));
    lane.client().expects(ack(2001));
    lane.at(10_s);
    lane.server().expects_nothing();
}

STORY("window probe: the client's own probe is answered, and asks the server", "[zero_window]") {
    ClosedLane lane;
    lane.at(100_ms);
    lane.client().sends(ack(1).seq(1000));  // Linux: an empty segment below its SND.UNA
    lane.client().expects(ack(1001).window(0));
    lane.server().expects(probe(1000).at(100_ms));
    lane.server().sends(ack(1001).window(64000));
    lane.client().expects(ack(1001).window(64000));
}

STORY("window probe: a client that probes with new data is answered, and asks the server as well",
      "[zero_window]") {
    // RFC 9293 section 3.8.6.1: the classic probe is one byte past the window. It is not taken.
    ClosedLane lane;
    lane.client().sends(probe(1001));
    lane.client().expects(ack(1001).window(0));
    lane.server().expects(probe(1000));
}

STORY("window probe: a closed window is not given up for minutes", "[zero_window]") {
    ClosedLane lane;
    for (int i = 0; i < 120; ++i) {
        lane.after(5_s);
        while (lane.server().has_unexpected()) {
            expect(!lane.server().takes().raw.has(flag::rst), "no RST");
            lane.server().sends(ack(1001));
        }
        while (lane.client().has_unexpected()) {
            expect(!lane.client().takes().raw.has(flag::rst), "no RST");
            lane.client().sends(ack(1));
        }
    }
    lane.server().default_window = 64000;
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001).window(64000));
}

STORY("window probe: an open window is not probed", "[zero_window]") {
    LaneStage lane;
    lane.establish();
    lane.at(100_s);
    lane.server().expects_nothing();
    lane.client().expects_nothing();
}

STORY("persist: bytes that wait before a shrunken window are probed for, and go when it opens",
      "[zero_window]") {
    LaneStage lane;
    lane.establish();
    for (Position p = 1; p < 20001; p += 1000) lane.client().sends(data(p, p + 1000));
    while (lane.server().has_unexpected()) lane.server().takes();
    const auto sent = lane.server().knows().heard_end;
    expect(sent < 20'001, "some wait for the congestion window");
    lane.at(10_ms);
    lane.server().sends(ack(sent).window(0));
    lane.client().expects(ack(sent));
    lane.at(215_ms);
    lane.server().expects(probe(sent - 1).at(210_ms));
    lane.server().sends(ack(sent).window(64000));
    lane.server().expects(data(sent, sent + 1000));
    expect_equal(lane.count(Side::server, "zero_window_probes"), 1, "persist probes");
    lane.ignore_rest();
}
