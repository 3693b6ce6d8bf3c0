// Refusals: a connection that can not be is reset, not opened and then dropped.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("handshake: a backend's refusal becomes a RST to the client", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.server().sends(rst(0).ack(1));
    lane.client().expects(rst(0).ack(1));
    lane.expect_count(Side::server, "sessions_refused_backend", 1);
    // The client may try again at once.
    lane.after(1_s);
    lane.main().begin_anew(LaneStage::client_isn + 1000);
    lane.establish();
    lane.expect_count(Side::client, "sessions_opened", 2);
}

STORY("handshake: a SYN-ACK after the refusal is answered by RST", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.server().sends(rst(0).ack(1));
    lane.client().expects(rst(0).ack(1));
    lane.server().sends(syn_ack());
    lane.server().expects(rst(1).without_ack());
    lane.client().expects_nothing();
}

STORY("handshake: a RST that does not acknowledge our SYN refuses nothing", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.server().sends(rst(0).ack(2));
    lane.server().sends(rst(0));
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
}

STORY("handshake: a SYN-ACK of something else is answered by RST and changes nothing", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.server().sends(syn_ack().ack(77));
    lane.server().expects(rst(77));
    lane.client().expects_nothing();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
}

STORY("handshake: a server that resets before the client has answered", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.server().sends(rst(1).ack(1));
    lane.client().expects(rst(1));
    // RFC 9293 3.5.2: a reset is never answered.
    lane.server().expects_nothing();
}

STORY("handshake: a client that gives up before the server answered", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));
    lane.client().expects_nothing();
}

STORY("handshake: a client that gives up after the SYN-ACK", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));
    lane.client().expects_nothing();
}

STORY("handshake: an ACK of a number that we never sent is answered by RST, the handshake goes on",
      "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.client().sends(ack(500).seq(1));
    lane.client().expects(rst(500));
    lane.server().expects_nothing();
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
}

STORY("handshake: a RST outside the window does not end it", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.client().sends(rst(2));
    lane.client().sends(rst(100'000));
    lane.server().expects_nothing();
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
}

STORY("handshake: a SYN to a port of no service is answered by RST", "[handshake]") {
    LaneStage lane;
    auto elsewhere = LaneStage::service();
    elsewhere.port = 81;
    lane.client().knowledge().other = elsewhere;
    lane.client().sends(syn());
    lane.client().expects(rst(0).ack(1));
    lane.expect_count(Side::client, "syn_to_no_service", 1);
}

STORY("handshake: segments of no connection are answered by the RST of RFC 9293 3.10.7.1", "[handshake]") {
    LaneStage lane;
    auto& client = lane.client();
    client.knowledge().sent = 1;
    client.sends(data(1, 11).ack(77).no_timestamps());
    client.expects(rst(77));
    client.sends(fin(1).without_ack().ack(5));
    client.expects(rst(5));
    client.sends(rst(1));
    client.sends(rst(1).ack(1));
    client.expects_nothing();
    lane.expect_count(Side::client, "unknown_flow_reset", 2);
}
