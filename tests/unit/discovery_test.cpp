// Neighbour discovery on a port: who is answered as whom, what is learnt, what is announced, and what is not
// believed.
#include <catch2/catch.hpp>

#include "lib/wire/neighbour.hpp"
#include "tests/support/interface_rig.hpp"

using namespace holdfast;
using namespace holdfast::test;
using namespace holdfast::literals;
using net::Counter;

namespace {

const IpAddress own6 = ip("fd00::2"), vip6 = ip("fd00::100"), neighbour6 = ip("fd00::9"),
                gateway6 = ip("fd00::1"), nobody{};
constexpr std::size_t at_ip = 14, at_icmp = at_ip + 40;

net::InterfaceSettings settings6() {
    auto s = interface_settings();
    s.own_address6 = *Prefix::parse("fd00::2/64");
    s.gateway6 = gateway6;
    s.virtual_addresses.push_back(vip6);
    return s;
}

struct Rig : InterfaceRig {
    Rig() : InterfaceRig(settings6()) {}

    std::optional<net::NeighbourHeard> hears(const sim::Resolution& r,
                                             MacAddress to = MacAddress::broadcast()) {
        return receive(sim::write_resolution(r, to));
    }
    void is_asked_for(const IpAddress& target, const IpAddress& by = neighbour6) {
        hears({1, neighbour_mac, neighbour_mac, {}, by, target});
    }
    /// A frame to `to` leaves or waits; what was sent meanwhile.
    std::vector<Bytes> sends(const IpAddress& to) {
        sim::Segment s;
        s.from = {vip6, 80};
        s.to = {to, 4000};
        s.flags = sim::flag::ack;
        net.send_ip(mbufs.receive(sim::write_segment(s)), to, net::Self::virtual_self, now);
        return transmitted();
    }
    bool knows(const IpAddress& address) {
        const auto frames = sends(address);
        return frames.size() == 1 && !sim::read_resolution(frames[0]);
    }
};

sim::Resolution answer_in(const std::vector<Bytes>& frames) {
    REQUIRE(frames.size() == 1);
    const auto r = sim::read_resolution(frames[0]);
    REQUIRE(r);
    return *r;
}

/// A frame of discovery with one byte changed and its checksum made good.
Bytes changed(const Bytes& frame, std::size_t at, std::uint8_t value) {
    auto bytes = frame;
    bytes[at] = value;
    bytes[at_icmp + 2] = bytes[at_icmp + 3] = 0;
    const auto length = bytes.size() - at_icmp;
    auto sum = sim::ones_sum({&bytes[at_ip + 8], 32});
    sum = sim::ones_sum({&bytes[at_icmp], length}, sum + 58 + static_cast<std::uint32_t>(length));
    const auto folded = sim::fold(sum);
    bytes[at_icmp + 2] = static_cast<std::uint8_t>(folded >> 8);
    bytes[at_icmp + 3] = static_cast<std::uint8_t>(folded);
    return bytes;
}

}  // namespace

TEST_CASE("discovery: our own address is answered under our own MAC", "[net]") {
    Rig rig;
    rig.is_asked_for(own6);
    const auto frames = rig.transmitted();
    const auto answer = answer_in(frames);
    CHECK(answer.operation == 2);
    CHECK(answer.sender == own6);
    CHECK(answer.sender_mac == own_mac);
    CHECK(answer.target == neighbour6);
    CHECK(sim::source_mac(frames[0]) == own_mac);
    CHECK(sim::destination_mac(frames[0]) == neighbour_mac);
    CHECK((frames[0][at_icmp + 4] & 0x60) == 0x60);  // solicited, override
    CHECK(rig.count(Counter::solicitations_answered) == 1);
}

