// Windows, as its TCP/IP documentation describes it.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// "Timestamps" is off unless Tcp1323Opts turns it on; scale 8, SACK.
LaneStage& windows_client(LaneStage& lane) {
    lane.client().offer = {1460, 8, true, false, 64000};
    return lane;
}

}  // namespace

STORY("windows: a keepalive of one byte below SND.UNA is answered and never passed on", "[other_stacks]") {
    // KeepAliveTime: the probe carries one byte, which need not be the byte that stood there.
    LaneStage lane;
    windows_client(lane).establish();
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101).no_timestamps());
    lane.server().sends(ack(101));
    lane.client().expects(ack(101).no_timestamps());
    lane.after(70_s);
    lane.client().sends(probe(100));
    lane.client().expects(ack(101));
    lane.server().expects_nothing();
}

STORY("windows: a socket closed with unread data resets with ACK and number; the other end learns it",
      "[other_stacks]") {
    // closesocket() with bytes in the receive buffer, or SO_LINGER of 0: RST and ACK at SND.NXT.
    LaneStage lane;
    windows_client(lane).establish();
    lane.server().sends(data(1, 1461));
    lane.client().expects(data(1, 1461));
    auto reset = rst(1);
    lane.client().sends(reset.ack(1));
    lane.server().expects(rst(1));
    lane.expect_view(proxy::View::closing);
}

STORY("windows: a refused SYN comes again twice within a second; each is refused anew", "[other_stacks]") {
    // Winsock tries a refused connect() again (TcpMaxConnectRetransmissions counts RSTs, too): each attempt
    // is a session of its own.
    LaneStage lane;
    windows_client(lane);
    for (const auto at : {0_ms, 500_ms, 1000_ms}) {
        lane.at(at);
        auto& attempt = at == 0_ms ? lane.main() : lane.another();
        attempt.client.offer = lane.client().offer;
        lane.pass_syn(attempt);
        attempt.server.sends(rst(0).ack(1));
        attempt.client.expects(rst(0).ack(1));
    }
    lane.expect_count(Side::server, "sessions_refused_backend", 3);
}

STORY("windows: a server that delays its ACK for 200 ms does not keep the client's tail waiting",
      "[other_stacks]") {
    // TcpAckFrequency 2: the second segment is acknowledged at once, a single one after up to 200 ms. One old
    // byte asks for the ACK sooner.
    LaneStage lane;
    lane.server().offer = {1460, 8, true, false, 64000};
    lane.establish();
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    lane.client().sends(data(101, 201));
    lane.server().expects(data(101, 201));
    lane.client().expects_nothing();
    lane.after(5_ms);
    lane.server().expects(probe(200));
    lane.server().sends(ack(201));
    lane.client().expects(ack(201));
}
