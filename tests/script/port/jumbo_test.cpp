// Networks of 9000 and 1500 bytes: segments are cut anew where the far network carries less.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr Position piece = 1448;  // of 1500 bytes, with timestamps
constexpr Position pieces = 6;

/// `from` sends six pieces' worth of bytes at `begin` in one segment; `to` gets them piece by piece.
void pass_large(Peer& from, Peer& to, Position begin) {
    from.sends(data(begin, begin + pieces * piece));
    for (Position at = begin; at < begin + pieces * piece; at += piece) to.expects(data(at, at + piece));
    to.expects_nothing();
}

}  // namespace

STORY("jumbo: a large segment of the client's is cut for a smaller network", "[port]") {
    LaneStage lane({.client_mtu = 9000, .server_mtu = 1500});
    lane.establish();
    pass_large(lane.client(), lane.server(), 1);
    lane.server().sends(ack(1 + 2 * piece));
    lane.client().expects(ack(1 + 2 * piece));
    lane.server().sends(ack(1 + pieces * piece));
    lane.client().expects(ack(1 + pieces * piece));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("jumbo: a large segment of the server's is cut for a smaller network", "[port]") {
    LaneStage lane({.client_mtu = 1500, .server_mtu = 9000});
    lane.establish();
    pass_large(lane.server(), lane.client(), 1);
    lane.client().sends(ack(1 + pieces * piece));
    lane.server().expects(ack(1 + pieces * piece));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

// The scoreboard knows segments as they came: what SACK says of some pieces alone finds no loss yet.
STORY("jumbo: a lost piece of a large segment is sent again when its time is over", "[port]") {
    LaneStage lane({.client_mtu = 9000, .server_mtu = 1500});
    lane.establish();
    pass_large(lane.client(), lane.server(), 1);
    lane.server().sends(ack(1 + piece).sack(1 + 2 * piece, 1 + pieces * piece));
    lane.client().ignores_rest();
    lane.after(1100_ms);
    // A probe of the tail may come before it.
    while (lane.server().takes().begin != 1 + piece) continue;
    lane.server().ignores_rest();
    lane.server().sends(ack(1 + pieces * piece));
    lane.client().ignores_rest();
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("jumbo: between two large networks a segment stays whole, in a VLAN, too", "[port]") {
    for (const std::uint16_t vlan : {0, 7}) {
        LaneStage lane({.client_mtu = 9000, .server_mtu = 9000, .client_vlan = vlan, .server_vlan = vlan});
        lane.client().offer.mss = lane.server().offer.mss = 8960;
        lane.establish();
        lane.client().sends(data(1, 8949));
        lane.server().expects(data(1, 8949));
        lane.server().sends(data(1, 8949).ack(8949));
        lane.client().expects(data(1, 8949).ack(8949));
    }
}

STORY("jumbo: a translated session's large segments are cut anew, too", "[port]") {
    TakeoverStage lane({}, {.client_mtu = 9000, .server_mtu = 1500});
    lane.take_over_and_probe();
    lane.client().sends(data(lane.up(), lane.up() + pieces * piece).ack(lane.down()));
    for (Position at = 0; at < pieces * piece; at += piece)
        lane.server().expects(data(lane.up() + at, lane.up() + at + piece).ack(lane.down()));
}
