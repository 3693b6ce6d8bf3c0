// The timing wheel: never early, at most a tick late.
#include "lib/timer/wheel.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <vector>

#include "lib/base/random.hpp"

using namespace holdfast;
using namespace holdfast::literals;

namespace {

constexpr Duration tick = nanoseconds(1 << 18);
constexpr Instant ticks(std::int64_t n) { return {n << 18}; }

std::vector<std::uint32_t> fired_at(Wheel& wheel, Instant now) {
    std::vector<std::uint32_t> fired;
    wheel.advance(now, [&](std::uint32_t slot) { fired.push_back(slot); });
    return fired;
}

/// Arms one slot for `at` on a wheel that stands at `start` and checks both sides of its firing.
void fires_in_time(Instant start, Instant at) {
    INFO("from " << start.ns << " for " << at.ns);
    Wheel wheel(1, start);
    wheel.arm(0, at);
    CHECK(fired_at(wheel, at - 1_ns).empty());
    CHECK(wheel.deadline(0) == at);
    CHECK(fired_at(wheel, at + tick).size() == 1);
    CHECK(wheel.deadline(0).is_never());
    CHECK(wheel.armed() == 0);
}

}  // namespace

TEST_CASE("wheel: fires at its time or within a tick after it", "[timer]") {
    const Instant start{123'456'789};
    for (const auto after : {1_ns, 1_us, 262_us, 1_ms, 66_ms, 67_ms, 68_ms, 1_s, 17_s, 18_s, 60_s, 1000_s})
        fires_in_time(start, start + after);
}

TEST_CASE("wheel: cascades across every level's boundary", "[timer]") {
    // A level covers 2^8 times the level below; the last boundary is where all four wrap.
    for (const int level : {8, 16, 24, 32})
        for (const std::int64_t before : {1, 2, 255, 256, 257})
            for (const std::int64_t after : {0, 1, 2, 255, 256, 300, 70'000}) {
                const auto boundary = std::int64_t{1} << level;
                if (before >= boundary) continue;
                for (const auto off : {0_ns, 1_ns, tick - 1_ns})
                    fires_in_time(ticks(boundary - before), ticks(boundary + after) + off);
            }
}

TEST_CASE("wheel: a deadline that has passed fires at the next tick", "[timer]") {
    Wheel wheel(1, Instant{} + 1_s);
    wheel.arm(0, Instant{} + 1_ms);
    CHECK(fired_at(wheel, Instant{} + 1_s + tick).size() == 1);
    wheel.arm(0, Instant{-5});
    CHECK(fired_at(wheel, Instant{} + 2_s).size() == 1);
}

TEST_CASE("wheel: arming again replaces, never and disarm cancel", "[timer]") {
    Wheel wheel(3, Instant{});
    wheel.arm(0, Instant{} + 10_ms);
    wheel.arm(0, Instant{} + 20_ms);
    wheel.arm(1, Instant{} + 10_ms);
    wheel.arm(1, Instant::never());
    wheel.arm(2, Instant{} + 10_ms);
    wheel.disarm(2);
    wheel.disarm(2);
    CHECK(wheel.armed() == 1);
    CHECK(fired_at(wheel, Instant{} + 15_ms).empty());
    CHECK(fired_at(wheel, Instant{} + 21_ms) == std::vector<std::uint32_t>{0});
}

TEST_CASE("wheel: arm_earlier never makes it later", "[timer]") {
    Wheel wheel(1, Instant{});
    wheel.arm_earlier(0, Instant{} + 10_ms);
    wheel.arm_earlier(0, Instant{} + 20_ms);
    CHECK(wheel.deadline(0) == Instant{} + 10_ms);
    wheel.arm_earlier(0, Instant{} + 5_ms);
    CHECK(wheel.deadline(0) == Instant{} + 5_ms);
}

TEST_CASE("wheel: what fires may arm itself and others", "[timer]") {
    Wheel wheel(2, Instant{});
    wheel.arm(0, Instant{} + 1_ms);
    int fired = 0;
    // Slot 0 arms itself for a time that has passed already: that is one firing a tick, not an endless loop.
    wheel.advance(Instant{} + 10_ms, [&](std::uint32_t slot) {
        if (slot != 0) return;
        if (++fired < 5) wheel.arm(0, Instant{});
        wheel.arm(1, Instant{} + 1_s);
    });
    CHECK(fired == 5);
    CHECK(wheel.deadline(1) == Instant{} + 1_s);
    CHECK(wheel.armed() == 1);
}

TEST_CASE("wheel: what fires may disarm another of the same tick", "[timer]") {
    Wheel wheel(2, Instant{});
    wheel.arm(0, Instant{} + 1_ms);
    wheel.arm(1, Instant{} + 1_ms);
    int fired = 0;
    wheel.advance(Instant{} + 10_ms, [&](std::uint32_t slot) {
        ++fired;
        wheel.disarm(1 - slot);
    });
    CHECK(fired == 1);
    CHECK(wheel.armed() == 0);
}

TEST_CASE("wheel: deadlines beyond the horizon wait for it", "[timer]") {
    Wheel wheel(1, Instant{});
    wheel.arm(0, Instant{} + seconds(30LL * 24 * 3600));
    CHECK(fired_at(wheel, Instant{} + 100_s).empty());
    CHECK(wheel.armed() == 1);
}

TEST_CASE("wheel: the next deadline is never after a firing", "[timer]") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Random random(seed);
        Wheel wheel(8, Instant{});
        CHECK(wheel.next_deadline().is_never());
        for (std::uint32_t i = 0; i < 8; ++i)
            wheel.arm(i, Instant{random.between(0, std::int64_t{1} << (20 + random.below(14)))});
        // A host that sleeps until next_deadline() each time sees every slot in time.
        while (wheel.armed() > 0) {
            const auto at = wheel.next_deadline();
            wheel.advance(at, [](std::uint32_t) {});
            Instant oldest = Instant::never();
            for (std::uint32_t i = 0; i < 8; ++i) oldest = earlier(oldest, wheel.deadline(i));
            INFO("seed " << seed);
            REQUIRE((oldest.is_never() || at < oldest + tick));
        }
    }
}

TEST_CASE("wheel: against a list of deadlines, at random", "[timer]") {
    constexpr std::uint32_t slots = 64;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        Instant now{random.between(0, std::int64_t{1} << 45)};
        Wheel wheel(slots, now);
        std::vector<Instant> model(slots, Instant::never());
        const auto draw_span = [&] {
            return nanoseconds(random.between(0, std::int64_t{1} << (12 + random.below(24))));
        };
        for (int step = 0; step < 300; ++step) {
            const auto slot = static_cast<std::uint32_t>(random.below(slots));
            if (random.below(4) == 0) {
                wheel.disarm(slot);
                model[slot] = Instant::never();
            } else {
                // Due at the earliest when armed: a time that has passed counts as now.
                const auto at = now + draw_span() - (random.below(8) == 0 ? 1_ms : 0_ms);
                wheel.arm(slot, at);
                model[slot] = later(at, now);
            }
            if (random.below(3) != 0) continue;
            now = now + draw_span();
            for (const auto fired : fired_at(wheel, now)) {
                REQUIRE(model[fired] <= now);
                model[fired] = Instant::never();
            }
            for (const auto at : model) REQUIRE((at.is_never() || now < at + tick));
            REQUIRE(wheel.armed() == slots - static_cast<std::uint32_t>(
                                                 std::count(model.begin(), model.end(), Instant::never())));
        }
    }
}