TEST_CASE("discovery: a virtual address is answered only while this node speaks, under the virtual MAC",
          "[net]") {
    Rig rig;
    rig.is_asked_for(vip6);
    CHECK(rig.transmitted().empty());
    rig.net.set_speaking(true);
    rig.is_asked_for(vip6);
    const auto answer = answer_in(rig.transmitted());
    CHECK(answer.sender == vip6);
    CHECK(answer.sender_mac == virtual_mac);
    CHECK(answer.from_mac == virtual_mac);
}

TEST_CASE("discovery: an answer under the virtual MAC does not leave without a lease (R4)", "[net]") {
    Rig rig;
    rig.net.set_speaking(true);
    rig.is_asked_for(vip6);
    CHECK(rig.transmitted(false).empty());
    CHECK(rig.count(Counter::lease_expired_dropped) == 1);
    CHECK(rig.mbufs.in_use() == 0);
}

TEST_CASE("discovery: somebody who checks for a duplicate is answered by telling all, and teaches nothing",
          "[net]") {
    Rig rig;
    const auto heard = rig.hears({1, neighbour_mac, {}, {}, nobody, own6});
    REQUIRE(heard);
    CHECK(heard->is_probe());
    const auto frames = rig.transmitted();
    CHECK(answer_in(frames).operation == 2);
    CHECK(sim::destination_mac(frames[0]) == MacAddress{{0x33, 0x33, 0, 0, 0, 1}});
    CHECK((frames[0][at_icmp + 4] & 0x60) == 0x20);  // override, not solicited
    CHECK_FALSE(rig.knows(neighbour6));
}

TEST_CASE("discovery: a frame to an unknown neighbour asks its group and waits for the answer", "[net]") {
    Rig rig;
    const auto question = rig.sends(neighbour6);
    const auto asked = answer_in(question);
    CHECK(asked.operation == 1);
    CHECK(asked.target == neighbour6);
    CHECK(asked.sender == own6);
    CHECK(asked.sender_mac == own_mac);
    CHECK(sim::destination_mac(question[0]) == MacAddress{{0x33, 0x33, 0xff, 0, 0, 9}});
    rig.hears({2, neighbour_mac, neighbour_mac, own_mac, neighbour6, own6}, own_mac);
    const auto waiting = rig.transmitted();
    REQUIRE(waiting.size() == 1);
    CHECK(sim::destination_mac(waiting[0]) == neighbour_mac);
    CHECK(sim::ethertype(waiting[0]) == 0x86dd);
}

TEST_CASE("discovery: who asks for us is known, what lies off the network goes to the gateway", "[net]") {
    Rig rig;
    rig.is_asked_for(own6);
    rig.transmitted();
    CHECK(rig.knows(neighbour6));
    CHECK(answer_in(rig.sends(ip("2001:db8::1"))).target == gateway6);
    CHECK(answer_in(rig.sends(ip("fe80::77"))).target == ip("fe80::77"));
}

TEST_CASE("discovery: an advertisement without override replaces nothing, one with it does", "[net]") {
    Rig rig;
    rig.is_asked_for(own6);
    rig.transmitted();
    const MacAddress moved{{2, 0, 0, 0, 0, 0x77}};
    auto frame = sim::write_resolution({2, moved, moved, own_mac, neighbour6, own6}, own_mac);
    rig.receive(changed(frame, at_icmp + 4, 0x40));
    CHECK(sim::destination_mac(rig.sends(neighbour6).at(0)) == neighbour_mac);
    rig.receive(frame);
    CHECK(sim::destination_mac(rig.sends(neighbour6).at(0)) == moved);
}

TEST_CASE("discovery: announcements name each virtual address and override what was known", "[net]") {
    Rig rig;
    rig.net.set_speaking(true);
    rig.net.announce();
    const auto frames = rig.transmitted();
    REQUIRE(frames.size() == 2);  // ARP for the IPv4 one
    const auto& f = frames[1];
    const auto said = sim::read_resolution(f);
    REQUIRE(said);
    CHECK(said->sender == vip6);
    CHECK(said->sender_mac == virtual_mac);
    CHECK(sim::source_mac(f) == virtual_mac);
    CHECK(sim::destination_mac(f) == MacAddress{{0x33, 0x33, 0, 0, 0, 1}});
    CHECK((f[at_icmp + 4] & 0x60) == 0x20);
    CHECK(rig.count(Counter::announcements_sent) == 2);
}

