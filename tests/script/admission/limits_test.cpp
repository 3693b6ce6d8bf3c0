// Limits of a service: live sessions, sessions of one source, new ones in a second.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions with(void (*set)(ServiceConfig&)) {
    LaneOptions o;
    set(o.service);
    return o;
}

void expect_refused(Conversation& c, Where where = Where::current()) {
    c.client.sends(syn());
    c.client.expects(rst(0).ack(1), where);
    c.client.knowledge().sent = 0;  // nothing of it is left
}

}  // namespace

STORY("admission: sessions_max counts live sessions; who comes too many is told so", "[admission]") {
    LaneStage lane(with([](ServiceConfig& s) { s.sessions_max = 2; }));
    auto& second = lane.another();
    auto& third = lane.another();
    lane.establish();
    lane.establish(second);
    expect_refused(third);
    lane.expect_count(Side::client, "sessions_service_full", 1);
    // A session that is over makes room at once, quarantine or not.
    second.client.sends(rst(1));
    second.server.expects(rst(1));
    lane.establish(third);
    lane.expect_count(Side::client, "sessions_opened", 3);
}

STORY("admission: sessions_per_source_max counts what one address has", "[admission]") {
    LaneStage lane(with([](ServiceConfig& s) { s.sessions_per_source_max = 1; }));
    auto& same = lane.another();
    auto& stranger = lane.another();
    // Another address, and with IPv6 another /64: only then it is another source.
    const auto text = LaneStage::speaks_ipv6(Side::client) ? "2001:db8:1:0:1::8" : "192.0.2.8";
    auto& neighbour = lane.another();
    neighbour.client.set_local({*IpAddress::parse(text), 40'000});
    stranger.client.set_local(
        {*IpAddress::parse(LaneStage::speaks_ipv6(Side::client) ? "2001:db8:77::8" : "192.0.2.9"), 40'000});
    lane.establish();
    expect_refused(same);
    if (LaneStage::speaks_ipv6(Side::client)) expect_refused(neighbour);
    else lane.establish(neighbour);
    stranger.client.sends(syn());
    stranger.server.expects(syn());
    lane.expect_count(Side::client, "sessions_source_full", LaneStage::speaks_ipv6(Side::client) ? 2 : 1);
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));
    lane.establish(same);
}

STORY("admission: accept_rate drops a SYN that comes too fast; it comes again and finds its place",
      "[admission]") {
    LaneStage lane(with([](ServiceConfig& s) { s.accept_rate = 2; }));
    auto& second = lane.another();
    auto& third = lane.another();
    lane.establish();
    lane.establish(second);
    third.client.sends(syn());
    third.client.expects_nothing();
    lane.expect_count(Side::client, "sessions_over_rate", 1);
    lane.after(500_ms);
    lane.establish(third);
}

STORY("admission: a client that does not finish its handshake is given up after handshake_timeout",
      "[admission]") {
    LaneStage lane(with([](ServiceConfig& s) { s.handshake_timeout = 1500_ms; }));
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.at(1490_ms);
    lane.client().expects(syn_ack().at(1_s));
    lane.server().expects_nothing();
    lane.at(1510_ms);
    lane.client().expects(rst(1));
    lane.server().expects(rst(1));
    lane.expect_count(Side::client, "sessions_handshake_failed", 1);
}
