// The handshake goes end to end: each end is answered with what the other end said, and not before.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("handshake: the client is answered when the server has answered, the server when the client has",
      "[handshake]") {
    LaneStage lane;
    lane.client().sends(syn());
    lane.server().expects(syn());
    lane.client().expects_nothing();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.server().expects_nothing();
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.expect_view(proxy::View::terminated);
    lane.expect_count(Side::client, "sessions_established", 1);
}

STORY("handshake: all four sequence spaces wrap within what stories send", "[handshake]") {
    LaneStage lane;
    lane.establish();
    const auto& r = lane.record();
    for (const auto isn : {r.leg[0].irs, r.leg[0].iss, r.leg[1].irs})
        expect(isn.value > 0xffff0000, "the ISN is near the wrap");
}

STORY("handshake: data may come with the client's final ACK", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.client().sends(data(1, 101).ack(1));
    lane.server().expects(data(1, 101).ack(1));
    lane.client().expects_nothing();
}

STORY("handshake: data of the client without ACK of our SYN opens nothing", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.client().sends(data(1, 101));
    lane.expect_count(Side::client, "wrong_phase", 1);
    lane.server().expects_nothing();
    lane.client().expects_nothing();
}

STORY("handshake: a client that repeats its SYN before the server answered waits on", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.after(300_ms);
    lane.client().sends(syn());
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
}

STORY("handshake: a client that repeats its SYN after that gets the same SYN-ACK again", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.server().sends(syn_ack());
    const auto first = lane.client().expects(syn_ack());
    lane.after(300_ms);
    lane.client().sends(syn());
    const auto second = lane.client().expects(syn_ack());
    expect(first.raw.seq == second.raw.seq, "one ISN");
    lane.server().expects_nothing();
}

STORY("handshake: a server that repeats its SYN-ACK waits for the client like the first time",
      "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.after(300_ms);
    lane.server().sends(syn_ack());
    lane.server().expects_nothing();
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
}

STORY("handshake: an established server that repeats its SYN-ACK is told again that we have it",
      "[handshake]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(syn_ack());
    lane.server().expects(ack(1));
    lane.client().expects_nothing();
}

STORY("handshake: backends take turns", "[handshake]") {
    LaneStage lane({.backends = 2});
    lane.establish();
    lane.establish(lane.another());
    expect(lane.conversations()[0].server.local() != lane.conversations()[1].server.local(), "two backends");
}
