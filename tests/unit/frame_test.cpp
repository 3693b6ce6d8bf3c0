// Frame parsing: one hand-made frame for every verdict, and nothing read past a frame's end.
#include "lib/wire/frame.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <vector>

#include "lib/base/random.hpp"
#include "tests/support/edge_mbuf.hpp"
#include "tests/support/frame_bytes.hpp"

using namespace holdfast;
using namespace holdfast::test;
using wire::Frame;
using wire::FrameKind;

namespace {

const Bytes text = {'h', 'o', 'l', 'd', 'f', 'a', 's', 't', '!'};
const Endpoint client = *Endpoint::parse("192.0.2.7:40000"), service = *Endpoint::parse("198.51.100.1:80");
const MacAddress ours{{2, 0, 0, 0, 0, 1}}, theirs{{2, 0, 0, 0, 0, 2}};

/// A segment with timestamps and payload, larger than an Ethernet minimum: no padding.
Bytes good_segment() {
    sim::Segment s;
    s.from_mac = theirs;
    s.to_mac = ours;
    s.from = client;
    s.to = service;
    s.seq = {0xfffffffe};
    s.ack = {7};
    s.flags = sim::flag::ack | sim::flag::psh;
    s.window = 512;
    s.options.timestamps = sim::Timestamps{11, 22};
    s.payload = text;
    return sim::write_segment(s);
}

Bytes good_arp() {
    return sim::write_resolution({1, theirs, theirs, {}, client.address, service.address},
                                 MacAddress::broadcast());
}

class Parser {
  public:
    FrameKind operator()(const Bytes& bytes, bool verified = false, std::uint64_t flags = 0) {
        auto* m = edge_.mbuf(bytes);
        m->ol_flags = flags;
        return wire::parse_frame(m, verified, frame);
    }
    Frame frame;

  private:
    EdgeBuffer edge_;
};

/// The verdict on a good segment after `change`; checksums are made good again.
FrameKind after(const std::function<void(Bytes&)>& change) {
    auto bytes = good_segment();
    change(bytes);
    seal(bytes);
    return Parser()(bytes);
}

}  // namespace

TEST_CASE("frame: a segment is read as values", "[wire]") {
    Parser parse;
    REQUIRE(parse(good_segment()) == FrameKind::tcp);
    const auto& f = parse.frame;
    CHECK(f.source == client.address);
    CHECK(f.destination == service.address);
    CHECK(f.source_mac == theirs);
    CHECK(f.destination_mac == ours);
    CHECK(f.ttl == 64);
    CHECK(f.tcp.source_port == 40000);
    CHECK(f.tcp.destination_port == 80);
    CHECK(f.tcp.seq == SeqNum{0xfffffffe});
    CHECK(f.tcp.ack == SeqNum{7});
    CHECK(f.tcp.flags == (wire::flag::ack | wire::flag::psh));
    CHECK(f.tcp.window == 512);
    CHECK(f.tcp.options.has_timestamps);
    CHECK(f.tcp.options.ts_value == 11);
    CHECK(f.tcp.options.ts_echo == 22);
    CHECK(f.payload_len == text.size());
    CHECK(good_segment()[f.payload_offset] == 'h');
}

TEST_CASE("frame: padding of the wire is no payload", "[wire]") {
    auto bytes = good_segment();
    for (int i = 0; i < 6; ++i) bytes.push_back(0xa5);
    Parser parse;
    CHECK(parse(bytes) == FrameKind::tcp);
    CHECK(parse.frame.payload_len == text.size());
}

TEST_CASE("frame: IP options are skipped", "[wire]") {
    auto bytes = good_segment();
    bytes.insert(bytes.begin() + at_tcp, {1, 1, 1, 0});  // NOP NOP NOP END
    bytes[at_ip] = 0x46;
    put16(bytes, at_ip + 2, static_cast<std::uint16_t>(get16(bytes, at_ip + 2) + 4));
    put16(bytes, at_ip + 10, 0);
    put16(bytes, at_ip + 10, sim::fold(sim::ones_sum({&bytes[at_ip], 24})));
    Parser parse;
    CHECK(parse(bytes) == FrameKind::tcp);
    CHECK(parse.frame.payload_len == text.size());
}

TEST_CASE("frame: the payload's sum is remembered for the way out", "[wire]") {
    Parser parse;
    parse(good_segment());
    REQUIRE(parse.frame.sum_known);
    const auto expected = static_cast<std::uint16_t>(~sim::fold(sim::ones_sum(text)));
    CHECK(parse.frame.payload_sum == static_cast<std::uint16_t>(expected << 8 | expected >> 8));
}

