// Next hops: frames wait for their neighbour, bounded in number and time.
#include <catch2/catch.hpp>

#include "tests/support/interface_rig.hpp"

using namespace holdfast;
using namespace holdfast::test;
using namespace holdfast::literals;
using net::Counter;

namespace {

/// Lets time pass as a host would: in steps to the interface's own deadlines. Returns the frames that left.
std::vector<Bytes> pass(InterfaceRig& rig, Duration span) {
    std::vector<Bytes> frames;
    const auto end = rig.now + span;
    for (;;) {
        const auto next = rig.net.next_deadline();
        rig.now = earlier(end, later(next, rig.now));
        rig.net.advance(rig.now);
        for (auto& f : rig.transmitted()) frames.push_back(std::move(f));
        if (rig.now == end) return frames;
    }
}

std::uint16_t marker_of(const Bytes& frame) {
    std::string fault;
    const auto s = sim::read_segment(frame, fault);
    return s ? s->from.port : 0;
}

}  // namespace

TEST_CASE("neighbour: frames wait for the answer and then leave in their order", "[net]") {
    InterfaceRig rig;
    for (std::uint16_t i = 1; i <= 3; ++i) CHECK(rig.send(neighbour, i));
    CHECK(rig.transmitted_arp().target == neighbour);
    CHECK(rig.net.held_mbufs() == 3);
    rig.receive_arp(true, neighbour, neighbour_mac, own_address);
    const auto frames = rig.transmitted();
    REQUIRE(frames.size() == 3);
    for (std::uint16_t i = 1; i <= 3; ++i) {
        CHECK(marker_of(frames[i - 1u]) == i);
        CHECK(sim::destination_mac(frames[i - 1u]) == neighbour_mac);
    }
}

TEST_CASE("neighbour: a frame that waited leaves as who it was sent as", "[net]") {
    InterfaceRig rig;
    rig.send(neighbour, 1, net::Self::own);
    rig.send(neighbour, 2, net::Self::virtual_self);
    rig.transmitted();
    rig.receive_arp(true, neighbour, neighbour_mac, own_address);
    const auto frames = rig.transmitted(false);
    REQUIRE(frames.size() == 1);
    CHECK(marker_of(frames[0]) == 1);
    CHECK(sim::source_mac(frames[0]) == own_mac);
    CHECK(rig.count(Counter::lease_expired_dropped) == 1);
}

TEST_CASE("neighbour: at most eight frames wait for one", "[net]") {
    InterfaceRig rig;
    for (std::uint16_t i = 1; i <= 8; ++i) CHECK(rig.send(neighbour, i));
    CHECK_FALSE(rig.send(neighbour, 9));
    CHECK(rig.count(Counter::neighbour_pending_full) == 1);
    CHECK(rig.net.held_mbufs() == 8 + 1);  // and the query
    CHECK(rig.mbufs.in_use() == rig.net.held_mbufs());
}

TEST_CASE("neighbour: asked again every 200 ms, and after three seconds what waits is dropped", "[net]") {
    InterfaceRig rig;
    rig.send(neighbour);
    const auto early = pass(rig, 1_s);
    CHECK(early.size() >= 5);
    CHECK(early.size() <= 6);
    CHECK(rig.count(Counter::neighbour_unresolved) == 0);
    pass(rig, 3_s);
    CHECK(rig.count(Counter::neighbour_unresolved) == 1);
    CHECK(rig.mbufs.in_use() == 0);
    // Nobody wants it any more: the questions end.
    pass(rig, 20_s);
    CHECK(pass(rig, 60_s).empty());
    CHECK(rig.net.next_deadline().is_never());
}

TEST_CASE("neighbour: a resolved one is asked anew in use, and serves meanwhile", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(true, neighbour, neighbour_mac, own_address);
    rig.send(neighbour);  // nobody asked: an answer to us still teaches
    CHECK(rig.transmitted().size() == 1);
    rig.now = rig.now + 31_s;
    rig.send(neighbour);
    const auto frames = rig.transmitted();
    REQUIRE(frames.size() == 2);
    CHECK(sim::read_resolution(frames[0]).has_value());
    CHECK(marker_of(frames[1]) == 1);
}

TEST_CASE("neighbour: addresses off the network go to the gateway, and without one nowhere", "[net]") {
    InterfaceRig rig;
    rig.send(ip("192.0.2.7"));
    CHECK(rig.transmitted_arp().target == gateway);
    auto settings = interface_settings();
    settings.gateway = {};
    InterfaceRig island(settings);
    CHECK_FALSE(island.send(ip("192.0.2.7")));
    CHECK(island.count(Counter::no_route) == 1);
    CHECK(island.mbufs.in_use() == 0);
    CHECK(island.send(neighbour));
}

