// The keyed hash against the vectors that its authors published with it: key and message 00 01 02 ...
#include <array>
#include <catch2/catch.hpp>
#include <vector>

#include "lib/base/siphash.hpp"

using namespace holdfast;

TEST_CASE("siphash: the authors' vectors", "[base]") {
    const SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    std::vector<std::uint8_t> message;
    const auto next = [&] {
        const auto value = siphash(key, message);
        message.push_back(static_cast<std::uint8_t>(message.size()));
        return value;
    };
    CHECK(next() == 0x726fdb47dd0e0e31ULL);
    CHECK(next() == 0x74f839c593dc67fdULL);
    while (message.size() < 8) next();
    CHECK(next() == 0x93f5f5799a932462ULL);
    while (message.size() < 15) next();
    CHECK(next() == 0xa129ca6149be45e5ULL);
}

TEST_CASE("siphash: another key, another value", "[base]") {
    const std::array<std::uint8_t, 3> message{1, 2, 3};
    CHECK(siphash({1, 2}, message) != siphash({1, 3}, message));
    CHECK(siphash({1, 2}, message) != siphash({2, 2}, message));
}
