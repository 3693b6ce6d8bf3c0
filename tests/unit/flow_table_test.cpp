// Flow lookup: a table keeps its promise of `capacity` flows, refuses what is beyond, and loses nothing.
#include "lib/table/flow_table.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "lib/base/random.hpp"

using namespace holdfast;

namespace {

FlowTable make_table(std::uint32_t capacity) {
    static int number = 0;
    return FlowTable("flows_" + std::to_string(number++), capacity, -1);
}

/// Tuples as a busy address sees them: few addresses, many ports.
FlowKey key(std::uint32_t n) {
    FlowKey k;
    k.local = *IpAddress::parse("198.51.100.1");
    k.remote = IpAddress::from_v4(0x0a000000 + n / 50'000);
    k.local_port = 80;
    k.remote_port = static_cast<std::uint16_t>(1024 + n % 50'000);
    return k;
}

}  // namespace

TEST_CASE("flow table: finds what was inserted and nothing else", "[table]") {
    auto table = make_table(100);
    CHECK(table.find(key(1)) == FlowTable::none);
    CHECK(table.insert(key(1), 7));
    CHECK(table.find(key(1)) == 7);
    CHECK(table.find(key(2)) == FlowTable::none);
    CHECK(table.size() == 1);
    auto tagged = key(1);
    tagged.vlan = 5;
    CHECK(table.find(tagged) == FlowTable::none);
    auto turned = key(1);
    std::swap(turned.local, turned.remote);
    CHECK(table.find(turned) == FlowTable::none);
}

TEST_CASE("flow table: an existing key gets the new slot", "[table]") {
    auto table = make_table(100);
    table.insert(key(1), 7);
    CHECK(table.insert(key(1), 8));
    CHECK(table.find(key(1)) == 8);
    CHECK(table.size() == 1);
}

TEST_CASE("flow table: slot 0 is a slot", "[table]") {
    auto table = make_table(100);
    table.insert(key(1), 0);
    CHECK(table.find(key(1)) == 0);
}

TEST_CASE("flow table: erasing what is not there changes nothing", "[table]") {
    auto table = make_table(100);
    table.insert(key(1), 1);
    table.erase(key(2));
    CHECK(table.size() == 1);
    table.erase(key(1));
    table.erase(key(1));
    CHECK(table.size() == 0);
    CHECK(table.find(key(1)) == FlowTable::none);
}

TEST_CASE("flow table: takes its capacity whole, then refuses and keeps what it has", "[table]") {
    for (const std::uint32_t capacity : {64u, 1000u, 16384u}) {
        auto table = make_table(capacity);
        for (std::uint32_t n = 0; n < capacity; ++n) REQUIRE(table.insert(key(n), n));
        CHECK(table.size() == capacity);
        std::uint32_t refused = 0;
        for (std::uint32_t n = 0; n < 1000; ++n) refused += table.insert(key(capacity + n), 1) ? 0 : 1;
        CHECK(refused == 1000);
        for (std::uint32_t n = 0; n < capacity; ++n) REQUIRE(table.find(key(n)) == n);
        table.erase(key(3));
        CHECK(table.insert(key(capacity), 3));
    }
}

TEST_CASE("flow table: an existing key can be moved in a full table", "[table]") {
    auto table = make_table(64);
    for (std::uint32_t n = 0; n < 64; ++n) REQUIRE(table.insert(key(n), n));
    CHECK(table.insert(key(5), 99));
    CHECK(table.find(key(5)) == 99);
}

TEST_CASE("flow table: filled and emptied again and again it loses no place", "[table]") {
    auto table = make_table(256);
    for (std::uint32_t round = 0; round < 50; ++round) {
        for (std::uint32_t n = 0; n < 256; ++n) REQUIRE(table.insert(key(round * 256 + n), n));
        for (std::uint32_t n = 0; n < 256; ++n) table.erase(key(round * 256 + n));
        REQUIRE(table.size() == 0);
    }
}

TEST_CASE("flow table: bulk lookup is single lookup, for every burst size", "[table]") {
    auto table = make_table(100);
    for (std::uint32_t n = 0; n < 100; n += 2) table.insert(key(n), n);
    for (std::size_t size = 0; size <= 32; ++size) {
        std::vector<FlowKey> keys;
        std::vector<const FlowKey*> pointers;
        for (std::size_t i = 0; i < size; ++i) keys.push_back(key(static_cast<std::uint32_t>(i * 3)));
        for (const auto& k : keys) pointers.push_back(&k);
        std::vector<std::uint32_t> slots(size, 12345);
        table.find_bulk(pointers, slots);
        for (std::size_t i = 0; i < size; ++i) REQUIRE(slots[i] == table.find(keys[i]));
    }
}

TEST_CASE("flow table: against a map, at random", "[table]") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        auto table = make_table(128);
        std::map<std::uint32_t, std::uint32_t> model;
        for (int step = 0; step < 5000; ++step) {
            const auto n = static_cast<std::uint32_t>(random.below(200));
            if (random.below(2) == 0) {
                const auto slot = static_cast<std::uint32_t>(random.below(128));
                const bool expected = model.count(n) != 0 || model.size() < 128;
                REQUIRE(table.insert(key(n), slot) == expected);
                if (expected) model[n] = slot;
            } else {
                table.erase(key(n));
                model.erase(n);
            }
            const auto probe = static_cast<std::uint32_t>(random.below(200));
            REQUIRE(table.find(key(probe)) == (model.count(probe) != 0 ? model[probe] : FlowTable::none));
            REQUIRE(table.size() == model.size());
        }
    }
}

TEST_CASE("flow table: an entry is erased by its place while it leads to that slot", "[table]") {
    auto table = make_table(100);
    table.insert(key(1), 7);
    table.insert(key(2), 8);
    const auto place = table.place_of(key(1));
    CHECK(place != FlowTable::none);
    CHECK(table.place_of(key(3)) == FlowTable::none);
    table.erase_at(place, 8);
    CHECK(table.find(key(1)) == 7);
    table.erase_at(place, 7);
    CHECK(table.find(key(1)) == FlowTable::none);
    // Another key may lie there later: it is left alone.
    table.insert(key(4), 9);
    table.erase_at(place, 7);
    CHECK(table.find(key(4)) == 9);
    CHECK(table.find(key(2)) == 8);
}

TEST_CASE("flow table: the version changes with what may change a lookup", "[table]") {
    auto table = make_table(100);
    const auto before = table.version();
    table.find(key(1));
    CHECK(table.version() == before);
    table.insert(key(1), 7);
    const auto inserted = table.version();
    CHECK(inserted != before);
    table.erase(key(1));
    CHECK(table.version() != inserted);
}
