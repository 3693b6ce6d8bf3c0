// TCP headers and options: bytes to values and back.
#include <catch2/catch.hpp>

#include <vector>

#include "lib/base/random.hpp"
#include "lib/wire/tcp.hpp"
#include "tests/support/edge_mbuf.hpp"

using namespace holdfast;
using namespace holdfast::wire;
using Bytes = std::vector<std::uint8_t>;

namespace {

struct Parsed {
    bool good = false;
    TcpOptions options;
};

/// The bytes stand at the end of readable memory.
Parsed parse(const Bytes& bytes) {
    static test::EdgeBuffer edge;
    Parsed p;
    p.good = parse_tcp_options(edge.place(bytes), p.options);
    return p;
}

bool same(const TcpOptions& a, const TcpOptions& b) {
    return a.mss == b.mss && a.window_scale == b.window_scale && a.has_window_scale == b.has_window_scale &&
           a.sack_permitted == b.sack_permitted && a.has_timestamps == b.has_timestamps &&
           a.ts_value == b.ts_value && a.ts_echo == b.ts_echo && a.sack_count == b.sack_count &&
           a.sack == b.sack;
}

TcpHeader draw_header(Random& random) {
    TcpHeader h;
    h.source_port = static_cast<std::uint16_t>(random.next() | 1);
    h.destination_port = static_cast<std::uint16_t>(random.next() | 1);
    h.seq = {static_cast<std::uint32_t>(random.next())};
    h.ack = {static_cast<std::uint32_t>(random.next())};
    h.flags = static_cast<std::uint8_t>(random.below(64));
    h.window = static_cast<std::uint16_t>(random.next());
    auto& o = h.options;
    if (random.below(2) == 0) {
        o.has_timestamps = true;
        o.ts_value = static_cast<std::uint32_t>(random.next());
        o.ts_echo = static_cast<std::uint32_t>(random.next());
    }
    if (random.below(2) == 0) {
        o.mss = static_cast<std::uint16_t>(random.between(1, 65535));
        o.sack_permitted = random.below(2) == 0;
        o.has_window_scale = random.below(2) == 0;
        if (o.has_window_scale) o.window_scale = static_cast<std::uint8_t>(random.below(256));
    } else {
        o.sack_count = static_cast<std::uint8_t>(random.below(o.has_timestamps ? 4 : 5));
        for (std::size_t i = 0; i < o.sack_count; ++i)
            o.sack[i] = {{static_cast<std::uint32_t>(random.next())},
                         {static_cast<std::uint32_t>(random.next())}};
    }
    return h;
}

}  // namespace

TEST_CASE("tcp options: what Linux puts into a SYN", "[wire]") {
    const auto p = parse({2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7});
    REQUIRE(p.good);
    CHECK(p.options.mss == 1460);
    CHECK(p.options.sack_permitted);
    CHECK(p.options.has_timestamps);
    CHECK(p.options.ts_value == 1);
    CHECK(p.options.has_window_scale);
    CHECK(p.options.window_scale == 7);
}

TEST_CASE("tcp options: none, padding only, and nothing behind the end of the list", "[wire]") {
    CHECK(parse({}).good);
    CHECK(parse({1, 1, 1, 1}).good);
    const auto p = parse({0, 2, 4, 5});
    CHECK(p.good);
    CHECK(p.options.mss == 0);
}

TEST_CASE("tcp options: unknown kinds are skipped by their length", "[wire]") {
    const auto p = parse({254, 6, 9, 9, 9, 9, 30, 2, 4, 2, 1, 0});
    CHECK(p.good);
    CHECK(p.options.sack_permitted);
}

TEST_CASE("tcp options: SACK blocks in their order, at most four", "[wire]") {
    const auto p = parse({1, 1, 5, 18, 0, 0, 0, 10, 0, 0, 0, 20, 0, 0, 0, 30, 0, 0, 0, 40});
    REQUIRE(p.good);
    REQUIRE(p.options.sack_count == 2);
    CHECK(p.options.sack[0] == SackBlock{{10}, {20}});
    CHECK(p.options.sack[1] == SackBlock{{30}, {40}});
    // Two SACK options in one header are one list that is full at four.
    Bytes six = {5, 26};
    six.resize(26, 1);
    six.insert(six.end(), {5, 10, 0, 0, 0, 1, 0, 0, 0, 2});
    CHECK(parse(six).options.sack_count == 4);
}