TEST_CASE("frame: ethertypes", "[wire]") {
    Parser parse;
    CHECK(parse(good_arp()) == FrameKind::arp);
    auto heartbeat = good_arp();
    put16(heartbeat, 12, 0x88b5);
    CHECK(parse(heartbeat) == FrameKind::heartbeat);
    CHECK(parse.frame.payload_len == heartbeat.size() - 14);
    for (const std::uint16_t type : {0x8847, 0x88a8, 0x88cc, 0x05dc}) {
        put16(heartbeat, 12, type);
        CHECK(parse(heartbeat) == FrameKind::unknown_ethertype);
    }
}

TEST_CASE("frame: a VLAN tag is passed over, and its priority says nothing", "[wire]") {
    Parser parse;
    REQUIRE(parse(good_segment()) == FrameKind::tcp);
    CHECK(parse.frame.vlan == 0);
    const auto offset = parse.frame.payload_offset;
    for (const std::uint16_t tag : {0x0007, 0xe007, 0x1007}) {
        CHECK(parse(sim::tagged(good_segment(), tag)) == FrameKind::tcp);
        CHECK(parse.frame.vlan == 7);
        CHECK(parse.frame.payload_offset == offset + 4);
        CHECK(parse.frame.payload_len == text.size());
    }
    CHECK(parse(sim::tagged(good_arp(), 0xfff)) == FrameKind::arp);
    CHECK(parse.frame.vlan == 0xfff);
    // A tag behind a tag is no VLAN of ours.
    CHECK(parse(sim::tagged(sim::tagged(good_arp(), 7), 7)) == FrameKind::unknown_ethertype);
    auto cut = sim::tagged(good_arp(), 7);
    cut.resize(17);
    CHECK(parse(cut) == FrameKind::too_short);
}

TEST_CASE("frame: a tag that the port took out", "[wire]") {
    EdgeBuffer edge;
    auto* m = edge.mbuf(good_segment());
    m->vlan_tci = 0x6007;
    m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    Frame f;
    CHECK(wire::parse_frame(m, false, f) == FrameKind::tcp);
    CHECK(f.vlan == 7);
}

TEST_CASE("frame: nothing is taken from or for an IPv4 address that is no host's", "[wire]") {
    const auto judged = [](std::size_t at, const char* address) {
        return after([&](Bytes& b) {
            const auto a = IpAddress::parse(address).value();
            std::copy(a.bytes.begin() + 12, a.bytes.end(),
                      b.begin() + static_cast<std::ptrdiff_t>(at_ip + at));
        });
    };
    for (const auto* address : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.9", "224.0.0.1", "239.1.1.1",
                                "240.0.0.1", "255.255.255.255"}) {
        CAPTURE(address);
        CHECK(judged(12, address) == FrameKind::martian);
        CHECK(judged(16, address) == FrameKind::martian);
    }
    for (const auto* address : {"1.0.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255"}) {
        CHECK(judged(12, address) == FrameKind::tcp);
        CHECK(judged(16, address) == FrameKind::tcp);
    }
}

TEST_CASE("frame: IP protocols", "[wire]") {
    CHECK(after([](Bytes& b) { b[at_ip + 9] = 1; }) == FrameKind::icmp);
    CHECK(after([](Bytes& b) { b[at_ip + 9] = 17; }) == FrameKind::unknown_protocol);
    CHECK(after([](Bytes& b) { b[at_ip + 9] = 0; }) == FrameKind::unknown_protocol);
}

TEST_CASE("frame: impossible IP headers", "[wire]") {
    const int total = get16(good_segment(), at_ip + 2);
    CHECK(after([](Bytes& b) { b[at_ip] = 0x65; }) == FrameKind::bad_ip_header);
    CHECK(after([](Bytes& b) { b[at_ip] = 0x44; }) == FrameKind::bad_ip_header);
    for (const int length : {0, 19, total + 1, 0xffff}) {
        auto bytes = good_segment();
        put16(bytes, at_ip + 2, static_cast<std::uint16_t>(length));
        seal_ip(bytes);
        INFO("total length " << length << " of " << total);
        CHECK(Parser()(bytes) == FrameKind::bad_ip_header);
    }
}