TEST_CASE("neighbour: when the table is full the one not used for longest makes room", "[net]") {
    auto settings = interface_settings();
    settings.neighbours = 4;
    settings.gateway = {};
    InterfaceRig rig(settings);
    const auto host = [](std::uint32_t i) { return IpAddress::from_v4(ip("10.0.0.20").v4() + (i << 24)); };
    for (std::uint32_t i = 0; i < 4; ++i) rig.receive_arp(false, host(i), neighbour_mac, own_address);
    rig.transmitted();
    // All but the third are in use.
    for (const std::uint32_t i : {0u, 1u, 3u}) CHECK(rig.send(host(i)));
    const auto kept = rig.net.route(host(0), rig.now), lost = rig.net.route(host(2), rig.now);
    rig.transmitted();
    rig.receive_arp(false, ip("10.0.0.50"), neighbour_mac, own_address);
    rig.transmitted();
    CHECK(rig.count(Counter::neighbours_forgotten) == 1);
    CHECK(rig.net.is_current(kept));
    CHECK_FALSE(rig.net.is_current(lost));
    CHECK(rig.send(ip("10.0.0.50")));
    CHECK(rig.transmitted().size() == 1);
}

TEST_CASE("neighbour: a flood of strangers locks nobody out", "[net]") {
    auto settings = interface_settings();
    settings.neighbours = 64;
    InterfaceRig rig(settings);
    rig.net.prepare(gateway, rig.now);
    rig.receive_arp(true, gateway, neighbour_mac, own_address);
    rig.transmitted();
    for (std::uint32_t i = 2; i < 250; ++i) {
        rig.receive_arp(false, IpAddress::from_v4(ip("10.0.0.0").v4() + (i << 24)), neighbour_mac,
                        own_address);
        // Not of this network: not worth a place.
        rig.receive_arp(false, IpAddress::from_v4(ip("192.0.2.0").v4() + (i << 24)), neighbour_mac,
                        own_address);
        rig.transmitted();
        CHECK(rig.send(ip("198.18.0.1")));  // by the gateway, whose entry stays
        CHECK(rig.transmitted().size() == 1);
    }
    CHECK(rig.send(ip("10.0.0.249")));
    CHECK(rig.transmitted().size() == 1);
    CHECK(rig.count(Counter::neighbour_table_full) == 0);
}

TEST_CASE("neighbour: prepared before it is needed", "[net]") {
    InterfaceRig rig;
    rig.net.prepare(neighbour, rig.now);
    rig.net.prepare(neighbour, rig.now);
    CHECK(rig.transmitted_arp().target == neighbour);
    rig.receive_arp(true, neighbour, neighbour_mac, own_address);
    rig.send(neighbour);
    CHECK(rig.transmitted().size() == 1);
}

TEST_CASE("neighbour: a full port queue drops and counts", "[net]") {
    auto settings = interface_settings();
    settings.queue = 4;
    InterfaceRig rig(settings);
    rig.receive_arp(false, neighbour, neighbour_mac, own_address);
    rig.transmitted();
    for (int i = 0; i < 4; ++i) CHECK(rig.send(neighbour));
    CHECK(rig.net.room() == 0);
    CHECK_FALSE(rig.send(neighbour));
    CHECK(rig.count(Counter::tx_queue_full) == 1);
    CHECK(rig.transmitted().size() == 4);
    CHECK(rig.mbufs.in_use() == 0);
}

TEST_CASE("neighbour: a next hop that is kept follows its neighbour's address", "[net]") {
    InterfaceRig rig;
    const auto hop = rig.net.route(neighbour, rig.now);
    CHECK(hop == rig.net.route(neighbour, rig.now));
    CHECK(rig.send_to(hop, 1));
    CHECK(rig.transmitted_arp().target == neighbour);
    rig.receive_arp(true, neighbour, neighbour_mac, own_address);
    auto frames = rig.transmitted();
    REQUIRE(frames.size() == 1);
    CHECK(sim::destination_mac(frames[0]) == neighbour_mac);
    // It moves to another card: the next frame goes there.
    const MacAddress moved{{2, 0, 0, 0, 0, 10}};
    rig.receive_arp(false, neighbour, moved, own_address);
    rig.transmitted();
    CHECK(rig.send_to(hop, 2));
    frames = rig.transmitted();
    REQUIRE(frames.size() == 1);
    CHECK(sim::destination_mac(frames[0]) == moved);
}

