// Dirty sets: a mark is never lost and never made up.
#include "lib/ring/dirty_set.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "lib/base/random.hpp"

using namespace holdfast;

namespace {

std::set<std::uint32_t> drained(DirtySet& dirty) {
    std::set<std::uint32_t> slots;
    const auto n = dirty.drain([&](std::uint32_t slot) { slots.insert(slot); });
    CHECK(n == slots.size());
    return slots;
}

}  // namespace

TEST_CASE("dirty set: a slot marked often is visited once", "[ring]") {
    DirtySet dirty(10);
    dirty.mark(3);
    dirty.mark(3);
    CHECK(drained(dirty) == std::set<std::uint32_t>{3});
    CHECK(drained(dirty).empty());
}

TEST_CASE("dirty set: first and last slot of every size", "[ring]") {
    for (const std::uint32_t size : {1u, 63u, 64u, 65u, 4095u, 4096u, 4097u, 100'000u}) {
        INFO(size << " slots");
        DirtySet dirty(size);
        dirty.mark(0);
        dirty.mark(size - 1);
        CHECK(drained(dirty) == std::set<std::uint32_t>{0, size - 1});
    }
}

TEST_CASE("dirty set: a slot may be marked while it is visited", "[ring]") {
    DirtySet dirty(10);
    dirty.mark(3);
    dirty.drain([&](std::uint32_t slot) { dirty.mark(slot); });
    CHECK(drained(dirty) == std::set<std::uint32_t>{3});
}

TEST_CASE("dirty set: against a set, at random", "[ring]") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        const auto size = static_cast<std::uint32_t>(random.between(1, 10'000));
        DirtySet dirty(size);
        std::set<std::uint32_t> model;
        for (int step = 0; step < 500; ++step) {
            const auto slot = static_cast<std::uint32_t>(random.below(size));
            dirty.mark(slot);
            model.insert(slot);
            if (random.below(20) != 0) continue;
            REQUIRE(drained(dirty) == model);
            model.clear();
        }
    }
}

TEST_CASE("dirty set: two threads, the last value of every cell is seen", "[ring]") {
    constexpr std::uint32_t slots = 300, rounds = 300;
    DirtySet dirty(slots);
    std::vector<std::atomic<std::uint32_t>> cells(slots);
    std::atomic<bool> done{false};
    std::thread writer([&] {
        Random random(1);
        for (std::uint32_t round = 1; round <= rounds; ++round)
            for (std::uint32_t i = 0; i < slots; ++i) {
                const auto slot = static_cast<std::uint32_t>(random.below(slots));
                // What is written before the mark is seen by whoever drains the mark.
                cells[slot].store(cells[slot].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
                dirty.mark(slot);
            }
        done.store(true, std::memory_order_release);
    });
    std::vector<std::uint32_t> seen(slots);
    const auto look = [&] {
        dirty.drain([&](std::uint32_t slot) { seen[slot] = cells[slot].load(std::memory_order_relaxed); });
    };
    while (!done.load(std::memory_order_acquire)) look();
    look();
    writer.join();
    for (std::uint32_t i = 0; i < slots; ++i) REQUIRE(seen[i] == cells[i].load());
}