TEST_CASE("discovery: a probe for an address of somebody's gives no address of ours", "[net]") {
    Rig rig;
    rig.net.probe(vip6);
    const auto frames = rig.transmitted();
    const auto probe = answer_in(frames);
    CHECK(probe.sender.is_unspecified());
    CHECK(frames[0].size() == at_icmp + 24);
    CHECK(rig.count(Counter::solicitations_sent) == 1);
}

TEST_CASE("discovery: messages that fail a check of RFC 4861 are counted and change nothing", "[net]") {
    Rig rig;
    const auto question =
        sim::write_resolution({1, neighbour_mac, neighbour_mac, {}, neighbour6, own6}, own_mac);
    const auto bad_option_length = changed(question, at_icmp + 25, 0),
               long_option = changed(question, at_icmp + 25, 9),
               to_group = changed(question, at_icmp + 8, 0xff), with_code = changed(question, at_icmp + 1, 1);
    auto routed = question;
    routed[at_ip + 7] = 254;
    auto damaged = question;
    damaged[at_icmp + 20] ^= 1;
    // A probe that says a link-layer address.
    auto anonymous = question;
    std::fill_n(anonymous.begin() + at_ip + 8, 16, std::uint8_t{0});
    anonymous = changed(anonymous, at_icmp + 4, 0);
    std::uint64_t ignored = 0;
    for (const auto& frame :
         {bad_option_length, long_option, to_group, with_code, routed, damaged, anonymous}) {
        CHECK_FALSE(rig.receive(frame));
        CHECK(rig.transmitted().empty());
        CHECK(rig.count(Counter::icmp_ignored) == ++ignored);
    }
    CHECK_FALSE(rig.knows(neighbour6));
    CHECK(rig.mbufs.in_use() == 1);  // what waits for the answer
}

TEST_CASE("discovery: an echo request is answered with the same bytes and a right checksum", "[net]") {
    Rig rig;
    rig.is_asked_for(own6);
    rig.transmitted();
    for (const std::size_t size : {8u, 9u, 64u, 1452u}) {
        Bytes request(at_icmp + size);
        std::copy_n(own_mac.bytes.begin(), 6, request.begin());
        std::copy_n(neighbour_mac.bytes.begin(), 6, request.begin() + 6);
        request[12] = 0x86;
        request[13] = 0xdd;
        request[at_ip] = 0x60;
        request[at_ip + 4] = static_cast<std::uint8_t>(size >> 8);
        request[at_ip + 5] = static_cast<std::uint8_t>(size);
        request[at_ip + 6] = 58;
        request[at_ip + 7] = 9;
        std::copy_n(neighbour6.bytes.begin(), 16, request.begin() + at_ip + 8);
        std::copy_n(own6.bytes.begin(), 16, request.begin() + at_ip + 24);
        for (std::size_t i = 4; i < size; ++i) request[at_icmp + i] = static_cast<std::uint8_t>(7 * i);
        request = changed(request, at_icmp, 128);
        rig.receive(request);
        const auto frames = rig.transmitted();
        REQUIRE(frames.size() == 1);
        const auto& f = frames[0];
        REQUIRE(f.size() == request.size());
        CHECK(std::equal(f.begin() + at_ip + 8, f.begin() + at_ip + 24, request.begin() + at_ip + 24));
        CHECK(std::equal(f.begin() + at_ip + 24, f.begin() + at_ip + 40, request.begin() + at_ip + 8));
        CHECK(std::equal(f.begin() + at_icmp + 4, f.end(), request.begin() + at_icmp + 4));
        CHECK(f == changed(f, at_icmp, 129));  // type and checksum are right
        CHECK(sim::destination_mac(f) == neighbour_mac);
    }
    CHECK(rig.count(Counter::icmp_echo_answered) == 4);
}

