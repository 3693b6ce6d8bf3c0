// What a new active does not know, what it cannot believe, and what it takes for an end.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("takeover: segments of unknown flows meet silence for three seconds, then a RST", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    auto& stranger = lane.another().client;
    stranger.knowledge().sent = 1;
    stranger.sends(data(1, 101).ack(77).no_timestamps());
    lane.at(2990_ms);
    stranger.sends(data(1, 101).ack(77).no_timestamps());
    stranger.expects_nothing();
    lane.expect_count(Side::client, "unknown_flow_quiet", 2);
    lane.at(3010_ms);
    stranger.sends(data(1, 101).ack(77).no_timestamps());
    stranger.expects(rst(77));
    lane.ignore_rest();
}

STORY("takeover: new clients are served at once", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.establish(lane.another());
}

STORY("takeover: a SYN on a living tuple is answered by the probe; who restarted resets, and comes in",
      "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.after(10_ms);
    lane.client().sends(Seg(syn()).seq(700'000));
    lane.client().expects(probe(500).ack(1000));
    lane.server().expects_nothing();
    lane.client().sends(rst(1000));
    lane.server().expects(rst(1001));
    lane.main().begin_anew(LaneStage::client_isn + 700'000);
    lane.establish();
}

STORY("takeover: a RST that answers our probe ends the session at both ends", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.client().sends(rst(1000));
    lane.server().expects(rst(1001));
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "sessions_reset", 1);
    lane.expect_view(proxy::View::closing);
}

STORY("takeover: any other RST is passed on for the far end to judge, and the session stays", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.client().sends(rst(1200));
    lane.server().expects(rst(1200));
    lane.expect_view(proxy::View::translated);
    // We ask the client whether it still knows the session.
    lane.after(510_ms);
    while (lane.client().has_unexpected()) lane.client().expects(probe(500).ack(1000));
    lane.client().sends(ack(501));
    lane.expect_view(proxy::View::translated);
    lane.ignore_rest();
}

STORY("takeover: a segment far from all that is known is dropped and counted", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    const Position far = (Position{1} << 30) + 5;
    lane.client().sends(data(1001 + far, 1101 + far));
    lane.client().sends(ack(501 + far).seq(1001));
    lane.server().sends(ack(1001 + far).seq(501));
    lane.server().sends(rst(501 + far));
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "translate_implausible", 2);
    lane.expect_count(Side::server, "translate_implausible", 2);
}

STORY("takeover: a segment of a past life is known by its timestamp", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    const auto known = lane.client().ts_base;
    lane.client().sends(data(1001, 1101).ts(known - 60'000));
    lane.client().sends(data(1001, 1101).no_timestamps());
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "translate_implausible", 2);
    // A little older is reordering.
    lane.client().sends(data(1001, 1101).ts(known - 1000));
    lane.server().expects(data(1001, 1101));
}

STORY("takeover: a node that loses the active role forgets its sessions without a word", "[takeover]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.both_heard();
    lane.drop_table();
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_view(proxy::View::none);
    expect_equal(lane.pool(Side::client).in_use() + lane.pool(Side::server).in_use(), 0, "mbufs in use");
    lane.client().sends(data(1001, 1101));
    lane.client().expects_nothing();
}

STORY("takeover: a SYN that waited at the port while the role was lost opens nothing, then or later",
      "[takeover]") {
    LaneStage lane;
    // No core has run since the guard decided.
    auto& node = lane.lane().node;
    ++node.table_epoch;
    node.role = proxy::Role::standby;
    ++node.role_epoch;
    lane.client().sends(syn());
    lane.server().expects_nothing();
    expect_equal(lane.count(Side::client, "not_active"), 1, "segments not served");
    lane.become_active(3);
    lane.after(5_s);
    lane.server().expects_nothing();
    lane.client().expects_nothing();
}

STORY("takeover: a node that was silent for a while begins as after a takeover", "[takeover]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.retake();
    lane.expect_view(proxy::View::translated);
    // What it held was never acknowledged: its sender still has it.
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    lane.client().expects(ack(1000).seq(0));
    lane.server().expects(probe(1000).ack(0));
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
}
