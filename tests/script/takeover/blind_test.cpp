// After a takeover anybody may guess a plausible segment: it goes on, for the far end to judge, and moves
// nothing here.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// A stage on which somebody else speaks in the client's name.
struct Attacked : TakeoverStage {
    explicit Attacked(const Past& past = {}) : TakeoverStage(past) {
        trust_nobody();
        take_over();
        client().ignores_rest();
        server().ignores_rest();
    }
    void stranger_sends(const Seg& s) {
        const auto honest = client().knowledge();
        client().sends(s);
        client().knowledge() = honest;
        client().ignores_rest();
        server().ignores_rest();
    }
    /// Both ends speak for themselves, and the session is served by our own TCP again.
    void ends_go_on() {
        client().sends(ack(501));
        server().sends(ack(1001));
        after(700_ms);
        client().ignores_rest();
        server().ignores_rest();
        expect_view(proxy::View::terminated);
        client().sends(data(1001, 2001));
        server().expects(data(1001, 2001));
    }
};

}  // namespace

STORY("blind: a timestamp far ahead deafens nobody", "[takeover]") {
    Attacked lane;
    lane.stranger_sends(ack(501).seq(1001).ts(lane.client().ts_now() + 0x7fff0000).echo(0x12345678));
    lane.expect_count(Side::client, "translate_not_credible", 1);
    lane.ends_go_on();
}

STORY("blind: without timestamps, numbers far ahead move nothing", "[takeover]") {
    Attacked lane({.timestamps = false});
    lane.client().sends(ack(501));
    lane.stranger_sends(ack(501).seq(900'000'000));
    lane.stranger_sends(ack(400'000'000).seq(1001));
    lane.expect_count(Side::client, "translate_not_credible", 2);
    lane.ends_go_on();
}

STORY("blind: a RST that no probe asked for does not keep a session from being anchored", "[takeover]") {
    Attacked lane;
    lane.stranger_sends(rst(900'000'000));
    lane.ends_go_on();
    const auto probes = lane.count(Side::client, "takeover_probes");
    lane.after(3_s);
    lane.ignore_rest();
    expect_equal(lane.count(Side::client, "takeover_probes"), probes, "probes");
}

STORY("blind: SYNs make us ask, twice a second at most, and wear out nobody's patience", "[takeover]") {
    Attacked lane;
    const auto before = lane.count(Side::client, "takeover_probes");
    for (int i = 0; i < 40; ++i) {
        lane.stranger_sends(syn());
        lane.after(1_ms);
    }
    expect(lane.count(Side::client, "takeover_probes") <= before + 2, "asked rarely");
    lane.after(300_ms);
    lane.client().ignores_rest();
    lane.server().ignores_rest();
    lane.ends_go_on();
}

STORY("takeover: urgent data is data like all other, as in terminated mode", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    auto urgent = data(1001, 1101);
    urgent.flags |= flag::urg;
    lane.client().sends(urgent);
    const auto s = lane.server().takes();
    expect(!s.raw.has(flag::urg) && s.begin == 1001 && s.end == 1101, "no URG, all bytes");
    lane.ignore_rest();
}

STORY("takeover: a standby that connects meanwhile gets the sessions that still wait to be taken over",
      "[takeover]") {
    LaneOptions options;
    options.limits.sessions = 256;
    options.limits.ring = 4096;
    options.mbufs = 4095;
    TakeoverStage lane({}, options);
    for (int i = 0; i < 199; ++i) lane.install_another({});
    auto& node = lane.lane().node;
    node.term = 2;
    node.role = proxy::Role::active;
    ++node.role_epoch;
    lane.connect_standby();
    lane.at(5_s);
    lane.ignore_rest();
    std::uint64_t opened = 0;
    for (const auto& e : lane.standby.records[0]) opened += e.kind == proxy::JournalKind::opened ? 1 : 0;
    expect_equal(opened, 200, "sessions in the snapshot");
}
