#include <catch2/catch.hpp>

#include "engine/lcore/idle.hpp"

using namespace holdfast;
using namespace holdfast::engine;
using namespace holdfast::literals;

namespace {
constexpr Duration never = seconds(1000);
}

TEST_CASE("a core that just had work polls on") {
    CHECK(sleep_length(0_us, never, 1_ms) == 0_us);
    CHECK(sleep_length(19_us, never, 1_ms) == 0_us);
}

TEST_CASE("the sleep grows with the idleness, up to the configured length") {
    CHECK(sleep_length(20_us, never, 1_ms) == 5_us);
    CHECK(sleep_length(400_us, never, 1_ms) == 100_us);
    CHECK(sleep_length(1_s, never, 1_ms) == 1_ms);
}

TEST_CASE("a core sleeps no longer than its next timer allows") {
    CHECK(sleep_length(1_s, 300_us, 1_ms) == 300_us);
    CHECK(sleep_length(1_s, 4_us, 1_ms) == 0_us);
    CHECK(sleep_length(1_s, 0_us, 1_ms) == 0_us);
    CHECK(sleep_length(1_s, milliseconds(-1), 1_ms) == 0_us);
}