TEST_CASE("discovery: an advertisement that nobody asked for makes no entry, and answers nobody", "[net]") {
    Rig rig;
    const auto to_us = rig.hears({2, neighbour_mac, neighbour_mac, own_mac, neighbour6, own6}, own_mac);
    REQUIRE(to_us);
    CHECK(to_us->is_reply);  // solicited, so it says
    const auto to_another =
        rig.hears({2, neighbour_mac, neighbour_mac, own_mac, neighbour6, ip("fd00::77")}, own_mac);
    REQUIRE(to_another);
    CHECK_FALSE(to_another->is_reply);
    const auto to_all = rig.hears({2, neighbour_mac, neighbour_mac, {}, neighbour6, own6});
    REQUIRE(to_all);
    CHECK_FALSE(to_all->is_reply);
    CHECK(rig.count(Counter::advertisements_ignored) == 3);
    CHECK_FALSE(rig.knows(neighbour6));
}

TEST_CASE("discovery: who is known is asked alone, and may leave his Ethernet address out of the answer",
          "[net]") {
    Rig rig;
    rig.is_asked_for(own6);
    rig.transmitted();
    rig.now = rig.now + seconds(31);
    auto frames = rig.sends(neighbour6);
    REQUIRE(frames.size() == 2);
    const auto question = sim::read_resolution(frames[0]);
    REQUIRE(question);
    CHECK(question->target == neighbour6);
    CHECK(sim::destination_mac(frames[0]) == neighbour_mac);
    auto answer =
        sim::write_resolution({2, neighbour_mac, neighbour_mac, own_mac, neighbour6, own6}, own_mac);
    answer.resize(at_icmp + 24);
    rig.receive(changed(answer, at_ip + 5, 24));
    CHECK(rig.count(Counter::advertisements_ignored) == 0);
    CHECK(rig.sends(neighbour6).size() == 1);
}

TEST_CASE("discovery: a question for somebody else teaches nothing", "[net]") {
    Rig rig;
    rig.is_asked_for(own6);
    rig.transmitted();
    const MacAddress moved{{2, 0, 0, 0, 0, 0x77}};
    rig.hears({1, moved, moved, {}, neighbour6, ip("fd00::55")});
    CHECK(sim::destination_mac(rig.sends(neighbour6).at(0)) == neighbour_mac);
}

TEST_CASE("discovery: nothing is answered to a group address of Ethernet", "[net]") {
    Rig rig;
    auto question = sim::write_resolution({1, neighbour_mac, neighbour_mac, {}, neighbour6, own6}, own_mac);
    question.resize(at_icmp + 24);  // no option
    question[at_ip + 5] = 24;
    std::fill_n(question.begin() + 6, 6, std::uint8_t{0xff});
    rig.receive(changed(question, at_icmp, 135));
    CHECK(rig.transmitted().empty());
}

TEST_CASE("discovery: a port of IPv6 alone answers for its address, not for the unspecified one", "[net]") {
    auto s = settings6();
    s.own_address = {};
    s.gateway = {};
    s.virtual_addresses = {vip6};
    InterfaceRig rig(s);
    rig.receive(sim::write_resolution({1, neighbour_mac, neighbour_mac, {}, neighbour6, own6}, own_mac));
    CHECK(answer_in(rig.transmitted()).sender == own6);
    CHECK_FALSE(rig.net.is_virtual_address({}));
    CHECK(rig.net.route(ip("10.0.0.9"), rig.now) == net::no_next_hop);
}

