// Answers to cookies: good ones begin a session, others begin nothing.
#include "tests/script/cookies/flooded.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("cookies: a server that speaks first is opened by the bare ACK", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.established_by_cookie();
    c.server.sends(data(1, 501));
    c.client.expects(data(1, 501));
    c.client.sends(ack(501));
    c.server.expects(ack(501));
    lane.expect_count(Side::client, "cookies_accepted", 1);
    lane.expect_count(Side::client, "sessions_established", 2);
}

STORY("cookies: a client's first bytes wait for the server, unacknowledged", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(ack(1));
    c.server.expects(syn());
    c.client.sends(data(1, 301).ack(1));
    c.client.sends(data(301, 701));
    c.client.expects_nothing();
    accept(c);
    c.server.expects(data(1, 701).ack(1));
    c.client.expects_nothing();
    c.server.sends(ack(701));
    c.client.expects(ack(701));
}

STORY("cookies: data with the answer is not lost when the bare ACK was", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(data(1, 301).ack(1));
    c.server.expects(syn());
    accept(c);
    c.server.expects(data(1, 301).ack(1));
    c.server.sends(ack(301));
    c.client.expects(ack(301));
}

STORY("cookies: bytes that overtake the answer are not reset, they come again", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(data(301, 701).ack(1));
    c.client.expects_nothing();
    c.client.sends(fin(701).ack(1));
    c.client.expects_nothing();
    lane.expect_count(Side::client, "cookies_refused", 2);
    c.client.sends(data(1, 301).ack(1));
    c.server.expects(syn());
    c.client.sends(data(301, 701).ack(1));
    accept(c);
    c.server.expects(data(1, 701).ack(1));
    c.server.sends(ack(701));
    c.client.expects(ack(701));
    // No cookie is young any more.
    lane.after(4_s);
    auto& late = lane.another();
    late.client.sends(data(301, 701).ack(77));
    late.client.expects(rst(77));
    lane.ignore_rest();
}

STORY("cookies: the answer again opens nothing anew", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends_together({ack(1), ack(1)});
    c.server.expects(syn());
    c.client.sends(ack(1));
    c.server.expects_nothing();
    accept(c);
    c.server.expects(ack(1));
    lane.expect_count(Side::client, "cookies_accepted", 1);
}

STORY("cookies: a wrong number opens nothing and is reset like any segment of no session", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(ack(2));
    c.client.expects(rst(2));
    c.client.sends(ack(1).seq(2));
    c.client.expects(rst(1));
    c.server.expects_nothing();
    lane.expect_count(Side::client, "cookies_refused", 2);
    lane.expect_count(Side::client, "cookies_accepted", 0);
}

STORY("cookies: other options than were agreed on make it a wrong one", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(ack(1).no_timestamps());
    c.client.expects(rst(1));
    c.client.sends(ack(1).echo(c.client.knows().heard_ts + 1));
    c.client.expects(rst(1));
    lane.expect_count(Side::client, "cookies_refused", 2);
    c.client.sends(ack(1));
    c.server.expects(syn());
}

STORY("cookies: one is still good in the next time slot", "[cookies]") {
    LaneStage lane(bound_of(0));
    lane.client().sends(syn());
    lane.client().expects(syn_ack());
    lane.after(tcp::cookie_slot);
    lane.client().sends(ack(1));
    lane.server().expects(syn());
}

STORY("cookies: after two time slots it is good no more, whoever else still gets some", "[cookies]") {
    LaneStage lane(bound_of(0));
    lane.client().sends(syn());
    lane.client().expects(syn_ack());
    lane.after(tcp::cookie_lifetime);
    auto& other = lane.another();
    other.client.sends(syn());
    other.client.expects(syn_ack());
    lane.client().sends(ack(1));
    lane.client().expects(rst(1));
    lane.expect_count(Side::client, "cookies_refused", 1);
}

STORY("cookies: while none can be out an ACK of no session is not looked at as one", "[cookies]") {
    LaneStage lane;
    lane.after(tcp::cookie_lifetime);
    lane.client().sends(data(1, 2).ack(77));
    lane.client().expects(rst(77));
    lane.expect_count(Side::client, "cookies_refused", 0);
    lane.expect_count(Side::client, "unknown_flow_reset", 1);
}

STORY("cookies: the answer to one that was used up comes too late while its tuple is in quarantine",
      "[cookies]") {
    FloodedStage lane;
    auto& c = lane.established_by_cookie();
    c.client.sends(rst(1));
    c.server.expects(rst(1));
    c.client.sends(ack(1));
    c.client.expects(rst(1));
    c.server.expects_nothing();
    lane.expect_count(Side::client, "cookies_accepted", 1);
}

STORY("cookies: a new connection on a tuple in quarantine may begin with one, too", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.established_by_cookie();
    c.client.sends(rst(1));
    c.server.expects(rst(1));
    c.begin_anew(c.client.isn() + 5000);
    c.client.sends(syn());
    c.client.expects(syn_ack());
    c.client.sends(ack(1));
    c.server.expects(syn());
    lane.expect_count(Side::client, "cookies_accepted", 2);
}

STORY("cookies: a SYN that comes again after the flood does not shut out the cookie that its client holds",
      "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    lane.calm_down();
    c.client.sends(syn());
    c.server.expects(syn());
    // What is opened now is another connection to the server; the one before is reset.
    c.server.knowledge() = {};
    c.server_bound = false;
    lane.ignore_strangers();
    c.client.sends(data(1, 101).ack(1));
    c.server.expects(syn());
    accept(c);
    c.server.expects(data(1, 101).ack(1));
    lane.expect_count(Side::client, "cookies_accepted", 1);
    lane.after(3_s);
    c.server.sends(ack(101));
    c.client.expects(ack(101));
    lane.ignore_rest();
}

STORY("cookies: a client that is answered when all slots are taken is told so", "[cookies]") {
    auto options = bound_of(0);
    options.limits.sessions = 1;
    LaneStage lane(options);
    lane.client().sends(syn());
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(syn());
    auto& second = lane.another();
    second.client.sends(syn());
    second.client.expects(syn_ack());
    second.client.sends(ack(1));
    second.client.expects(rst(1));
    lane.expect_count(Side::client, "sessions_no_slot", 1);
}
