// IPv6 frames: what is taken, what is passed over, what is refused, and nothing read past a frame's end.
#include <catch2/catch.hpp>

#include "lib/base/random.hpp"
#include "lib/wire/frame.hpp"
#include "tests/sim/frame.hpp"
#include "tests/support/edge_mbuf.hpp"

using namespace holdfast;
using namespace holdfast::test;
using sim::Bytes;
using wire::Frame;
using wire::FrameKind;

namespace {

constexpr std::size_t at_ip = 14, at_upper = at_ip + 40;
constexpr std::uint8_t hop_by_hop = 0, tcp = 6, udp = 17, routing = 43, fragment = 44, no_next = 59,
                       options = 60;
const Bytes text = {'h', 'o', 'l', 'd', 'f', 'a', 's', 't'};
const Endpoint client = *Endpoint::parse("[2001:db8::7]:40000"),
               service = *Endpoint::parse("[2001:db8:1::1]:80");
const MacAddress ours{{2, 0, 0, 0, 0, 1}}, theirs{{2, 0, 0, 0, 0, 2}};

Bytes good_segment() {
    sim::Segment s;
    s.from_mac = theirs;
    s.to_mac = ours;
    s.from = client;
    s.to = service;
    s.seq = {0xfffffffe};
    s.ack = {7};
    s.flags = sim::flag::ack;
    s.window = 512;
    s.options.timestamps = sim::Timestamps{11, 22};
    s.payload = text;
    return sim::write_segment(s);
}

/// The segment with extension headers in front of it: the number of each, and its bytes but for the first,
/// which names the one after it.
Bytes with_extensions(const std::vector<std::pair<std::uint8_t, Bytes>>& headers) {
    auto frame = good_segment();
    auto at = at_upper;
    std::size_t next_field = at_ip + 6;
    for (const auto& [number, rest] : headers) {
        Bytes header = {frame[next_field]};
        header.insert(header.end(), rest.begin(), rest.end());
        frame[next_field] = number;
        frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(at), header.begin(), header.end());
        next_field = at;
        at += header.size();
    }
    const auto length = frame.size() - at_upper;
    frame[at_ip + 4] = static_cast<std::uint8_t>(length >> 8);
    frame[at_ip + 5] = static_cast<std::uint8_t>(length);
    return frame;
}

class Parser {
  public:
    FrameKind operator()(const Bytes& bytes) { return wire::parse_frame(edge_.mbuf(bytes), false, frame); }
    Frame frame;

  private:
    EdgeBuffer edge_;
};

FrameKind kind_of(const Bytes& bytes) { return Parser()(bytes); }

/// The verdict on a good segment of which one byte is another.
FrameKind with_byte(std::size_t at, std::uint8_t value) {
    auto frame = good_segment();
    frame[at] = value;
    return kind_of(frame);
}

const Bytes eight = {0, 1, 4, 0, 0, 0, 0};  ///< behind the first byte: length 0 (8 bytes), PadN
const Bytes sixteen = {1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

}  // namespace

TEST_CASE("frame6: a segment is read as values", "[wire]") {
    Parser parse;
    REQUIRE(parse(good_segment()) == FrameKind::tcp);
    const auto& f = parse.frame;
    CHECK(f.source == client.address);
    CHECK(f.destination == service.address);
    CHECK(f.ttl == 64);
    CHECK(f.tcp.source_port == 40000);
    CHECK(f.tcp.seq == SeqNum{0xfffffffe});
    CHECK(f.tcp.options.ts_echo == 22);
    CHECK(f.payload_len == text.size());
    CHECK(good_segment()[f.payload_offset] == 'h');
}

TEST_CASE("frame6: padding of the wire is no payload", "[wire]") {
    auto frame = good_segment();
    frame.insert(frame.end(), 6, 0xa5);
    Parser parse;
    CHECK(parse(frame) == FrameKind::tcp);
    CHECK(parse.frame.payload_len == text.size());
}

TEST_CASE("frame6: extension headers that say nothing to an end host are passed over", "[wire]") {
    Parser parse;
    const std::vector<std::vector<std::pair<std::uint8_t, Bytes>>> chains = {
        {{hop_by_hop, eight}},
        {{options, sixteen}},
        {{hop_by_hop, sixteen}, {options, eight}},
        {{routing, {0, 4, 0, 0, 0, 0, 0}}},   // segments left: 0
        {{fragment, {0, 0, 0, 9, 9, 9, 9}}},  // a whole packet in one fragment (RFC 6946)
        {{options, eight}, {options, eight}, {fragment, {0, 0, 0, 1, 2, 3, 4}}, {options, sixteen}},
    };
    for (const auto& chain : chains) {
        const auto frame = with_extensions(chain);
        REQUIRE(parse(frame) == FrameKind::tcp);
        CHECK(parse.frame.payload_len == text.size());
        CHECK(frame[parse.frame.payload_offset] == 'h');
    }
}

