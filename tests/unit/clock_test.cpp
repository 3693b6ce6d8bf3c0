#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "engine/lcore/clock.hpp"

using namespace holdfast;
using namespace holdfast::engine;

TEST_CASE("the clock never goes back") {
    const Clock clock;
    Instant last = clock.now();
    for (int i = 0; i < 100'000; ++i) {
        const Instant now = clock.now();
        REQUIRE(now >= last);
        last = now;
    }
}

TEST_CASE("the clock runs at the kernel's rate, on every thread") {
    const Clock clock;
    const auto offset = [&] { return (clock.now() - Clock::monotonic()).ns; };
    const auto before = offset();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::int64_t after = 0;
    std::thread([&] { after = offset(); }).join();
    // 1 ms in 100 ms: far more than the clock errs, less than a lease's margin; a loaded machine may
    // interrupt between the two readings.
    CHECK(std::abs(after - before) < 1'000'000);
}
