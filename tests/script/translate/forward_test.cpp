// Translated mode: each segment goes on with the other leg's numbers, whatever the hints say.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

struct Translated : TakeoverStage {
    explicit Translated(const Past& past = {}, const LaneOptions& options = {})
        : TakeoverStage(past, options) {
        take_over_and_probe();
    }
};

}  // namespace

STORY("translate: SEQ, ACK and window are the same segment's; the bytes are not ours", "[translate]") {
    Translated lane;
    lane.client().sends(data(1001, 2001).ack(501).window(128'000));
    lane.server().expects(data(1001, 2001).ack(501).window(128'000));
    lane.client().expects_nothing();  // we acknowledge nothing ourselves
    lane.server().sends(data(501, 601).ack(2001).window(76'800));
    lane.client().expects(data(501, 601).ack(2001).window(76'800));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("translate: what looks like a duplicate goes on as well: the hints are only hints", "[translate]") {
    Translated lane;
    for (int i = 0; i < 2; ++i) {
        lane.client().sends(data(1, 101));
        lane.server().expects(data(1, 101));
    }
    lane.client().expects_nothing();
}

STORY("translate: what looks like a hole goes on as well", "[translate]") {
    Translated lane;
    lane.client().sends(data(5001, 6001));
    lane.server().expects(data(5001, 6001));
}

STORY("translate: an ACK is only ever a mapped one", "[translate]") {
    Translated lane;
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.client().expects_nothing();
    lane.server().sends(ack(1501));
    lane.client().expects(ack(1501).seq(501));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
}

STORY("translate: SACK blocks and D-SACK are mapped", "[translate]") {
    Translated lane;
    lane.server().sends(ack(1001).sack(3001, 4001).sack(2001, 2501));
    lane.client().expects(ack(1001).sack(3001, 4001).sack(2001, 2501));
    lane.server().sends(ack(1001).sack(501, 1001));
    lane.client().expects(ack(1001).sack(501, 1001));
}

STORY("translate: TSval is ours, TSecr what this end was heard to say, before that 0", "[translate]") {
    Translated lane;
    lane.client().sends(data(1001, 1101).ts(0xffffff10));
    lane.server().expects(data(1001, 1101).echo(0));
    lane.server().sends(ack(1101).ts(0xffffff20));
    lane.client().expects(ack(1101).echo(0xffffff10));
    lane.client().sends(data(1101, 1201));
    lane.server().expects(data(1101, 1201).echo(0xffffff20));
}

STORY("translate: the echo is the newest heard, not the last", "[translate]") {
    Translated lane;
    lane.client().sends(ack(501).ts(0xffffff30));
    lane.client().sends(ack(501).ts(0xffffff20));
    lane.server().ignores_rest();
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001).echo(0xffffff30));
}

STORY("translate: without timestamps there are none", "[translate]") {
    Translated lane({.timestamps = false});
    lane.client().sends(data(1001, 1101));
    lane.server().expects(data(1001, 1101));
}

STORY("translate: FIN, PSH and RST stay what they are", "[translate]") {
    Translated lane;
    lane.client().sends(data(1001, 1101).push(false));
    lane.server().expects(data(1001, 1101).push(false));
    lane.client().sends(data(1101, 1201).fin());
    lane.server().expects(data(1101, 1201).fin().push());
    lane.server().sends(rst(501).ack(1202));
    lane.client().expects(rst(501).ack(1202));
}

STORY("translate: a keepalive goes to the far end, and its answer back", "[translate]") {
    Translated lane;
    lane.client().sends(ack(501).seq(1000));
    lane.server().expects(ack(501).seq(1000));
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
}

STORY("translate: segments too large for the other leg are cut anew; FIN and PSH belong to the last piece",
      "[translate]") {
    TakeoverStage lane;
    // The same session of another generation, whose server takes 600 bytes and timestamps.
    auto r = lane.record();
    r.id.generation = 2;
    r.leg[1].mss_send = lane.server().offer.mss = 612;
    lane.install(r, lane.hints_of(r, lane.main(), {}));
    lane.take_over_and_probe();
    lane.client().sends(data(1001, 2401).fin());
    lane.server().expects(data(1001, 1601).push(false));
    lane.server().expects(data(1601, 2201).push(false));
    lane.server().expects(data(2201, 2401).fin().push());
}

STORY("translate: a full ring drops and counts; the sender repeats", "[translate]") {
    LaneOptions options;
    options.limits.ring = 2;  // one place
    Translated lane({}, options);
    lane.client().sends_together({data(1001, 1101), data(1101, 1201), data(1201, 1301)});
    lane.server().expects(data(1001, 1101));
    lane.expect_count(Side::client, "translate_refused", 2);
    lane.client().sends(data(1101, 1201));
    lane.server().expects(data(1101, 1201));
}

STORY("translate: progress goes on to a standby of its own", "[translate]") {
    Translated lane;
    lane.connect_standby();
    expect(lane.standby.newest(Side::client, proxy::JournalKind::opened) != nullptr,
           "the session is in the snapshot");
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
    lane.client().sends(ack(501));
    lane.server().expects(ack(501));
    lane.after(100_ms);
    const auto* p = lane.standby.newest(Side::server, proxy::JournalKind::progress);
    expect(p != nullptr && p->progress.una == 2001, "what the server has acknowledged");
    lane.ignore_rest();
}

STORY("translate: an end whose timestamps count microseconds is heard for hours", "[translate]") {
    // Linux, features tcp_usec_ts. The session is never calm: there is always a byte under way.
    TakeoverStage lane;
    lane.trust_nobody();
    lane.take_over();
    lane.client().ignores_rest();
    lane.server().ignores_rest();
    auto at = lane.up();
    auto clock = lane.client().ts_now();
    for (int i = 0; i < 3600; ++i, ++at) {
        lane.after(1_s);
        clock += 1'000'000;
        lane.server().ignores_rest();
        lane.client().sends(data(at, at + 1).ts(clock));
        lane.server().expects(data(at, at + 1));
        lane.server().sends(ack(at));
        lane.client().ignores_rest();
    }
    lane.expect_count(Side::client, "translate_implausible", 0);
    lane.server().ignores_rest();
}
