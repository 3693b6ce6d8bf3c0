#include "lib/wire/proxy_header.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace holdfast;

namespace {

std::string header(unsigned version, const char* client, const char* service) {
    std::array<std::uint8_t, wire::proxy_header_max> bytes{};
    const auto n =
        wire::write_proxy_header(version, *Endpoint::parse(client), *Endpoint::parse(service), bytes);
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)};
}

std::string bytes(std::initializer_list<int> values) {
    std::string s;
    for (const int v : values) s += static_cast<char>(v);
    return s;
}

const std::string signature = bytes({0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a});

}  // namespace

TEST_CASE("version 1 is a line of text") {
    CHECK(header(1, "192.0.2.7:40000", "10.0.0.1:80") == "PROXY TCP4 192.0.2.7 10.0.0.1 40000 80\r\n");
    CHECK(header(1, "[2001:db8::7]:40000", "[fd00::1]:443") ==
          "PROXY TCP6 2001:db8::7 fd00::1 40000 443\r\n");
}

TEST_CASE("version 2 is binary, in network byte order") {
    CHECK(header(2, "192.0.2.7:40000", "10.0.0.1:80") ==
          signature + bytes({0x21, 0x11, 0, 12, 192, 0, 2, 7, 10, 0, 0, 1, 0x9c, 0x40, 0, 80}));
    const auto v6 = header(2, "[2001:db8::7]:40000", "[fd00::1]:443");
    CHECK(v6.size() == 52);
    CHECK(v6.substr(0, 16) == signature + bytes({0x21, 0x21, 0, 36}));
    CHECK(v6.substr(16, 4) == bytes({0x20, 0x01, 0x0d, 0xb8}));
    CHECK(v6.substr(48) == bytes({0x9c, 0x40, 1, 0xbb}));
}

TEST_CASE("version 0 is none, and the longest fits") {
    CHECK(header(0, "192.0.2.7:40000", "10.0.0.1:80").empty());
    const auto* longest = "[2001:1db8:1234:5678:9abc:def1:2345:6789]:65535";
    CHECK(header(1, longest, longest).size() <= wire::proxy_header_max);
}
