// Right after a takeover each end is asked, by a segment that can neither acknowledge nor add anything.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("takeover: each end gets one true byte below the hint, its ACK one below the hint, and no echo",
      "[takeover]") {
    TakeoverStage lane;
    lane.client().expects_nothing();
    lane.take_over();
    lane.client().expects(probe(500).ack(1000).echo(0));
    lane.server().expects(probe(1000).ack(500).echo(0));
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_view(proxy::View::translated);
}

STORY("takeover: our timestamps jump ten seconds a term, so they never go back", "[takeover]") {
    for (const std::uint64_t terms : {1u, 2u, 5u}) {
        TakeoverStage lane;
        const auto before = lane.client().knows().heard_ts;
        lane.become_active(1 + terms);
        const auto s = lane.client().expects(probe(500));
        const auto jump = s.raw.options.timestamps->value - before;
        expect(jump >= terms * 10'000 && jump < terms * 10'000 + 10, "the guard of each term");
        lane.server().expects(probe(1000));
    }
}

STORY("takeover: no byte was ever sent that way: an empty segment below the hint", "[takeover]") {
    TakeoverStage lane({.up = 1001, .down = 1});
    lane.take_over();
    lane.client().expects(ack(1000).seq(0));
    lane.server().expects(probe(1000).ack(0));
}

STORY("takeover: an end that stays silent is asked again, ever slower, and in the end given up",
      "[takeover]") {
    TakeoverStage lane;
    lane.take_over();
    lane.server().expects(probe(1000));
    lane.server().sends(ack(1001));
    lane.client().expects(probe(500).at(0_s));
    lane.client().expects(ack(1001).seq(501));  // the server's answer, passed on
    for (const auto due : {100_ms, 300_ms, 700_ms, 1500_ms, 3100_ms}) {
        lane.at(due + 3_ms);
        lane.client().expects(probe(500).ack(1000));
    }
    lane.at(1200_s);
    std::uint64_t probes = 6;
    while (!lane.client().takes().raw.has(flag::rst)) ++probes;
    expect_equal(probes, 16, "probes");
    lane.expect_count(Side::client, "sessions_timed_out", 1);
    lane.ignore_rest();
}

STORY("takeover: the most recently active sessions are asked first", "[takeover]") {
    TakeoverStage lane;
    lane.install_another({});
    lane.install_another({});
    // The second one has news after the third was installed.
    auto news = lane.hints_of(lane.record(1), lane.conversations()[1], {});
    for (auto& p : news) p.version = 2;
    lane.hint(news);
    lane.take_over();
    std::vector<std::string> clients;
    for (const auto& name : lane.order())
        if (name.starts_with("client")) clients.push_back(name);
    expect(clients == std::vector<std::string>{"client 2", "client 3", "client"}, "the order of the probes");
    lane.ignore_rest();
}

STORY("takeover: old hints do not replace newer ones", "[takeover]") {
    TakeoverStage lane;
    lane.hint(lane.hints_of(lane.record(), lane.main(), {.up = 101, .down = 51}));
    lane.take_over_and_probe();
}

STORY("takeover: newer hints do", "[takeover]") {
    TakeoverStage lane;
    auto news = lane.hints_of(lane.record(), lane.main(), {.up = 901, .down = 401});
    for (auto& p : news) p.version = 2;
    lane.hint(news);
    lane.take_over();
    lane.client().expects(probe(400).ack(900));
    lane.server().expects(probe(900).ack(400));
}

STORY("takeover: hints that are old are no harm: nothing follows from them", "[takeover]") {
    // The ends have come much further than the mirror knew.
    TakeoverStage lane({.up = 1001, .down = 501});
    auto& client = lane.client().knowledge();
    auto& server = lane.server().knowledge();
    client.sent = 50'001;
    client.acked = client.heard_end = 40'501;
    client.edge = 40'501 + 64'000;
    client.heard_ack = 49'001;
    server.sent = server.heard_ack = 40'501;
    server.acked = server.heard_end = 49'001;
    server.edge = 49'001 + 64'000;
    lane.take_over();
    lane.client().expects(probe(500).ack(1000));
    lane.server().expects(probe(1000).ack(500));
    // The client repeats what nobody acknowledged to it; the server answers for it.
    lane.client().sends(data(49'001, 50'001));
    lane.server().expects(data(49'001, 50'001).ack(40'501));
    lane.server().sends(ack(50'001));
    lane.client().expects(ack(50'001).seq(40'501));
}

STORY("takeover: without the lease nothing of the virtual self leaves (R4)", "[takeover]") {
    TakeoverStage lane;
    lane.set_lease(0_s);
    lane.take_over();
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    expect(lane.count(Side::client, "lease_expired_dropped") > 0, "counted");
    lane.set_lease(10_s);
    lane.client().sends(ack(501));
    lane.server().expects(ack(501).seq(1001));
    lane.ignore_rest();
}

STORY("takeover: a standby answers nobody", "[takeover]") {
    TakeoverStage lane;
    lane.client().sends(data(1001, 1101));
    lane.server().sends(data(501, 601));
    lane.after(10_s);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "not_active", 1);
    lane.expect_view(proxy::View::installed);
}

STORY("takeover: a session that the active closed is gone here, too", "[takeover]") {
    TakeoverStage lane;
    for (auto& ring : lane.lane().install)
        ring.push({proxy::InstallKind::remove, {}, lane.record().id, 0, {}});
    lane.settle();
    lane.expect_view(proxy::View::none);
    lane.take_over();
    lane.after(10_s);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
}