TEST_CASE("tcp options: impossible lengths are refused", "[wire]") {
    const Bytes malformed[] = {
        {2},                   // no length
        {2, 0, 5, 180},        // a length that would never end
        {2, 1, 5, 180},        // less than kind and length take
        {2, 3, 5, 0},          // too short for its kind
        {2, 5, 5, 180, 0, 0},  // too long for its kind
        {2, 4, 5},             // past the end
        {3, 2, 0, 0},
        {3, 4, 7, 0},                    // window scale
        {4, 3, 0, 0},                    // SACK permitted with a body
        {5, 2, 0, 0},                    // SACK without a block
        {5, 9, 0, 0, 0, 1, 0, 0, 0, 2},  // half a block
        {5, 10, 0, 0, 0, 1},             // a block past the end
        {8, 9, 0, 0, 0, 1, 0, 0, 0, 2},  // timestamps
        {8, 10, 0, 0, 0, 1, 0, 0, 0},    // past the end by one
        {254, 255, 0, 0},                // unknown, past the end
        {1, 1, 1, 254},                  // unknown, without length
    };
    for (const auto& bytes : malformed) {
        INFO("kind " << +bytes[0] << ", " << bytes.size() << " bytes");
        CHECK_FALSE(parse(bytes).good);
    }
}

TEST_CASE("tcp options: any bytes are read within their bounds", "[wire]") {
    Random random(1);
    for (int i = 0; i < 50'000; ++i) {
        Bytes bytes(random.below(41));
        // Kinds and lengths that mean something are drawn often.
        for (auto& b : bytes)
            b = static_cast<std::uint8_t>(random.below(2) == 0 ? random.below(12) : random.next());
        const auto p = parse(bytes);
        REQUIRE(p.options.sack_count <= 4);
    }
}

TEST_CASE("tcp header: what is written is what is read", "[wire]") {
    Random random(2);
    for (int i = 0; i < 10'000; ++i) {
        const auto h = draw_header(random);
        std::uint8_t out[tcp_size + tcp_options_max];
        const auto size = write_tcp_header(out, h);
        REQUIRE(size == tcp_size + tcp_options_size(h.options));
        REQUIRE(size % 4 == 0);
        REQUIRE(out[12] >> 4 == static_cast<int>(size / 4));
        REQUIRE(load16(out) == h.source_port);
        REQUIRE(load16(out + 2) == h.destination_port);
        REQUIRE(SeqNum{load32(out + 4)} == h.seq);
        REQUIRE(SeqNum{load32(out + 8)} == h.ack);
        REQUIRE(out[13] == h.flags);
        REQUIRE(load16(out + 14) == h.window);
        const auto p = parse(Bytes(out + tcp_size, out + size));
        REQUIRE(p.good);
        REQUIRE(same(p.options, h.options));
    }
}

TEST_CASE("tcp header: the bytes of our SYN", "[wire]") {
    TcpHeader h;
    h.source_port = 0x1234;
    h.destination_port = 80;
    h.seq = {0xfffffff0};
    h.flags = flag::syn;
    h.window = 0xfaf0;
    h.options.mss = 1460;
    h.options.sack_permitted = h.options.has_timestamps = h.options.has_window_scale = true;
    h.options.ts_value = 0x01020304;
    h.options.window_scale = 7;
    std::uint8_t out[60] = {};
    const Bytes expected = {0x12, 0x34, 0,    80,   0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 0,
                            0xb0, 0x02, 0xfa, 0xf0, 0,    0,    0,    0,  //
                            2,    4,    5,    0xb4, 1,    1,    4,    2,    1, 1, 8, 10,
                            1,    2,    3,    4,    0,    0,    0,    0,    1, 3, 3, 7};
    REQUIRE(write_tcp_header(out, h) == expected.size());
    CHECK(Bytes(out, out + expected.size()) == expected);
}
