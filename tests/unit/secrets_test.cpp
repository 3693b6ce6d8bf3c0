// Initial sequence numbers and timestamp offsets: not to be guessed, alike on both nodes (RFC 6528, RFC
// 7323).
#include <catch2/catch.hpp>

#include <set>
#include <vector>

#include "cores/tcp/handshake.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using tcp::Secrets;

namespace {

const std::vector<std::uint8_t> pair_key(32, 0x42), another_key(32, 0x43);
const Endpoint service = *Endpoint::parse("198.51.100.1:80");

Endpoint client(std::uint16_t port) { return {*IpAddress::parse("192.0.2.7"), port}; }

}  // namespace

TEST_CASE("secrets: two nodes with one key choose alike", "[tcp]") {
    const Secrets a(pair_key), b(pair_key);
    CHECK(a.initial_sequence(service, client(1), Instant{} + 5_s) ==
          b.initial_sequence(service, client(1), Instant{} + 5_s));
    CHECK(a.timestamp_offset(service, client(1)) == b.timestamp_offset(service, client(1)));
}

TEST_CASE("secrets: another key, another choice", "[tcp]") {
    const Secrets a(pair_key), b(another_key);
    CHECK_FALSE(a.initial_sequence(service, client(1), Instant{}) ==
                b.initial_sequence(service, client(1), Instant{}));
    CHECK(a.timestamp_offset(service, client(1)) != b.timestamp_offset(service, client(1)));
}

TEST_CASE("secrets: one tuple's numbers tell nothing of its neighbour's", "[tcp]") {
    const Secrets s(pair_key);
    std::set<std::uint32_t> isns, offsets, steps;
    for (std::uint16_t port = 1; port <= 1000; ++port) {
        const auto isn = s.initial_sequence(service, client(port), Instant{});
        isns.insert(isn.value);
        offsets.insert(s.timestamp_offset(service, client(port)));
        steps.insert(
            isn.value -
            s.initial_sequence(service, client(static_cast<std::uint16_t>(port + 1)), Instant{}).value);
    }
    CHECK(isns.size() == 1000);
    CHECK(offsets.size() == 1000);
    CHECK(steps.size() == 1000);
}

TEST_CASE("secrets: the direction of a tuple counts", "[tcp]") {
    const Secrets s(pair_key);
    CHECK_FALSE(s.initial_sequence(service, client(1), Instant{}) ==
                s.initial_sequence(client(1), service, Instant{}));
}

TEST_CASE("secrets: the same tuple's numbers grow by one every 4 us", "[tcp]") {
    const Secrets s(pair_key);
    const auto first = s.initial_sequence(service, client(1), Instant{} + 100_s);
    CHECK(s.initial_sequence(service, client(1), Instant{} + 100_s + 4_us) - first == 1);
    CHECK(s.initial_sequence(service, client(1), Instant{} + 101_s) - first == 250'000);
    // The offset of timestamps does not move: they must not go back when a tuple is used again.
    CHECK(s.timestamp_offset(service, client(1)) == s.timestamp_offset(service, client(1)));
}

TEST_CASE("secrets: one purpose tells nothing of another", "[tcp]") {
    const Secrets s(pair_key);
    std::set<std::uint64_t> hashes;
    for (const auto purpose : {tcp::Purpose::initial_sequence, tcp::Purpose::timestamp_offset,
                               tcp::Purpose::cookie, tcp::Purpose::backend, tcp::Purpose::client})
        hashes.insert(s.hash(service, client(1), purpose));
    CHECK(hashes.size() == 5);
}
