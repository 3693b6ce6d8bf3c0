// Attacks by somebody who does not see the connection, and must guess its numbers (RFC 5961).
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("rfc5961: a RST with exactly the next number resets", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));
}

STORY("rfc5961: a RST elsewhere in the window is challenged", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(rst(2));
    lane.client().expects(ack(1).seq(1));
    lane.client().sends(rst(60'000));
    lane.client().expects(ack(1).seq(1));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "rst_challenged", 2);
    // An end that really is gone answers the challenge with the exact number.
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));
}

STORY("rfc5961: a RST outside the window is dropped in silence", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(rst(0));
    lane.client().sends(rst(70'000));
    lane.client().sends(rst(0x40000000));
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "rst_ignored", 3);
}

STORY("rfc5961: while bytes are withheld two numbers are exact: received and acknowledged", "[rfc5961]") {
    // The end knows both: it speaks unasked with its SND.NXT, and answers a challenge with our ACK number.
    for (const Position exact : {Position{1}, Position{1001}}) {
        LaneStage lane;
        lane.establish();
        lane.client().sends(data(1, 1001));
        lane.server().expects(data(1, 1001));
        lane.client().sends(rst(exact));
        lane.server().expects(rst(1001));
    }
}

STORY("rfc5961: between the two a RST is challenged, with the number acknowledged", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    for (const Position p : {Position{2}, Position{500}, Position{1000}, Position{1002}}) {
        lane.client().sends(rst(p));
        lane.client().expects(ack(1));
    }
    lane.client().sends(rst(1));
    lane.server().expects(rst(1001));
}

STORY("rfc5961: a SYN on a living connection is challenged, whatever its number", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    auto again = syn();
    lane.client().sends(again.seq(0));
    lane.client().expects(ack(1));
    lane.client().sends(again.seq(1));
    lane.client().expects(ack(1));
    lane.client().sends(again.seq(500'000));
    lane.client().expects(ack(1));
    lane.server().expects_nothing();
    lane.expect_view(proxy::View::terminated);
}

STORY("rfc5961: a client that restarted comes in by way of the challenge", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    auto again = syn();
    lane.client().sends(again.seq(500'000));
    lane.client().expects(ack(1));
    lane.client().sends(rst(1));  // to it, our ACK is of nothing it knows
    lane.server().expects(rst(1));
    lane.main().begin_anew(LaneStage::client_isn + 500'000);
    lane.establish();
}

STORY("rfc5961: an ACK of bytes never sent is challenged and its data dropped", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 101).ack(2));
    lane.client().expects(ack(1));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "ack_of_unsent", 1);
}

STORY("rfc5961: an ACK older than any window is challenged", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    Position sent = 1;
    // Far enough that the number is older than the largest window ever offered.
    for (; sent < 140'001; sent += 1000) {
        lane.server().sends(data(sent, sent + 1000));
        lane.client().takes();
        lane.client().sends(ack(sent + 1000));
        lane.server().takes();
    }
    lane.client().ignores_rest();
    lane.client().sends(data(1, 101).ack(1));
    lane.client().expects(ack(1));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "ack_too_old", 1);
    lane.client().sends(data(1, 101).ack(sent - 60'000));
    lane.server().expects(data(1, 101));
}

STORY("rfc5961: at most ten challenges a second", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    for (int i = 0; i < 25; ++i) lane.client().sends(rst(5000));
    for (int i = 0; i < 10; ++i) lane.client().expects(ack(1));
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "challenge_acks_limited", 15);
    lane.after(1001_ms);
    lane.client().sends(rst(5000));
    lane.client().expects(ack(1));
}

STORY("rfc5961: one connection's challenges do not use up another's", "[rfc5961]") {
    LaneStage lane;
    auto& second = lane.another();
    lane.establish();
    lane.establish(second);
    for (int i = 0; i < 20; ++i) lane.client().sends(rst(5000));
    lane.client().ignores_rest();
    second.client.sends(rst(5000));
    second.client.expects(ack(1));
}

STORY("rfc5961: the server's side is protected alike", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(rst(100));
    lane.server().expects(ack(1));
    lane.server().sends(rst(70'000));
    lane.server().expects_nothing();
    lane.client().expects_nothing();
    lane.server().sends(rst(1));
    lane.client().expects(rst(1));
}

STORY("rfc5961: two confused stacks do not answer each other for ever", "[rfc5961]") {
    LaneStage lane;
    lane.establish();
    // Pure ACKs outside the window: at most two a second are answered.
    for (int i = 0; i < 10; ++i) {
        lane.after(100_ms);
        lane.client().sends(ack(1).seq(500'000));
    }
    int answers = 0;
    for (; lane.client().has_unexpected(); ++answers) lane.client().takes();
    expect(answers >= 1 && answers <= 3, "an answer every half second");
}
