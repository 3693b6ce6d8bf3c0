// Frames that nobody sends by mistake: each is dropped under a name of its own, and no session knows of it.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

sim::Segment syn_to_service(LaneStage& lane) {
    sim::Segment s;
    s.from_mac = lane.client().mac();
    s.to_mac = LaneStage::virtual_mac(Side::client);
    s.from = {lane.client().local().address, 50'000};
    s.to = LaneStage::service();
    s.seq = {77};
    s.flags = sim::flag::syn;
    s.window = 1000;
    s.options.mss = 1460;
    return s;
}

/// The session that was there before still is.
void expect_unharmed(LaneStage& lane) {
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

}  // namespace

STORY("hostile: a SYN from the very address and port that it is for (land)", "[port]") {
    LaneStage lane;
    lane.establish();
    auto s = syn_to_service(lane);
    s.from = s.to;
    lane.deliver_raw(Side::client, sim::write_segment(s));
    lane.expect_count(Side::client, "own_address_heard", 1);
    // Without SYN it would be answered by a reset, to ourselves.
    s.flags = sim::flag::ack;
    lane.deliver_raw(Side::client, sim::write_segment(s));
    lane.expect_count(Side::client, "own_address_heard", 2);
    expect_unharmed(lane);
}

STORY("hostile: a SYN from the node's own address", "[port]") {
    LaneStage lane;
    lane.establish();
    auto s = syn_to_service(lane);
    const auto& port = lane.config().client;
    s.from.address = LaneStage::speaks_ipv6(Side::client) ? port.address6.address : port.address.address;
    lane.deliver_raw(Side::client, sim::write_segment(s));
    lane.expect_count(Side::client, "own_address_heard", 1);
    lane.server().expects_nothing();
    expect_unharmed(lane);
}

STORY("hostile: a SYN in a frame for all, or for a group", "[port]") {
    LaneStage lane;
    lane.establish();
    auto s = syn_to_service(lane);
    for (const MacAddress mac : {MacAddress::broadcast(), MacAddress{{0x33, 0x33, 0, 0, 0, 1}}}) {
        s.to_mac = mac;
        lane.deliver_raw(Side::client, sim::write_segment(s));
    }
    lane.expect_count(Side::client, "frames_not_for_us", 2);
    lane.server().expects_nothing();
    expect_unharmed(lane);
}

STORY("hostile: what a promiscuous port hears of others is not taken", "[port]") {
    LaneStage lane;
    lane.establish();
    auto s = syn_to_service(lane);
    s.to_mac = {{2, 0, 0, 0, 7, 7}};
    for (int i = 0; i < 100; ++i) lane.deliver_raw(Side::client, sim::write_segment(s));
    lane.expect_count(Side::client, "frames_not_for_us", 100);
    lane.server().expects_nothing();
    expect_unharmed(lane);
}

STORY("hostile: a SYN from loopback or a group", "[port]") {
    LaneStage lane;
    lane.establish();
    auto s = syn_to_service(lane);
    const bool v6 = LaneStage::speaks_ipv6(Side::client);
    for (const char* address : {v6 ? "::1" : "127.0.0.1", v6 ? "ff02::1" : "224.0.0.1"}) {
        s.from.address = *IpAddress::parse(address);
        lane.deliver_raw(Side::client, sim::write_segment(s));
    }
    lane.expect_count(Side::client, v6 ? "bad_ip_header" : "martian", 2);
    lane.server().expects_nothing();
    expect_unharmed(lane);
}

STORY("hostile: many extension headers before a SYN are not followed to their end", "[port]") {
    if (!LaneStage::speaks_ipv6(Side::client)) return;
    LaneStage lane;
    lane.establish();
    auto frame = sim::write_segment(syn_to_service(lane));
    constexpr std::size_t upper = 14 + 40;
    // Destination options that say nothing, one behind the other.
    constexpr std::uint8_t destination_options = 60;
    std::uint8_t next = 6;
    for (int i = 0; i < 100; ++i) {
        frame.insert(frame.begin() + upper, {next, 0, 1, 4, 0, 0, 0, 0});
        next = destination_options;
    }
    frame[14 + 6] = next;
    const auto length = frame.size() - upper;
    frame[14 + 4] = static_cast<std::uint8_t>(length >> 8);
    frame[14 + 5] = static_cast<std::uint8_t>(length);
    lane.deliver_raw(Side::client, frame);
    lane.expect_count(Side::client, "ipv6_extension", 1);
    lane.server().expects_nothing();
    expect_unharmed(lane);
}
