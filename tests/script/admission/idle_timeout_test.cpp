// service.idle_timeout_s: sessions that say nothing end, however alive their ends are.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions ends_after(Duration timeout) {
    LaneOptions o;
    o.service.idle_timeout = timeout;
    return o;
}

}  // namespace

STORY("admission: without payload for idle_timeout a session is reset at both ends", "[admission]") {
    LaneStage lane(ends_after(10_s));
    lane.establish();
    lane.at(6_s);
    lane.server().sends(data(1, 11));
    lane.client().expects(data(1, 11));
    lane.client().sends(ack(11));
    lane.server().expects(ack(11));
    // An ACK is no payload, and payload either way counts.
    lane.at(12_s);
    lane.client().sends(ack(11));
    lane.at(15990_ms);
    lane.client().expects_nothing();
    lane.at(16010_ms);
    lane.client().expects(rst(11));
    lane.server().expects(rst(1));
    lane.expect_count(Side::client, "sessions_idle", 1);
}

STORY("admission: answered probes of a living end are no payload", "[admission]") {
    auto options = ends_after(10_s);
    options.tcp.idle_probe = 4_s;
    LaneStage lane(options);
    lane.establish();
    for (const auto t : {4100_ms, 8200_ms}) {
        lane.at(t);
        lane.client().takes();
        lane.server().takes();
        lane.client().sends(ack(1));
        lane.server().sends(ack(1));
    }
    lane.at(10010_ms);
    lane.client().expects(rst(1));
    lane.server().expects(rst(1));
}

STORY("admission: the time of silence goes on across a takeover", "[admission]") {
    TakeoverStage lane({}, ends_after(60_s));
    // The mirror told of payload ten seconds after the session opened.
    auto hints = lane.hints_of(lane.record(), lane.main(), {});
    for (auto& h : hints) {
        h.version = 2;
        h.last_active = lane.record().opened_at + 10_s;
    }
    lane.hint(hints);
    lane.at(30_s);
    lane.take_over_and_probe();
    lane.both_heard();
    lane.at(68_s);
    lane.expect_count(Side::client, "sessions_idle", 0);
    lane.at(71_s);
    lane.expect_count(Side::client, "sessions_idle", 1);
    lane.ignore_rest();
}
