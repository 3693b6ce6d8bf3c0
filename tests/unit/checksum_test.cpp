// The Internet checksum against a reference that does nothing clever.
#include "lib/wire/checksum.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "lib/base/random.hpp"

using namespace holdfast;
using namespace holdfast::wire;

namespace {

/// RFC 1071 section 1 as it stands there: big-endian words, a last odd byte on the left, carries folded in.
/// The result is in memory order, as sum_bytes() gives it.
std::uint16_t reference(const std::uint8_t* p, std::size_t size) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
        sum += i % 2 == 0 ? static_cast<std::uint32_t>(p[i]) << 8 : p[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum << 8 | sum >> 8);
}

}  // namespace

TEST_CASE("checksum: every size up to a jumbo frame's odd ends, at every alignment", "[wire]") {
    Random random(1);
    std::vector<std::uint8_t> bytes(9100);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random.next());
    for (std::size_t size = 0; size < 300; ++size)
        for (std::size_t at = 0; at < 8; ++at) {
            INFO(size << " bytes at " << at);
            REQUIRE(sum_bytes(&bytes[at], size) == reference(&bytes[at], size));
        }
    for (const std::size_t size : {1459u, 1460u, 8959u, 9001u})
        CHECK(sum_bytes(bytes.data(), size) == reference(bytes.data(), size));
}

TEST_CASE("checksum: carries of the worst bytes are not lost", "[wire]") {
    const std::vector<std::uint8_t> ones(65535, 0xff);
    for (const std::size_t size : {2u, 15u, 16u, 17u, 1460u, 65534u, 65535u})
        CHECK(sum_bytes(ones.data(), size) == reference(ones.data(), size));
    const std::vector<std::uint8_t> zeros(64, 0);
    CHECK(sum_bytes(zeros.data(), zeros.size()) == 0);
}

TEST_CASE("checksum: fold takes any accumulation", "[wire]") {
    CHECK(fold(0) == 0);
    CHECK(fold(0xffff) == 0xffff);
    CHECK(fold(0x10000) == 1);
    CHECK(fold(0x1ffff) == 1);
    CHECK(fold(0xffffffff) == 0xffff);
    CHECK(fold(0xfffffffe) == 0xfffe);
}

TEST_CASE("checksum: sums of pieces of even size add up to the sum of the whole", "[wire]") {
    Random random(2);
    std::vector<std::uint8_t> bytes(1000);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random.next());
    for (std::size_t cut = 0; cut <= bytes.size(); cut += 2)
        REQUIRE(fold(static_cast<std::uint32_t>(sum_bytes(bytes.data(), cut)) +
                     sum_bytes(&bytes[cut], bytes.size() - cut)) == sum_bytes(bytes.data(), bytes.size()));
}

TEST_CASE("checksum: the pseudo header is addresses, protocol and length", "[wire]") {
    const std::uint8_t header[] = {192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34};
    const auto from = *IpAddress::parse("192.0.2.1"), to = *IpAddress::parse("198.51.100.7");
    CHECK(fold(pseudo_header_sum(from, to, 0x1234)) == reference(header, sizeof header));
}