TEST_CASE("frame6: extension headers that are refused, each with its reason", "[wire]") {
    CHECK(kind_of(with_extensions({{options, eight}, {hop_by_hop, eight}})) == FrameKind::ipv6_extension);
    CHECK(kind_of(with_extensions({{routing, {0, 0, 1, 0, 0, 0, 0}}})) == FrameKind::ipv6_extension);
    CHECK(kind_of(with_extensions({{fragment, {0, 0, 1, 9, 9, 9, 9}}})) ==
          FrameKind::ip_fragment);  // more follow
    CHECK(kind_of(with_extensions({{fragment, {0, 0, 8, 9, 9, 9, 9}}})) ==
          FrameKind::ip_fragment);                                                  // not the first
    CHECK(kind_of(with_extensions({{51, eight}})) == FrameKind::unknown_protocol);  // authentication
    // Options that say "discard" to whoever does not know them (home address), and one that passes the
    // header's end.
    CHECK(kind_of(with_extensions({{options, {0, 0xc9, 4, 0, 0, 0, 0}}})) == FrameKind::ipv6_extension);
    CHECK(kind_of(with_extensions({{options, {0, 1, 5, 0, 0, 0, 0}}})) == FrameKind::ipv6_extension);
    CHECK(kind_of(with_extensions({{hop_by_hop, {0, 5, 2, 0, 0, 1, 0}}})) == FrameKind::tcp);  // router alert
    const std::vector<std::pair<std::uint8_t, Bytes>> many(9, {options, eight});
    CHECK(kind_of(with_extensions(many)) == FrameKind::ipv6_extension);
}

TEST_CASE("frame6: an extension header that passes the packet's end is refused", "[wire]") {
    CHECK(kind_of(with_extensions({{options, {200, 1, 4, 0, 0, 0, 0}}})) == FrameKind::too_short);
    // What pads the frame is not the packet.
    auto frame = with_extensions({{options, {6, 1, 4, 0, 0, 0, 0}}});
    frame.insert(frame.end(), 60, 0);
    CHECK(kind_of(frame) == FrameKind::too_short);
}

TEST_CASE("frame6: impossible headers", "[wire]") {
    CHECK(with_byte(at_ip, 0x50) == FrameKind::bad_ip_header);
    CHECK(with_byte(at_ip + 4, 0xff) == FrameKind::bad_ip_header);  // longer than the frame
    CHECK(with_byte(at_ip + 8, 0xff) == FrameKind::bad_ip_header);  // from a group
    CHECK(with_byte(at_ip + 6, udp) == FrameKind::unknown_protocol);
    CHECK(with_byte(at_ip + 6, no_next) == FrameKind::unknown_protocol);
    auto nobody = good_segment(), mapped = good_segment();
    std::fill_n(nobody.begin() + at_ip + 8, 16, std::uint8_t{0});
    CHECK(kind_of(nobody) == FrameKind::bad_ip_header);
    const auto v4 = *IpAddress::parse("192.0.2.1");
    for (const std::size_t at : {at_ip + 8, at_ip + 24}) {
        mapped = good_segment();
        std::copy(v4.bytes.begin(), v4.bytes.end(), mapped.begin() + static_cast<std::ptrdiff_t>(at));
        CHECK(kind_of(mapped) == FrameKind::bad_ip_header);
    }
}

TEST_CASE("frame6: ICMPv6 is not taken out of a fragment, not even a whole one (RFC 6980)", "[wire]") {
    auto frame = with_extensions({{fragment, {0, 0, 0, 9, 9, 9, 9}}});
    frame[at_upper] = 58;
    CHECK(kind_of(frame) == FrameKind::ip_fragment);
}

TEST_CASE("frame6: nobody is at the loopback or the unspecified address", "[wire]") {
    const auto loopback = *IpAddress::parse("::1");
    for (const std::size_t at : {at_ip + 8, at_ip + 24}) {
        auto frame = good_segment();
        std::copy(loopback.bytes.begin(), loopback.bytes.end(),
                  frame.begin() + static_cast<std::ptrdiff_t>(at));
        CHECK(kind_of(frame) == FrameKind::bad_ip_header);
        std::fill_n(frame.begin() + static_cast<std::ptrdiff_t>(at), 16, std::uint8_t{0});
        CHECK(kind_of(frame) == FrameKind::bad_ip_header);
    }
}

TEST_CASE("frame6: every flipped bit of addresses, TCP and payload is seen by the checksum", "[wire]") {
    Parser parse;
    const auto good = good_segment();
    for (std::size_t at = at_ip + 8; at < good.size(); ++at)
        for (unsigned bit = 0; bit < 8; ++bit) {
            auto bad = good;
            bad[at] = static_cast<std::uint8_t>(bad[at] ^ 1u << bit);
            CHECK(parse(bad) != FrameKind::tcp);
        }
}

TEST_CASE("frame6: truncated at every byte it is refused, and nothing past the cut is read", "[wire]") {
    Parser parse;
    const auto good = with_extensions({{hop_by_hop, eight}, {options, sixteen}});
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK(parse(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))) != FrameKind::tcp);
}

TEST_CASE("frame6: random bytes behind a good header never lead past the end", "[wire]") {
    Parser parse;
    Random random(6);
    for (int round = 0; round < 20'000; ++round) {
        auto frame =
            with_extensions({{hop_by_hop, eight}, {routing, {0, 4, 0, 0, 0, 0, 0}}, {options, sixteen}});
        for (int changes = 1 + static_cast<int>(random.below(4)); changes > 0; --changes)
            frame[at_ip + random.below(frame.size() - at_ip)] = static_cast<std::uint8_t>(random.next());
        parse(frame);
        if (parse.frame.kind == FrameKind::tcp)
            CHECK(parse.frame.payload_offset + std::size_t{parse.frame.payload_len} <= frame.size());
    }
}
