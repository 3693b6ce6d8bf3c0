// The states of RFC 9293 section 3.3.2, one leg alone.
#include "tests/script/leg_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;
using tcp::State;

namespace {

struct Established : LegStage {
    Established() { accept(); }
};

/// We closed, and the peer has acknowledged our FIN.
struct FinWait2 : Established {
    FinWait2() {
        close();
        expect_state(State::fin_wait_1);
        peer.expects(fin(1));
        peer.sends(ack(2));
        expect_state(State::fin_wait_2);
    }
};

/// The peer closed first.
struct CloseWait : Established {
    CloseWait() {
        peer.sends(fin(1));
        peer.expects(ack(2));
        expect_state(State::close_wait);
    }
};

}  // namespace

STORY("established: as the one that accepts and as the one that connects", "[close]") {
    const Established server;
    LegStage client;
    client.connect();
    client.write(100);
    client.peer.expects(data(1, 101).ack(1));
    client.peer.sends(data(1, 51).ack(101));
    client.peer.expects(ack(51));
    expect_equal(client.taken(), 51, "bytes taken");
}

STORY("fin_wait_1: the peer's FIN first: CLOSING, then TIME-WAIT", "[close]") {
    Established leg;
    leg.close();
    leg.peer.expects(fin(1));
    leg.peer.sends(fin(1).ack(1));
    leg.expect_state(State::closing);
    leg.peer.expects(ack(2));
    leg.peer.sends(ack(2));
    leg.expect_state(State::time_wait);
}

STORY("fin_wait_1: ACK and FIN in one segment: TIME-WAIT at once", "[close]") {
    Established leg;
    leg.close();
    leg.peer.expects(fin(1));
    leg.peer.sends(fin(1).ack(2));
    leg.expect_state(State::time_wait);
    leg.peer.expects(ack(2));
}

STORY("fin_wait_1: an ACK of the data before the FIN does not move it", "[close]") {
    Established leg;
    leg.write(100);
    leg.close();
    leg.peer.expects(data(1, 101));
    leg.peer.expects(fin(101));
    leg.peer.sends(ack(101));
    leg.expect_state(State::fin_wait_1);
    leg.peer.sends(ack(102));
    leg.expect_state(State::fin_wait_2);
}

STORY("fin_wait_2: data of the peer is taken and acknowledged", "[close]") {
    FinWait2 leg;
    leg.peer.sends(data(1, 101));
    leg.peer.expects(ack(101));
    expect_equal(leg.taken(), 101, "bytes taken");
    leg.expect_state(State::fin_wait_2);
}

STORY("fin_wait_2: data after FIN is acknowledged and dropped", "[close]") {
    FinWait2 leg;
    leg.peer.sends(data(1, 101).fin());
    leg.expect_state(State::time_wait);
    leg.peer.expects(ack(102));
    leg.peer.sends(data(102, 202));
    leg.peer.expects(ack(102));
    expect_equal(leg.taken(), 101, "bytes taken");
}

STORY("fin_wait_2: a FIN above a hole waits for the bytes below it", "[close]") {
    FinWait2 leg;
    leg.peer.sends(data(101, 201).fin());
    leg.peer.expects(ack(1));
    leg.expect_state(State::fin_wait_2);
    leg.peer.sends(data(1, 101));
    leg.peer.expects(ack(202));
    leg.expect_state(State::time_wait);
}

STORY("close_wait: we go on sending, then close: LAST-ACK, CLOSED", "[close]") {
    CloseWait leg;
    leg.write(100);
    leg.peer.expects(data(1, 101).ack(2));
    leg.peer.sends(ack(101));
    leg.close();
    leg.peer.expects(fin(101).ack(2));
    leg.expect_state(State::last_ack);
    leg.peer.sends(ack(102));
    leg.expect_state(State::closed);
}

STORY("close_wait: the peer's FIN again is acknowledged again", "[close]") {
    CloseWait leg;
    leg.peer.sends(fin(1));
    leg.peer.expects(ack(2));
    leg.expect_state(State::close_wait);
}

STORY("closing: our FIN is repeated until it is acknowledged", "[close]") {
    Established leg;
    leg.close();
    leg.peer.expects(fin(1));
    leg.peer.sends(fin(1).ack(1));
    leg.peer.expects(ack(2));
    leg.at(1100_ms);
    leg.peer.expects(fin(1).ack(2));
    leg.peer.sends(ack(2));
    leg.expect_state(State::time_wait);
}

STORY("every synchronized state: a RST with the next number closes", "[close]") {
    Established established;
    established.peer.sends(rst(1));
    established.expect_state(State::closed);
    FinWait2 fin_wait_2;
    fin_wait_2.peer.sends(rst(1));
    fin_wait_2.expect_state(State::closed);
    CloseWait close_wait;
    close_wait.peer.sends(rst(2));
    close_wait.expect_state(State::closed);
}
