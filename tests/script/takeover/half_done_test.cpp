// Sessions that were in the middle of something: each goes on, or ends as it would have.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("takeover: half-closed: the server's data goes on after the client's FIN", "[takeover]") {
    TakeoverStage lane;
    // The client's FIN stood at 1000 and is acknowledged.
    auto hints = lane.hints_of(lane.record(), lane.main(), {});
    hints[0].version = hints[1].version = 2;
    hints[0].fin_received = hints[1].fin_sent = true;
    hints[1].has_last_byte = false;
    lane.hint(hints);
    lane.take_over();
    lane.client().expects(probe(500).ack(1000));
    lane.server().expects(ack(500).seq(1000));  // no byte stands below a FIN's end
    lane.server().sends(data(501, 601));
    lane.client().expects(data(501, 601).ack(1001));
    lane.client().sends(ack(601));
    lane.server().expects(ack(601));
    // Quiescent: terminated again, and half-closed still.
    lane.after(50_ms);
    lane.expect_view(proxy::View::terminated);
    lane.server().sends(data(601, 701).fin());
    lane.client().expects(data(601, 701));
    lane.client().expects(fin(701));
    lane.client().sends(ack(702));
    lane.server().expects(ack(702));
    lane.expect_view(proxy::View::closing);
}

STORY("takeover: of a FIN that the far end has not acknowledged the standby is told nothing", "[takeover]") {
    // Else a new active that finds both ends at rest below the FIN takes the last byte for it.
    LaneStage lane({.standby_connected = true});
    lane.establish();
    const auto told = [&](Side side) {
        const auto* entry = lane.standby.newest(side, proxy::JournalKind::progress);
        expect(entry != nullptr, "a Progress record");
        return entry->progress;
    };
    lane.server().sends(data(1, 23));
    lane.server().sends(fin(23));
    lane.client().expects(data(1, 23));
    lane.client().expects(fin(23));
    lane.client().sends(ack(23));
    lane.server().expects(ack(23));
    lane.after(150_ms);
    expect(!told(Side::server).fin_received && !told(Side::client).fin_sent, "the FIN is not done");
    lane.client().sends(ack(24));
    lane.server().expects(ack(24));
    lane.after(150_ms);
    expect(told(Side::server).fin_received && told(Side::client).fin_sent, "the FIN is done");
    lane.ignore_rest();
}

STORY("takeover: a session that is over, and looks half-closed, is not kept for long", "[takeover]") {
    // The server's FIN stood at 500; nobody told the standby.
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.both_heard();
    lane.after(50_ms);
    lane.expect_view(proxy::View::terminated);
    lane.client().sends(fin(1001));
    lane.server().expects(fin(1001).ack(501));
    lane.server().sends(ack(1002));
    lane.client().expects(ack(1002));
    // Both ends are done. One that is gone says so when it is asked.
    lane.after(4900_ms);
    lane.client().expects_nothing();
    lane.after(150_ms);
    lane.client().expects(probe(500).ack(1002));
    lane.server().expects(probe(1000).ack(501));
    lane.client().sends(rst(1002));
    lane.server().expects(rst(1002));
    lane.expect_view(proxy::View::closing);
}

STORY("takeover: a FIN is remembered through a long silence of its endpoint", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.client().sends(fin(1001));
    lane.server().expects(fin(1001).ack(501));
    lane.server().sends(data(501, 601).ack(1002));
    lane.client().expects(data(501, 601).ack(1002));
    // It is asked, and answers nothing: what it said is not trusted for ever.
    lane.after(8_s);
    lane.client().ignores_rest();
    lane.server().ignores_rest();
    lane.client().sends(ack(601));
    lane.server().sends(ack(1002).seq(601));
    lane.after(100_ms);
    lane.client().ignores_rest();
    lane.server().ignores_rest();
    lane.expect_view(proxy::View::terminated);
    lane.server().sends(fin(601));
    lane.client().expects(fin(601));
    lane.client().sends(ack(602));
    lane.server().expects(ack(602));
    lane.expect_view(proxy::View::closing);
}

STORY("takeover: a FIN under way is repeated by its sender and passed on", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.client().sends(fin(1001));
    lane.server().expects(fin(1001).ack(501));
    lane.server().sends(ack(1002));
    lane.client().expects(ack(1002).seq(501));
    lane.server().sends(fin(501).ack(1002));
    lane.client().expects(fin(501).ack(1002));
    lane.client().sends(ack(502));
    lane.server().expects(ack(502).seq(1002));
    lane.after(100_ms);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_view(proxy::View::closing);
}

STORY("takeover: a closed window stays closed, and opens when the server says so", "[takeover]") {
    TakeoverStage lane;
    lane.server().knowledge().edge = lane.client().knowledge().heard_edge = 1001;
    lane.take_over_and_probe();
    lane.server().sends(ack(1001).window(0));
    lane.client().expects(ack(1001).window(0));
    lane.client().sends(ack(501).seq(1000));  // its window probe
    lane.server().expects(ack(501).seq(1000));
    lane.server().sends(ack(1001).window(64000));
    lane.client().expects(ack(1001).window(64000));
}

STORY("takeover: gate none: ends that agree go on", "[takeover]") {
    TakeoverStage lane({.gate = Gate::none});
    lane.take_over_and_probe();
    lane.client().sends(ack(501));
    lane.server().sends(ack(1001));
    lane.after(100_ms);
    lane.expect_view(proxy::View::terminated);
    lane.client().expects(ack(1001).window(64000));  // the probes had closed the windows
    lane.server().expects(ack(501).window(64000));
    lane.client().sends(data(1001, 1101));
    lane.client().expects(ack(1101));
    lane.server().expects(data(1001, 1101));
}

STORY("takeover: gate none: bytes that the old node acknowledged and lost end the session, counted",
      "[takeover]") {
    TakeoverStage lane({.gate = Gate::none});
    // The client was told that 2000 arrived; the server has 1000 of them.
    lane.client().knowledge().sent = lane.client().knowledge().heard_ack = 2001;
    lane.take_over_and_probe();
    lane.client().sends(ack(501));
    lane.server().sends(ack(1001));
    lane.at(3_s);
    expect(lane.client().takes().raw.has(flag::rst), "the client is reset");
    expect(lane.server().takes().raw.has(flag::rst), "the server is reset");
    const auto counted = lane.count(Side::client, "sessions_unproven_reset") +
                         lane.count(Side::server, "sessions_unproven_reset");
    expect(counted > 0, "counted");
}

STORY("takeover: the ACK of what only the old active sent is taken once a timeout tells", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.both_heard();
    lane.after(50_ms);
    lane.expect_view(proxy::View::terminated);
    // The server holds [1501, 2001) above the hole at 1001, and has not said so.
    lane.server().knowledge().heard_end = 2001;
    lane.client().sends(data(1001, 1501));
    lane.server().expects(data(1001, 1501));
    lane.server().sends(ack(2001));
    lane.client().expects_nothing();
    lane.server().ignores_rest();
    lane.after(1500_ms);
    lane.server().ignores_rest();
    lane.client().expects_nothing();
    lane.server().sends(ack(2001));
    lane.client().expects(ack(1501));
    // Its sender still has the rest, and is told; the server hears of it no second time.
    lane.client().sends(data(1501, 2001));
    lane.client().expects(ack(2001));
    lane.server().expects_nothing();
    lane.client().sends(data(2001, 2101));
    lane.server().expects(data(2001, 2101));
    lane.ignore_rest();
}
