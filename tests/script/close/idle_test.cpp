// Silence: endpoints that ask are answered, endpoints that no longer answer are asked and then given up.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("idle: a keepalive is answered, with or without its byte", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    lane.after(75_s);
    lane.client().sends(ack(1).seq(100));
    lane.client().expects(ack(101));
    lane.client().sends(probe(100));
    lane.client().expects(ack(101));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "keepalives_answered", 2);
}

STORY("idle: an idle session is probed on both legs with the last true byte, and lives when they answer",
      "[close]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(data(1, 51).ack(101));
    lane.client().expects(data(1, 51).ack(101));
    lane.client().sends(ack(51));
    lane.server().expects(ack(51));
    lane.at(301_s);
    lane.client().expects(probe(50).ack(101));
    lane.server().expects(probe(100).ack(51));
    lane.client().sends(ack(51));
    lane.server().sends(ack(101));
    lane.at(400_s);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_view(proxy::View::terminated);
}

STORY("idle: a session in which no byte was ever sent is probed like a keepalive", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.at(301_s);
    lane.client().expects(ack(1).seq(0));
    lane.server().expects(ack(1).seq(0));
    lane.client().sends(ack(1));
    lane.server().sends(ack(1));
}

STORY("idle: an end that is gone is given up after nine probes, and the other one is reset", "[close]") {
    LaneStage lane;
    lane.establish();
    int probes = 0;
    bool reset = false;
    for (int second = 300; second < 1200 && !reset; ++second) {
        lane.at(seconds(second));
        while (lane.server().has_unexpected()) {
            const auto s = lane.server().takes();
            probes += s.raw.has(flag::rst) ? 0 : 1;
        }
        if (!lane.client().has_unexpected()) continue;
        reset = lane.client().takes().raw.has(flag::rst);
        if (!reset) lane.client().sends(ack(1));
    }
    expect(reset, "the client is reset");
    expect_equal(static_cast<std::uint64_t>(probes), 9, "probes");
    lane.expect_view(proxy::View::closing);
    lane.expect_count(Side::server, "sessions_timed_out", 1);
    lane.ignore_rest();
}

STORY("idle: an end that answers the probe by RST is gone", "[close]") {
    LaneStage lane;
    lane.establish();
    lane.at(301_s);
    lane.client().takes();
    lane.server().takes();
    // A restarted host: its RST carries what our probe acknowledged.
    lane.server().sends(rst(1));
    lane.client().expects(rst(1));
}
