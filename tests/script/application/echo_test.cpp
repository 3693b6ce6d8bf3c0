// Echo: the small application, over ordinary connections.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("echo: every byte goes back, and is acknowledged with the reply", "[application]") {
    LaneStage lane({.gate = Gate::app});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.client().expects(data(1, 1001).ack(1001));
    lane.client().sends(data(1001, 1501).ack(1001));
    lane.client().expects(data(1001, 1501).ack(1501));
    lane.client().sends(ack(1501));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("echo: the client is answered without any server, and offered what it offers", "[application]") {
    LaneStage lane({.gate = Gate::app});
    lane.client().sends(syn());
    lane.client().expects(syn_ack().sack_ok(true).timestamps_on().scale(7));
    lane.client().sends(ack(1));
    lane.expect_view(proxy::View::terminated);
}

STORY("echo: a client without options gets none", "[application]") {
    LaneStage lane({.gate = Gate::app});
    lane.client().offer = {536, -1, false, false, 8000};
    lane.client().sends(syn());
    lane.client().expects(syn_ack().sack_ok(false).no_timestamps().no_scale());
    lane.client().sends(ack(1));
    lane.client().sends(data(1, 101));
    lane.client().expects(data(1, 101).ack(101));
    lane.client().sends(ack(101));
}

STORY("echo: what came out of order goes back in order", "[application]") {
    LaneStage lane({.gate = Gate::app});
    lane.establish_application();
    lane.client().sends(data(501, 1001));
    lane.client().expects(ack(1).sack(501, 1001));
    lane.client().sends(data(1, 501));
    lane.client().expects(data(1, 1001).ack(1001));
    lane.client().sends(ack(1001));
}

STORY("echo: the client's FIN is answered by ours, and the slot is free in the end", "[application]") {
    LaneStage lane({.gate = Gate::app});
    lane.establish_application();
    lane.client().sends(data(1, 101).fin());
    lane.client().expects(data(1, 101).ack(102));
    lane.client().expects(fin(101).ack(102));
    lane.client().sends(ack(102));
    lane.after(61'000_ms);
    lane.expect_view(proxy::View::none);
    lane.expect_application_count("sessions_closed", 1);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("echo: a client that resets is gone at once", "[application]") {
    LaneStage lane({.gate = Gate::app});
    lane.establish_application();
    lane.client().sends(rst(1));
    lane.expect_application_count("sessions_closed", 1);
    lane.after(3000_ms);
    lane.expect_view(proxy::View::none);
}

STORY("echo: a lost reply is sent again", "[application]") {
    LaneStage lane({.gate = Gate::app});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.client().expects(data(1, 1001));
    lane.after(1100_ms);
    lane.client().expects(data(1, 1001));
    lane.client().sends(ack(1001));
}

STORY("echo: a client that answers a cookie is served like any other", "[application]") {
    LaneStage lane({.gate = Gate::app, .limits = {64, 2u << 20, 1023, 256, 0}});
    lane.establish_application();
    lane.expect_count(Side::client, "cookies_accepted", 1);
    lane.client().ignores_rest();  // the window is no longer the cookie's
    lane.client().sends(data(1, 1001));
    lane.client().expects(data(1, 1001).ack(1001));
    lane.client().sends(ack(1001));
}

STORY("echo: limits of the service hold", "[application]") {
    ServiceConfig service;
    service.sessions_max = 1;
    LaneStage lane({.gate = Gate::app, .service = service});
    lane.establish_application();
    auto& second = lane.another();
    second.client.sends(syn());
    second.client.expects(rst(0).ack(1));
    lane.expect_count(Side::client, "sessions_service_full", 1);
}
