// Frames between the appliance and a process of gate host.
#include <catch2/catch.hpp>
#include <vector>

#include "lib/host/frame.hpp"

using namespace holdfast;
using namespace holdfast::host;

namespace {

std::vector<std::uint8_t> written(const Frame& f) {
    std::vector<std::uint8_t> bytes(frame_max);
    bytes.resize(write(f, bytes));
    return bytes;
}

}  // namespace

TEST_CASE("a frame is read as it was written") {
    std::vector<std::uint8_t> payload(payload_max);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i * 7);
    const auto size = GENERATE(std::size_t{0}, std::size_t{1}, payload_max);
    const Frame f{Kind::answer,
                  flag::again | flag::end,
                  0x01020304,
                  {0x11121314, 0x21222324},
                  0x3132333435363738,
                  0x4142434445464748,
                  std::span(payload).first(size)};
    const auto bytes = written(f);
    CHECK(bytes.size() == header_size + size);
    const auto back = read(bytes);
    REQUIRE(back);
    CHECK(back->kind == f.kind);
    CHECK(back->flags == f.flags);
    CHECK(back->attachment == f.attachment);
    CHECK(back->session == f.session);
    CHECK(back->offset == f.offset);
    CHECK(back->second == f.second);
    CHECK(std::vector(back->bytes.begin(), back->bytes.end()) ==
          std::vector(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size)));
}

TEST_CASE("the layout is little-endian and fixed") {
    const auto bytes = written({Kind::hello, 2, 0x04030201, {5, 6}, 0x0807060504030201, 9, {}});
    const std::vector<std::uint8_t> expected{9, 2, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 6, 0, 0, 0,
                                             1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0};
    CHECK(bytes == expected);
}

TEST_CASE("padding behind a frame is no part of it") {
    const std::vector<std::uint8_t> payload{1, 2, 3};
    auto bytes = written({Kind::data, 0, 1, {}, 0, 0, payload});
    bytes.resize(60);
    CHECK(read(bytes)->bytes.size() == 3);
}

TEST_CASE("what is no frame is refused") {
    const std::vector<std::uint8_t> payload{1, 2, 3};
    auto bytes = written({Kind::data, 0, 1, {}, 0, 0, payload});
    for (std::size_t n = 0; n < bytes.size(); ++n) CHECK_FALSE(read(std::span(bytes).first(n)));
    for (const auto kind : {std::uint8_t{0}, std::uint8_t{13}, std::uint8_t{255}}) {
        bytes[0] = kind;
        CHECK_FALSE(read(bytes));
    }
    std::vector<std::uint8_t> large(header_size + payload_max + 1);
    large[0] = static_cast<std::uint8_t>(Kind::data);
    large[2] = static_cast<std::uint8_t>((payload_max + 1) & 0xff);
    large[3] = static_cast<std::uint8_t>((payload_max + 1) >> 8);
    CHECK_FALSE(read(large));
}

TEST_CASE("a greeting is read as it was written") {
    const Greeting g{*Endpoint::parse("10.0.0.1:80"), *Endpoint::parse("[fe80::1]:65535"),
                     0x0102030405060708};
    std::array<std::uint8_t, Greeting::size> bytes;
    write(g, bytes);
    CHECK(read_greeting(bytes) == g);
    CHECK_FALSE(read_greeting(std::span(bytes).first(43)));
}