TEST_CASE("frame: fragments are refused, whole packets that may be fragmented are not", "[wire]") {
    CHECK(after([](Bytes& b) { put16(b, at_ip + 6, 0x2000); }) == FrameKind::ip_fragment);
    CHECK(after([](Bytes& b) { put16(b, at_ip + 6, 0x0001); }) == FrameKind::ip_fragment);
    CHECK(after([](Bytes& b) { put16(b, at_ip + 6, 0x1fff); }) == FrameKind::ip_fragment);
    CHECK(after([](Bytes& b) { put16(b, at_ip + 6, 0x0000); }) == FrameKind::tcp);
    CHECK(after([](Bytes& b) { put16(b, at_ip + 6, 0x4000); }) == FrameKind::tcp);
}

TEST_CASE("frame: every flipped bit is seen by a checksum, or was no news", "[wire]") {
    const auto good = good_segment();
    Parser parse;
    for (std::size_t bit = at_ip * 8; bit < good.size() * 8; ++bit) {
        auto bytes = good;
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1u << bit % 8));
        INFO("bit " << bit);
        REQUIRE(parse(bytes) != FrameKind::tcp);
    }
    auto bytes = good;
    bytes[at_ip + 8] = 63;
    CHECK(parse(bytes) == FrameKind::bad_ip_checksum);
    bytes = good;
    bytes.back() = '?';
    CHECK(parse(bytes) == FrameKind::bad_tcp_checksum);
}

TEST_CASE("frame: impossible TCP headers", "[wire]") {
    const auto options_end = static_cast<std::uint8_t>((20 + 12) / 4);
    CHECK(after([](Bytes& b) { b[at_tcp + 12] = 0x40; }) == FrameKind::bad_tcp_header);
    CHECK(after([](Bytes& b) { b[at_tcp + 12] = 0xf0; }) == FrameKind::bad_tcp_header);
    CHECK(after([&](Bytes& b) { b[at_tcp + 12] = static_cast<std::uint8_t>(options_end << 4); }) ==
          FrameKind::tcp);
    CHECK(after([](Bytes& b) { put16(b, at_tcp, 0); }) == FrameKind::bad_tcp_header);
    CHECK(after([](Bytes& b) { put16(b, at_tcp + 2, 0); }) == FrameKind::bad_tcp_header);
}

TEST_CASE("frame: flags that no connection uses", "[wire]") {
    using namespace sim::flag;
    const auto with = [](int flags) {
        return after([&](Bytes& b) { b[at_tcp + 13] = static_cast<std::uint8_t>(flags); });
    };
    for (const int good :
         {int{syn}, int{rst}, int{ack}, syn | ack, rst | ack, fin | ack, fin | ack | psh | urg, ack | 0xc0})
        CHECK(with(good) == FrameKind::tcp);
    for (const int bad : {0, int{fin}, int{psh}, int{urg}, syn | fin, syn | rst, syn | fin | ack, 0x3f})
        CHECK(with(bad) == FrameKind::bad_tcp_header);
}

TEST_CASE("frame: an option of impossible length spoils the segment", "[wire]") {
    CHECK(after([](Bytes& b) { b[at_options + 3] = 11; }) == FrameKind::bad_tcp_options);
    CHECK(after([](Bytes& b) { b[at_options + 3] = 0; }) == FrameKind::bad_tcp_options);
}

TEST_CASE("frame: ARP that is not IPv4 over Ethernet, or from nobody", "[wire]") {
    const auto changed = [](std::size_t at, std::uint8_t value) {
        auto bytes = good_arp();
        bytes[14 + at] = value;
        return Parser()(bytes);
    };
    CHECK(changed(7, 2) == FrameKind::arp);      // a reply
    CHECK(changed(1, 6) == FrameKind::bad_arp);  // hardware type
    CHECK(changed(2, 0x86) == FrameKind::bad_arp);
    CHECK(changed(4, 8) == FrameKind::bad_arp);
    CHECK(changed(5, 16) == FrameKind::bad_arp);
    CHECK(changed(7, 0) == FrameKind::bad_arp);
    CHECK(changed(7, 3) == FrameKind::bad_arp);
    CHECK(changed(6, 1) == FrameKind::bad_arp);
    CHECK(changed(8, 1) == FrameKind::bad_arp);  // a multicast sender
    auto nobody = good_arp();
    std::fill_n(nobody.begin() + 14 + 8, 6, std::uint8_t{0});
    CHECK(Parser()(nobody) == FrameKind::bad_arp);
}

