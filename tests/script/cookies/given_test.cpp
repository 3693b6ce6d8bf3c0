// When cookies are given, what they say, and that they cost nothing.
#include "tests/script/cookies/flooded.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("cookies: a SYN too many is answered at once, and reaches no backend", "[cookies]") {
    FloodedStage lane;
    const auto held = lane.held_mbufs();
    auto& c = lane.given_cookie();
    c.server.expects_nothing();
    lane.expect_count(Side::client, "cookies_sent", 1);
    lane.expect_count(Side::client, "sessions_opened", 2);
    expect_equal(lane.held_mbufs(), held, "mbufs held");
    lane.after(60_s);
    c.client.expects_nothing();
    c.server.expects_nothing();
    lane.ignore_rest();
}

STORY("cookies: limits.half_open = 0 gives them to all, with no more than an MSS while no backend is known",
      "[cookies]") {
    LaneStage lane(bound_of(0));
    lane.client().sends(syn());
    lane.client().expects(syn_ack().mss(1460).sack_ok(false).no_timestamps().no_scale().window(14600));
    lane.client().sends(ack(1));
    lane.server().expects(syn().sack_ok(false).no_timestamps().no_scale());
    accept(lane.main());
    lane.server().expects(ack(1));
    lane.client().sends(data(1, 1001).ack(1));
    lane.server().expects(data(1, 1001).no_timestamps());
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001).no_timestamps());
    lane.expect_view(proxy::View::terminated);
}

STORY("cookies: what every backend accepts is offered, and the server is offered the same", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.another();
    c.client.sends(syn());
    c.client.expects(syn_ack().sack_ok(true).timestamps_on().scale(7).window(14600));
    c.client.sends(ack(1));
    c.server.expects(syn().mss(1460).sack_ok(true).timestamps_on().scale(7));
}

STORY("cookies: a client without timestamps gets no other option but its MSS", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.another();
    c.client.offer.timestamps = false;
    c.client.offer.mss = 1400;
    c.client.sends(syn());
    c.client.expects(syn_ack().sack_ok(false).no_timestamps().no_scale());
    c.client.sends(ack(1));
    c.server.expects(syn().mss(1400).sack_ok(false).no_timestamps().no_scale());
}

STORY("cookies: options that the client did not offer are not made up", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.another();
    c.client.offer.sack = false;
    c.client.offer.shift = -1;
    c.client.sends(syn());
    c.client.expects(syn_ack().sack_ok(false).timestamps_on().no_scale());
    c.client.sends(ack(1));
    c.server.expects(syn().sack_ok(false).timestamps_on().no_scale());
}

STORY("cookies: an MSS between two of the table becomes the smaller one", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie({.mss = 1300});
    c.client.sends(ack(1));
    c.server.expects(syn().mss(1220));
}

STORY("cookies: when the half-open sessions are gone SYNs open sessions again", "[cookies]") {
    FloodedStage lane;
    lane.given_cookie();
    lane.calm_down();
    auto& c = lane.another();
    // The client that got a cookie and never answered has no server: the next one to be opened is this one's.
    lane.conversations()[2].server_bound = true;
    lane.pass_syn(c);
    lane.expect_count(Side::client, "cookies_sent", 1);
    lane.ignore_rest();
}

STORY("cookies: who is in the middle of a handshake when the flood begins completes it", "[cookies]") {
    FloodedStage lane;
    lane.given_cookie();
    lane.pass_syn_ack(*lane.flooder);
    lane.flooder->client.sends(ack(1));
    lane.flooder->server.expects(ack(1));
    lane.expect_count(Side::client, "sessions_established", 2);
}

STORY("cookies: no neighbour is looked up for whoever sends a SYN, or anything else unasked", "[cookies]") {
    LaneStage lane(bound_of(0));
    lane.client().sends(syn());
    lane.client().expects(syn_ack());
    lane.client().sends(ack(77));
    lane.client().expects(rst(77));
    lane.expect_count(Side::client, "arp_requests_sent", 0);
    lane.expect_count(Side::client, "solicitations_sent", 0);
}