TEST_CASE("neighbour: a next hop that is kept is asked anew when it was not heard for long", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(false, neighbour, neighbour_mac, own_address);
    rig.transmitted();
    const auto hop = rig.net.route(neighbour, rig.now);
    rig.now = rig.now + 30_s;
    CHECK(rig.send_to(hop, 1));
    CHECK(rig.transmitted().size() == 1);
    rig.now = rig.now + 1_ms;
    CHECK(rig.send_to(hop, 2));
    const auto frames = rig.transmitted();
    REQUIRE(frames.size() == 2);
    CHECK(sim::read_resolution(frames[0]).has_value());
    CHECK(marker_of(frames[1]) == 2);
}

namespace {

/// A neighbour that is in use and answers nothing since its address went stale.
struct Silent : InterfaceRig {
    Silent() {
        receive_arp(true, neighbour, neighbour_mac, own_address);
        now = now + 31_s;
    }
    /// The frames of the next 200 ms, with one to the neighbour.
    std::vector<Bytes> use() {
        send(neighbour);
        net.advance(now);
        now = now + 200_ms;
        return transmitted();
    }
};

std::vector<MacAddress> questioned(const std::vector<Bytes>& frames) {
    std::vector<MacAddress> to;
    for (const auto& f : frames)
        if (sim::read_resolution(f)) to.push_back(sim::destination_mac(f));
    return to;
}

}  // namespace

TEST_CASE("neighbour: who is known is asked alone at first, then all are, and in the end it is gone",
          "[net]") {
    Silent rig;
    std::vector<MacAddress> asked;
    for (int i = 0; i < 6; ++i) {
        const auto frames = rig.use();
        for (const auto& to : questioned(frames)) asked.push_back(to);
        CHECK(frames.size() == 2);  // it serves meanwhile
    }
    const auto all = MacAddress::broadcast();
    CHECK(asked == std::vector{neighbour_mac, neighbour_mac, neighbour_mac, all, all, all});
    CHECK(rig.count(Counter::neighbours_lost) == 0);
    rig.net.advance(rig.now);
    rig.transmitted();
    CHECK(rig.count(Counter::neighbours_lost) == 1);
    CHECK(rig.send(neighbour, 7));
    CHECK(questioned(rig.transmitted()).empty());  // it waits
    CHECK(rig.net.held_mbufs() == 1);
}

TEST_CASE("neighbour: one that moved is found at its new address, and what waited goes there", "[net]") {
    Silent rig;
    const auto hop = rig.net.route(neighbour, rig.now);
    for (int i = 0; i < 7; ++i) rig.use();
    REQUIRE(rig.count(Counter::neighbours_lost) == 1);
    rig.transmitted();
    const MacAddress moved{{2, 0, 0, 0, 0, 0x77}};
    rig.receive_arp(true, neighbour, moved, own_address);
    for (const auto& f : rig.transmitted()) CHECK(sim::destination_mac(f) == moved);
    // The next hop that was kept is the same.
    CHECK(rig.net.is_current(hop));
    rig.send_to(hop, 1);
    CHECK(sim::destination_mac(rig.transmitted().at(0)) == moved);
}

TEST_CASE("neighbour: an answer to a question that was asked alone is enough", "[net]") {
    Silent rig;
    rig.use();
    rig.receive_arp(true, neighbour, neighbour_mac, own_address);
    for (int i = 0; i < 20; ++i) CHECK(rig.use().size() == 1);
    CHECK(rig.count(Counter::neighbours_lost) == 0);
}

TEST_CASE("neighbour: one that is gone for good costs its frames, counted", "[net]") {
    Silent rig;
    for (int i = 0; i < 40; ++i) rig.use();
    CHECK(rig.count(Counter::neighbour_unresolved) > 0);
    rig.now = rig.now + 20_s;
    for (int i = 0; i < 20; ++i) {
        rig.net.advance(rig.now);
        rig.now = rig.now + 200_ms;
    }
    rig.transmitted();
    CHECK(rig.mbufs.in_use() == 0);
}

TEST_CASE("neighbour: without a next hop a frame is dropped", "[net]") {
    auto settings = interface_settings();
    settings.gateway = {};
    InterfaceRig rig(settings);
    const auto hop = rig.net.route(ip("192.0.2.7"), rig.now);
    CHECK(hop == net::no_next_hop);
    CHECK(rig.count(Counter::no_route) == 1);
    CHECK_FALSE(rig.send_to(hop, 1));
    CHECK(rig.mbufs.in_use() == 0);
}
