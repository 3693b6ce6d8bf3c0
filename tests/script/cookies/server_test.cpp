// The server is asked when the client believes that it is connected: what if it will not, or not so.
#include "tests/script/cookies/flooded.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("cookies: the server's handshake completes when the standby has stored the session", "[cookies]") {
    FloodedStage lane(true);
    lane.standby.confirms = false;
    auto& c = lane.given_cookie();
    c.client.sends(data(1, 301).ack(1));
    c.server.expects(syn());
    c.server.sends(syn_ack());
    c.server.expects_nothing();
    c.client.expects_nothing();
    lane.confirm_all();
    c.server.expects(data(1, 301).ack(1));
    c.client.expects(ack(1).window(64000));
}

STORY("cookies: a standby slower than store_wait leaves the session unprotected, counted", "[cookies]") {
    FloodedStage lane(true);
    lane.standby.confirms = false;
    auto& c = lane.given_cookie();
    c.client.sends(ack(1));
    c.server.expects(syn());
    c.server.sends(syn_ack());
    lane.after(49_ms);
    c.server.expects_nothing();
    lane.after(2_ms);
    c.server.expects(ack(1));
    c.client.expects(ack(1).window(64000));
    lane.expect_count(Side::client, "sessions_store_late", 1);
}

STORY("cookies: a backend's refusal is a RST to the client, who thought that it was connected", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(data(1, 301).ack(1));
    c.server.expects(syn());
    c.server.sends(rst(0).ack(1));
    c.client.expects(rst(1).ack(1));
    lane.expect_count(Side::client, "cookie_sessions_reset", 1);
    lane.expect_count(Side::server, "sessions_refused_backend", 1);
}

STORY("cookies: a backend that never answers, likewise", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(ack(1));
    c.server.expects(syn());
    lane.after(100_s);
    c.client.expects(rst(1).ack(1));
    lane.expect_count(Side::client, "cookie_sessions_reset", 1);
    lane.ignore_rest();
}

STORY("cookies: a client that goes away before the server has answered", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(ack(1));
    c.server.expects(syn());
    c.client.sends(rst(1));
    c.server.expects(rst(1));
    c.client.expects_nothing();
}

STORY("cookies: a FIN right behind the first bytes is passed on behind them", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(data(1, 301).ack(1).fin());
    c.server.expects(syn());
    accept(c);
    c.server.expects(data(1, 301).ack(1));
    c.server.expects(fin(301));
    c.server.sends(ack(302));
    c.client.expects(ack(302));
}

STORY(
    "cookies: a backend that accepts less than was agreed on ends the session, and no cookie offers it again",
    "[cookies]") {
    for (const auto& less : {Offer{.sack = false}, Offer{.timestamps = false}, Offer{.shift = -1}}) {
        FloodedStage lane;
        auto& c = lane.given_cookie();
        c.client.sends(ack(1));
        c.server.expects(syn());
        c.server.offer = less;
        c.server.sends(syn_ack());
        c.server.expects(rst(1));
        c.client.expects(rst(1).ack(1));
        lane.expect_count(Side::server, "cookie_options_refused", 1);
        lane.expect_count(Side::client, "cookie_sessions_reset", 1);
        auto& next = lane.another();
        next.client.sends(syn());
        const auto answer = next.client.takes();
        const bool options = less.timestamps;
        expect(answer.raw.options.sack_permitted == (options && less.sack), "SACK");
        expect(answer.raw.options.timestamps.has_value() == options, "timestamps");
        expect(answer.raw.options.window_scale.has_value() == (options && less.shift >= 0), "window scale");
    }
}

STORY("cookies: a backend may choose another shift than the cookie's; windows are converted", "[cookies]") {
    FloodedStage lane;
    auto& c = lane.given_cookie();
    c.client.sends(ack(1));
    c.server.expects(syn());
    c.server.offer.shift = 3;
    accept(c);
    c.server.expects(ack(1));
    c.client.sends(data(1, 301).ack(1));
    c.server.expects(data(1, 301));
    c.server.sends(ack(301).window(300'000));
    c.client.expects(ack(301).window(300'000 & ~127));
}
