// ICMP echo: an answer for those who may have one.
#include <catch2/catch.hpp>

#include "tests/support/frame_bytes.hpp"
#include "tests/support/interface_rig.hpp"

using namespace holdfast;
using namespace holdfast::test;
using net::Counter;

namespace {

/// An echo request of `size` bytes of ICMP, with `words` of IP options.
Bytes echo_request(const IpAddress& to, std::size_t size = 64, std::size_t words = 0) {
    Bytes frame(at_ip + 20 + words * 4 + size);
    for (std::size_t i = 0; i < 6; ++i) {
        frame[i] = own_mac.bytes[i];
        frame[6 + i] = neighbour_mac.bytes[i];
    }
    put16(frame, 12, 0x0800);
    frame[at_ip] = static_cast<std::uint8_t>(0x45 + words);
    put16(frame, at_ip + 2, static_cast<std::uint16_t>(frame.size() - at_ip));
    frame[at_ip + 8] = 9;
    frame[at_ip + 9] = 1;
    const auto from = neighbour;
    std::copy_n(from.bytes.begin() + 12, 4, frame.begin() + at_ip + 12);
    std::copy_n(to.bytes.begin() + 12, 4, frame.begin() + at_ip + 16);
    std::fill_n(frame.begin() + at_ip + 20, words * 4, std::uint8_t{1});
    put16(frame, at_ip + 10, sim::fold(sim::ones_sum({&frame[at_ip], 20 + words * 4})));
    const auto icmp = at_ip + 20 + words * 4;
    frame[icmp] = 8;
    for (std::size_t i = icmp + 4; i < frame.size(); ++i) frame[i] = static_cast<std::uint8_t>(i);
    put16(frame, icmp + 2, sim::fold(sim::ones_sum({&frame[icmp], size})));
    return frame;
}

/// A rig that knows the neighbour.
struct Rig : InterfaceRig {
    Rig() {
        receive_arp(false, neighbour, neighbour_mac, own_address);
        transmitted();
    }
    std::vector<Bytes> answers(const Bytes& request) {
        receive(request);
        return transmitted();
    }
};

}  // namespace

TEST_CASE("echo: our own address answers with the same bytes", "[net]") {
    Rig rig;
    for (const std::size_t size : {8u, 9u, 64u, 1480u}) {
        INFO(size << " bytes");
        const auto request = echo_request(own_address, size);
        const auto frames = rig.answers(request);
        REQUIRE(frames.size() == 1);
        const auto& f = frames[0];
        REQUIRE(f.size() == request.size());
        CHECK(sim::source_mac(f) == own_mac);
        CHECK(sim::destination_mac(f) == neighbour_mac);
        CHECK(std::equal(f.begin() + at_ip + 12, f.begin() + at_ip + 16, request.begin() + at_ip + 16));
        CHECK(std::equal(f.begin() + at_ip + 16, f.begin() + at_ip + 20, request.begin() + at_ip + 12));
        CHECK(f[at_ip + 8] == 64);
        CHECK(f[at_ip + 20] == 0);
        CHECK(std::equal(f.begin() + at_ip + 24, f.end(), request.begin() + at_ip + 24));
        CHECK(sim::fold(sim::ones_sum({&f[at_ip], 20})) == 0);
        CHECK(sim::fold(sim::ones_sum({&f[at_ip + 20], size})) == 0);
    }
    CHECK(rig.mbufs.in_use() == 0);
}

TEST_CASE("echo: a buffer that the driver brought is given back to it", "[net]") {
    // The pool counts them when the test ends.
    Rig rig;
    rig.mbufs.end_exactly();
    CHECK(rig.answers(echo_request(own_address)).size() == 1);
}

TEST_CASE("echo: IP options are not sent back", "[net]") {
    Rig rig;
    const auto frames = rig.answers(echo_request(own_address, 64, 10));
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].size() == at_ip + 20 + 64);
    CHECK(frames[0][at_ip] == 0x45);
}

TEST_CASE("echo: a virtual address answers only while this node speaks", "[net]") {
    Rig rig;
    CHECK(rig.answers(echo_request(vip)).empty());
    rig.net.set_speaking(true);
    const auto frames = rig.answers(echo_request(vip));
    REQUIRE(frames.size() == 1);
    CHECK(sim::source_mac(frames[0]) == virtual_mac);
    CHECK(rig.count(Counter::icmp_echo_answered) == 1);
    CHECK(rig.count(Counter::icmp_ignored) == 1);
}

TEST_CASE("echo: what is no good echo request to us is dropped and counted", "[net]") {
    Rig rig;
    auto other = echo_request(own_address);
    other[at_ip + 20] = 13;  // timestamp request
    auto damaged = echo_request(own_address);
    damaged.back() ^= 1;
    const auto too_short = echo_request(own_address, 7);
    for (const auto& frame : {other, damaged, too_short, echo_request(ip("10.0.0.77"))})
        CHECK(rig.answers(frame).empty());
    CHECK(rig.count(Counter::icmp_ignored) == 4);
    CHECK(rig.mbufs.in_use() == 0);
}
