// SYN and SYN-ACK are repeated with backoff, and an end that never answers is given up.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("handshake: the SYN to a silent server is repeated after 1, 2, 4, 8, 16 s; then the client is refused",
      "[handshake]") {
    LaneStage lane;
    lane.client().sends(syn());
    lane.server().expects(syn().at(0_s));
    for (const auto t : {1_s, 3_s, 7_s, 15_s, 31_s}) {
        lane.at(t + 1_ms);
        lane.server().expects(syn().at(t));
    }
    lane.client().expects_nothing();
    lane.at(64_s);
    lane.client().expects(rst(0).ack(1).at(63_s));
    lane.expect_count(Side::server, "handshake_retransmitted", 5);
}

STORY("handshake: the SYN-ACK to a silent client is repeated; in the end both ends are reset",
      "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    for (const auto t : {1_s, 3_s, 7_s, 15_s, 31_s}) {
        lane.at(t + 1_ms);
        lane.client().expects(syn_ack().at(t));
    }
    // A half-open client never becomes an established session at a backend.
    lane.server().expects_nothing();
    lane.at(64_s);
    lane.client().expects(rst(1));
    lane.server().expects(rst(1));
    lane.expect_count(Side::client, "sessions_handshake_failed", 1);
}

STORY("handshake: a lost SYN-ACK costs one repetition and no more", "[handshake]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.at(1001_ms);
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.after(100_s);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
}