TEST_CASE("discovery: addresses that nobody has shut out no neighbour, nor the node's own frames (RFC 6583)",
          "[net]") {
    auto s = settings6();
    s.neighbours = 1024;
    InterfaceRig rig(s, 4095);
    rig.net.set_speaking(true);
    const auto send = [&](const IpAddress& to) {
        sim::Segment segment;
        segment.from = {vip6, 80};
        segment.to = {to, 4000};
        segment.flags = sim::flag::ack;
        return rig.net.send_ip(rig.mbufs.receive(sim::write_segment(segment)), to, net::Self::virtual_self,
                               rig.now);
    };
    for (unsigned i = 1; i <= 2000; ++i) {
        CHECK(send(ip(("fd00::bad:" + std::to_string(i)).c_str())));
        rig.transmitted();
    }
    CHECK(rig.net.held_mbufs() <= 512);
    // A real neighbour asks, and is answered.
    rig.receive(sim::write_resolution({1, neighbour_mac, neighbour_mac, {}, neighbour6, vip6},
                                      MacAddress::broadcast()));
    rig.transmitted();
    CHECK(send(neighbour6));
    CHECK(rig.transmitted().size() == 1);
    CHECK(send(gateway6));
    for (int i = 0; i < 200; ++i) {
        rig.now = rig.now + 5_ms;
        rig.net.advance(rig.now);
        const std::uint8_t heartbeat[40] = {};
        CHECK(rig.net.send_raw(heartbeat, wire::ethertype_heartbeat, MacAddress::broadcast()));
        rig.transmitted();
    }
    CHECK(rig.count(Counter::neighbour_table_full) == 0);
}

TEST_CASE(
    "discovery: the groups in which we are asked for are reported, at the start, in time and when asked",
    "[net]") {
    Rig rig;
    const auto report = [&](std::uint8_t mode) {
        const auto frames = rig.transmitted();
        REQUIRE(frames.size() == 1);
        const auto& f = frames[0];
        CHECK(sim::source_mac(f) == own_mac);
        CHECK(sim::destination_mac(f) == MacAddress{{0x33, 0x33, 0, 0, 0, 0x16}});
        CHECK(f[at_ip + 6] == 0);  // hop-by-hop options: router alert
        CHECK(f[at_ip + 7] == 1);  // this link
        CHECK(f[at_icmp + 2] == 5);
        const auto mld = at_icmp + 8;
        CHECK(f[mld] == 143);
        CHECK(f[mld + 7] == 2);  // fd00::2 and fd00::100 lie in different groups
        CHECK(f[mld + 8] == mode);
        CHECK(std::equal(f.begin() + static_cast<std::ptrdiff_t>(mld) + 12,
                         f.begin() + static_cast<std::ptrdiff_t>(mld) + 28,
                         wire::solicited_node(own6).bytes.begin()));
        const auto length = f.size() - mld;
        const auto sum = sim::ones_sum({&f[at_ip + 8], 32}) + 58 + static_cast<std::uint32_t>(length);
        CHECK(sim::fold(sim::ones_sum({&f[mld], length}, sum)) == 0);
    };
    rig.net.advance(rig.now);
    report(4);
    rig.now = rig.now + 1_s;
    rig.net.advance(rig.now);
    report(4);
    rig.now = rig.now + 59_s;
    rig.net.advance(rig.now);
    CHECK(rig.transmitted().empty());
    rig.now = rig.now + 1_s;
    rig.net.advance(rig.now);
    report(2);
    // A querier of the link asks, again and again.
    const auto router = ip("fe80::1");
    auto query = sim::write_resolution({1, neighbour_mac, neighbour_mac, {}, router, own6}, own_mac);
    query.resize(at_icmp + 24);
    query[at_ip + 5] = 24;
    query[at_ip + 7] = 1;
    query = changed(query, at_icmp, 130);
    for (int i = 0; i < 5; ++i) rig.receive(query);
    rig.now = rig.now + 1_s;
    rig.net.advance(rig.now);
    report(2);
    CHECK(rig.count(Counter::group_reports_sent) == 4);
}
