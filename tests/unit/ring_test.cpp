// Rings between cores: bounded, in order, refusals counted.
#include "lib/ring/ring.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <deque>
#include <thread>

#include "lib/base/random.hpp"

using namespace holdfast;

namespace {

/// As large as a message between cores, and every part depends on the number, so that a torn copy is seen.
struct Item {
    std::uint64_t number = 0;
    std::uint64_t copies[4] = {};

    static Item of(std::uint64_t n) { return {n, {n + 1, n + 2, n + 3, n + 4}}; }
    bool whole() const {
        for (std::uint64_t i = 0; i < 4; ++i)
            if (copies[i] != number + i + 1) return false;
        return true;
    }
};

Ring<Item> make_ring(std::uint32_t size) {
    static int number = 0;
    return Ring<Item>("ring_" + std::to_string(number++), size, SOCKET_ID_ANY);
}

}  // namespace

TEST_CASE("ring: the smallest one holds one item", "[ring]") {
    auto ring = make_ring(2);
    Item out;
    CHECK_FALSE(ring.pop(out));
    CHECK(ring.push(Item::of(1)));
    CHECK_FALSE(ring.push(Item::of(2)));
    CHECK_FALSE(ring.push(Item::of(3)));
    CHECK(ring.refusals() == 2);
    CHECK(ring.count() == 1);
    CHECK(ring.free_count() == 0);
    CHECK(ring.pop(out));
    CHECK(out.number == 1);
    CHECK(ring.free_count() == 1);
}

TEST_CASE("ring: a size that is no power of two, or a name twice, is refused with words", "[ring]") {
    CHECK_THROWS_WITH(Ring<Item>("odd", 3, SOCKET_ID_ANY), Catch::Contains("powers of two"));
    Ring<Item> first("twice", 4, SOCKET_ID_ANY);
    CHECK_THROWS_WITH(Ring<Item>("twice", 4, SOCKET_ID_ANY), Catch::Contains("unique"));
}

TEST_CASE("ring: against a queue, at random", "[ring]") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        const auto size = std::uint32_t{2} << random.below(6);
        auto ring = make_ring(size);
        std::deque<std::uint64_t> model;
        std::uint64_t next = 0, refused = 0;
        for (int step = 0; step < 3000; ++step) {
            if (random.below(2) == 0) {
                const bool fits = model.size() < size - 1;
                REQUIRE(ring.push(Item::of(next)) == fits);
                if (fits) model.push_back(next);
                refused += fits ? 0 : 1;
                ++next;
            } else {
                std::array<Item, 8> out;
                const auto n = ring.pop({out.data(), random.below(out.size() + 1)});
                for (std::uint32_t i = 0; i < n; ++i) {
                    REQUIRE(out[i].number == model.front());
                    model.pop_front();
                }
            }
            REQUIRE(ring.count() == model.size());
            REQUIRE(ring.free_count() == size - 1 - model.size());
            REQUIRE(ring.refusals() == refused);
        }
    }
}

TEST_CASE("ring: two threads, every item whole and in order", "[ring]") {
    constexpr std::uint64_t items = 100'000;
    auto ring = make_ring(64);
    std::thread producer([&] {
        for (std::uint64_t n = 0; n < items;) {
            if (ring.push(Item::of(n))) ++n;
            else std::this_thread::yield();
        }
    });
    std::uint64_t expected = 0, wrong = 0;
    std::array<Item, 16> out;
    while (expected < items) {
        const auto n = ring.pop(out);
        for (std::uint32_t i = 0; i < n; ++i) wrong += out[i].number == expected++ && out[i].whole() ? 0 : 1;
        if (n == 0) std::this_thread::yield();
    }
    producer.join();
    CHECK(wrong == 0);
}
