// A standby holds sessions without legs: what ends, changes or is used again there before a takeover.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("waiting: a slot that was used again is taken over once, as the newer session", "[takeover]") {
    TakeoverStage lane;
    auto& newer = lane.use_slot_again({});
    lane.take_over();
    newer.client.expects(probe(500).ack(1000));
    newer.server.expects(probe(1000).ack(500));
    // The flow of the session before is unknown.
    lane.client().sends(data(1001, 1101));
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "unknown_flow_quiet", 1);
    lane.expect_count(Side::client, "sessions_installed", 2);
}

STORY("waiting: a session that ended is forgotten, and its slot serves again in a new generation",
      "[takeover]") {
    TakeoverStage lane;
    lane.expect_view(proxy::View::installed);
    lane.remove(0);
    lane.expect_view(proxy::View::none);
    lane.expect_count(Side::server, "sessions_removed", 1);
    lane.take_over();
    lane.client().expects_nothing();
    lane.establish(lane.another());
    expect_equal(lane.record(0).id.generation, 2, "the generation of the slot");
}

STORY("waiting: the newest hints count, and those of another generation do not", "[takeover]") {
    TakeoverStage lane({.progress = false});
    auto hints = lane.hints_of(lane.record(), lane.main(), {});
    for (auto& p : hints) p.version = 2;
    lane.hint(hints);
    // Both are late: one by its version, one by its session.
    auto late = lane.hints_of(lane.record(), lane.main(), {.up = 101, .down = 51});
    lane.hint(late);
    for (auto& p : late) {
        p.version = 9;
        p.id.generation = 0;
    }
    lane.hint(late);
    lane.take_over();
    lane.client().expects(probe(500).ack(1000));
    lane.server().expects(probe(1000).ack(500));
}
