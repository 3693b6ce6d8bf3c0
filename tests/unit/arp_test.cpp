// ARP on a port: who is answered as whom, what is learnt, what is announced.
#include <catch2/catch.hpp>

#include "tests/support/interface_rig.hpp"

using namespace holdfast;
using namespace holdfast::test;
using namespace holdfast::literals;
using net::Counter;

TEST_CASE("arp: our own address is always answered, under our own MAC", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(false, neighbour, neighbour_mac, own_address);
    const auto answer = rig.transmitted_arp();
    CHECK(answer.operation == 2);
    CHECK(answer.from_mac == own_mac);
    CHECK(answer.sender_mac == own_mac);
    CHECK(answer.sender == own_address);
    CHECK(answer.target == neighbour);
    CHECK(answer.target_mac == neighbour_mac);
    CHECK(rig.count(Counter::arp_requests_answered) == 1);
}

TEST_CASE("arp: a virtual address is answered only while this node speaks, under the virtual MAC", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(false, neighbour, neighbour_mac, vip);
    CHECK(rig.transmitted().empty());
    rig.net.set_speaking(true);
    rig.receive_arp(false, neighbour, neighbour_mac, vip);
    const auto answer = rig.transmitted_arp();
    CHECK(answer.sender == vip);
    CHECK(answer.sender_mac == virtual_mac);
    CHECK(answer.from_mac == virtual_mac);
    rig.net.set_speaking(false);
    rig.receive_arp(false, neighbour, neighbour_mac, vip);
    CHECK(rig.transmitted().empty());
}

TEST_CASE("arp: an answer under the virtual MAC that was queued before the lease ran out does not leave (R4)",
          "[net]") {
    InterfaceRig rig;
    rig.net.set_speaking(true);
    rig.receive_arp(false, neighbour, neighbour_mac, vip);
    rig.receive_arp(false, neighbour, neighbour_mac, own_address);
    const auto frames = rig.transmitted(false);
    REQUIRE(frames.size() == 1);
    CHECK(sim::source_mac(frames[0]) == own_mac);
    CHECK(rig.count(Counter::lease_expired_dropped) == 1);
    CHECK(rig.mbufs.in_use() == 0);
}

TEST_CASE("arp: an RFC 5227 probe is answered and teaches nothing", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(false, ip("0.0.0.0"), neighbour_mac, own_address);
    CHECK(rig.transmitted_arp().operation == 2);
    rig.send(neighbour);
    CHECK(rig.transmitted_arp().operation == 1);  // still unknown
}

TEST_CASE("arp: requests for others are neither answered nor learnt from", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(false, neighbour, neighbour_mac, ip("10.0.0.77"));
    CHECK(rig.transmitted().empty());
    rig.send(neighbour);
    CHECK(rig.transmitted_arp().target == neighbour);
}

TEST_CASE("arp: whoever asks for us is known to us", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(false, neighbour, neighbour_mac, own_address);
    rig.transmitted();
    CHECK(rig.send(neighbour));
    const auto frames = rig.transmitted();
    REQUIRE(frames.size() == 1);
    CHECK(sim::destination_mac(frames[0]) == neighbour_mac);
}

TEST_CASE("arp: a neighbour that moved is believed, whoever it tells", "[net]") {
    InterfaceRig rig;
    rig.receive_arp(false, neighbour, neighbour_mac, own_address);
    const MacAddress moved{{2, 0, 0, 0, 0, 0x77}};
    rig.receive_arp(true, neighbour, moved, neighbour);  // gratuitous
    rig.transmitted();
    rig.send(neighbour);
    CHECK(sim::destination_mac(rig.transmitted().at(0)) == moved);
}

TEST_CASE("arp: our own frames, heard again, change nothing and are not answered", "[net]") {
    InterfaceRig rig;
    rig.net.set_speaking(true);
    rig.receive_arp(false, vip, virtual_mac, vip);
    rig.receive_arp(false, own_address, own_mac, own_address);
    CHECK(rig.transmitted().empty());
    CHECK(rig.net.held_mbufs() == 0);
}

TEST_CASE("arp: what was heard is told to the guard", "[net]") {
    InterfaceRig rig;
    const auto heard = rig.receive(
        sim::write_resolution({2, neighbour_mac, neighbour_mac, own_mac, vip, own_address}, own_mac));
    REQUIRE(heard);
    CHECK(heard->sender == vip);
    CHECK(heard->mac == neighbour_mac);
    CHECK(heard->target == own_address);
    CHECK(heard->is_reply);
}

TEST_CASE("arp: an announcement names every virtual address, under the virtual MAC (RFC 5227)", "[net]") {
    auto settings = interface_settings();
    settings.virtual_addresses = {vip, ip("10.0.0.101")};
    InterfaceRig rig(settings);
    rig.net.announce();
    const auto frames = rig.transmitted();
    REQUIRE(frames.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto arp = sim::read_resolution(frames[i]);
        REQUIRE(arp);
        CHECK(arp->operation == 1);
        CHECK(arp->from_mac == virtual_mac);
        CHECK(arp->sender_mac == virtual_mac);
        CHECK(arp->sender == settings.virtual_addresses[i]);
        CHECK(arp->target == arp->sender);
        CHECK(sim::destination_mac(frames[i]) == MacAddress::broadcast());
    }
    CHECK(rig.count(Counter::announcements_sent) == 2);
}

TEST_CASE("arp: a query gives our own address, a probe gives none", "[net]") {
    InterfaceRig rig;
    rig.net.query(neighbour, rig.now);
    auto arp = rig.transmitted_arp();
    CHECK(arp.operation == 1);
    CHECK(arp.sender == own_address);
    CHECK(arp.sender_mac == own_mac);
    CHECK(arp.target == neighbour);
    rig.net.probe(vip);
    arp = rig.transmitted_arp();
    CHECK(arp.sender == ip("0.0.0.0"));
    CHECK(arp.from_mac == own_mac);
    CHECK(arp.target == vip);
}

TEST_CASE("arp: heartbeats leave under the own MAC, with or without the lease", "[net]") {
    InterfaceRig rig;
    const std::uint8_t body[] = {1, 2, 3};
    CHECK(rig.net.send_raw(body, 0x88b5, MacAddress::broadcast()));
    const auto frames = rig.transmitted(false);
    REQUIRE(frames.size() == 1);
    CHECK(sim::source_mac(frames[0]) == own_mac);
    CHECK(sim::ethertype(frames[0]) == 0x88b5);
    CHECK(frames[0].size() == 17);
}

TEST_CASE("arp: an empty pool is counted and nothing breaks", "[net]") {
    InterfaceRig rig(interface_settings(), 1);
    auto* only = rte_pktmbuf_alloc(rig.mbufs.get());
    rig.net.query(neighbour, rig.now);
    rig.net.announce();
    const std::uint8_t body[] = {1};
    CHECK_FALSE(rig.net.send_raw(body, 0x88b5, MacAddress::broadcast()));
    CHECK(rig.count(Counter::pool_empty) == 3);
    rte_pktmbuf_free(only);
}
