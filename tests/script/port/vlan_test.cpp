// Ports in a VLAN: all that leaves carries the tag, and nothing else is taken.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr LaneOptions two_vlans{.client_vlan = 7, .server_vlan = 4094};

/// A segment of the client's that would be taken if its tag were right: a reset.
sim::Bytes reset_of(LaneStage& lane) {
    sim::Segment s;
    s.from_mac = lane.client().mac();
    s.to_mac = LaneStage::virtual_mac(Side::client);
    s.from = lane.client().local();
    s.to = LaneStage::service();
    s.seq = LaneStage::client_isn + 1;
    s.flags = sim::flag::rst;
    return sim::write_segment(s);
}

}  // namespace

STORY("vlan: a session between two VLANs", "[port]") {
    LaneStage lane(two_vlans);
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.server().expects(data(1, 1449));
    lane.server().sends(ack(1449));
    lane.client().expects(ack(1449));
    lane.server().sends(data(1, 1449));
    lane.client().expects(data(1, 1449));
    lane.client().sends(ack(1449));
    lane.server().expects(ack(1449));
}

STORY("vlan: from a VLAN to a network without, with the largest segments", "[port]") {
    LaneStage lane({.client_vlan = 7});
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.server().expects(data(1, 1449));
    lane.server().sends(data(1, 1449).ack(1449));
    lane.client().expects(data(1, 1449).ack(1449));
}

STORY("vlan: frames without the port's tag, or with another, are not taken", "[port]") {
    LaneStage lane(two_vlans);
    lane.establish();
    const auto reset = reset_of(lane);
    lane.deliver_raw(Side::client, reset);
    lane.deliver_raw(Side::client, sim::tagged(reset, 8));
    lane.deliver_raw(Side::client, sim::tagged(reset, 0));
    lane.expect_count(Side::client, "other_vlan", 3);
    lane.expect_view(proxy::View::terminated);
    // The priority says nothing.
    lane.deliver_raw(Side::client, sim::tagged(reset, 0xe007));
    lane.server().expects(rst(1));
    lane.expect_count(Side::client, "other_vlan", 3);
}

STORY("vlan: a port without one takes priority tags, and no VLAN's frames", "[port]") {
    LaneStage lane;
    lane.establish();
    const auto reset = reset_of(lane);
    lane.deliver_raw(Side::client, sim::tagged(reset, 7));
    lane.expect_count(Side::client, "other_vlan", 1);
    lane.expect_view(proxy::View::terminated);
    lane.deliver_raw(Side::client, sim::tagged(reset, 0xa000));
    lane.server().expects(rst(1));
}

STORY("vlan: a session goes on after a takeover, translated, between two VLANs", "[port]") {
    TakeoverStage lane({}, two_vlans);
    lane.take_over_and_probe();
    lane.client().sends(data(lane.up(), lane.up() + 1448).ack(lane.down()));
    lane.server().expects(data(lane.up(), lane.up() + 1448).ack(lane.down()));
    lane.server().sends(ack(lane.up() + 1448).seq(lane.down()));
    lane.client().expects(ack(lane.up() + 1448).seq(lane.down()));
}