TEST_CASE("frame: a frame in several mbufs is refused", "[wire]") {
    EdgeBuffer edge;
    auto* m = edge.mbuf(good_segment());
    m->nb_segs = 2;
    Frame f;
    CHECK(wire::parse_frame(m, false, f) == FrameKind::chained);
}

TEST_CASE("frame: truncated at every byte it is refused, and nothing past the cut is read", "[wire]") {
    Parser parse;
    for (const auto& whole : {good_segment(), good_arp()})
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const bool is_arp = get16(whole, 12) == 0x0806;
            if (is_arp && size >= 14 + 28) break;  // what follows is padding
            INFO(size << " of " << whole.size() << " bytes");
            const auto kind = parse(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
            REQUIRE((kind == FrameKind::too_short || kind == FrameKind::bad_ip_header));
        }
}

TEST_CASE("frame: cut short with an IP header that knows it, at every byte", "[wire]") {
    const auto whole = good_segment();
    Parser parse;
    for (std::size_t size = at_ip + 20; size < whole.size(); ++size) {
        Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        put16(bytes, at_ip + 2, static_cast<std::uint16_t>(size - at_ip));
        seal_ip(bytes);
        if (size >= at_tcp + 18) seal_tcp(bytes);
        const auto kind = parse(bytes);
        INFO(size << " bytes");
        if (size < at_tcp + 20) REQUIRE(kind == FrameKind::too_short);
        else if (size < at_options + 12) REQUIRE(kind == FrameKind::bad_tcp_header);
        else REQUIRE(kind == FrameKind::tcp);
    }
}

TEST_CASE("frame: random damage with good checksums never leads past the end", "[wire]") {
    Parser parse;
    unsigned segments = 0;
    for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
        Random random(seed);
        auto bytes = random.below(8) == 0 ? good_arp() : good_segment();
        for (auto n = random.below(6); n-- > 0;)
            bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.next());
        bytes.resize(bytes.size() - random.below(4));
        if (get16(bytes, at_ip + 2) + at_ip <= bytes.size() && get16(bytes, at_ip + 2) >= 40) seal(bytes);
        const auto kind = parse(bytes);
        INFO("seed " << seed);
        REQUIRE(kind < FrameKind::count_);
        if (kind != FrameKind::tcp && kind != FrameKind::icmp && kind != FrameKind::heartbeat) continue;
        ++segments;
        REQUIRE(parse.frame.payload_offset + parse.frame.payload_len <= bytes.size());
    }
    CHECK(segments > 1000);
}

TEST_CASE("frame: a port is believed only when it vouches for a checksum", "[wire]") {
    auto bytes = good_segment();
    bytes.back() = '?';
    bytes[at_ip + 8] = 1;
    Parser parse;
    const auto ip_good = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    CHECK(parse(bytes, false, RTE_MBUF_F_RX_L4_CKSUM_GOOD | ip_good) == FrameKind::tcp);
    // Nobody has read the payload: its sum must not be used.
    CHECK_FALSE(parse.frame.sum_known);
    // virtio: the segment never crossed a wire and carries no sum, but its data is good.
    CHECK(parse(bytes, false, ip_good | RTE_MBUF_F_RX_L4_CKSUM_NONE) == FrameKind::tcp);
    CHECK(parse(bytes, false, RTE_MBUF_F_RX_L4_CKSUM_GOOD) == FrameKind::bad_ip_checksum);
    CHECK(parse(bytes, false, ip_good) == FrameKind::bad_tcp_checksum);
    CHECK(parse(bytes, false, ip_good | RTE_MBUF_F_RX_L4_CKSUM_BAD) == FrameKind::bad_tcp_checksum);
    CHECK(parse(bytes, false, 0) == FrameKind::bad_ip_checksum);
    // A frame that was parsed before, on the other core, is not summed again.
    CHECK(parse(bytes, true, 0) == FrameKind::tcp);
}

TEST_CASE("arp: read as values", "[wire]") {
    EdgeBuffer edge;
    const auto* m = edge.mbuf(good_arp());
    Frame f;
    REQUIRE(wire::parse_frame(m, false, f) == FrameKind::arp);
    const auto arp = wire::parse_arp(m, f);
    CHECK_FALSE(arp.is_reply);
    CHECK(arp.sender_mac == theirs);
    CHECK(arp.sender == client.address);
    CHECK(arp.target == service.address);
}
