// Circular sequence numbers and the positions we count with instead.
#include "lib/base/seq_num.hpp"

#include <catch2/catch.hpp>

#include "lib/base/random.hpp"

using namespace holdfast;

namespace {
constexpr SeqNum near_wrap{0xfffffff0};
}

TEST_CASE("seq_num: less is circular", "[base]") {
    CHECK(SeqNum{1} < SeqNum{2});
    CHECK_FALSE(SeqNum{2} < SeqNum{1});
    CHECK_FALSE(SeqNum{2} < SeqNum{2});
    CHECK(SeqNum{2} <= SeqNum{2});
    CHECK(near_wrap < SeqNum{5});
    CHECK_FALSE(SeqNum{5} < near_wrap);
    CHECK(SeqNum{0} < SeqNum{0x7fffffff});
}

TEST_CASE("seq_num: no number is before another and after it, but at half the circle", "[base]") {
    Random random(1);
    for (int i = 0; i < 10'000; ++i) {
        const SeqNum a{static_cast<std::uint32_t>(random.next())},
            b{static_cast<std::uint32_t>(random.next())};
        if (a == b || a.value - b.value == 0x80000000) continue;
        CHECK((a < b) != (b < a));
    }
}

TEST_CASE("seq_num: sums and differences cross the wrap", "[base]") {
    CHECK(near_wrap + 0x20 == SeqNum{0x10});
    CHECK((near_wrap + 0x20) - near_wrap == 0x20);
    CHECK(near_wrap - (near_wrap + 0x20) == -0x20);
}

TEST_CASE("position: a wire number and its position are each other's inverse near the position", "[base]") {
    Random random(2);
    for (int i = 0; i < 10'000; ++i) {
        const SeqNum isn{static_cast<std::uint32_t>(random.next())};
        const Position p = random.below(std::uint64_t{1} << 40);
        const auto off = random.between(-(std::int64_t{1} << 31) + 1, (std::int64_t{1} << 31) - 1);
        const Position near = p + static_cast<std::uint64_t>(off);
        if (distance(0, near) < 0) continue;
        CHECK(to_position(isn, to_seq(isn, p), near) == p);
    }
}

TEST_CASE("position: counts on where the wire wraps", "[base]") {
    CHECK(to_position(near_wrap, SeqNum{0}, 1) == 0x10);
    CHECK(to_position(near_wrap, near_wrap, 1) == 0);
    // After four gigabytes the same wire number is another position.
    const Position far = (std::uint64_t{1} << 32) + 0x10;
    CHECK(to_position(near_wrap, SeqNum{0}, far) == far);
    CHECK(to_seq(near_wrap, far) == to_seq(near_wrap, 0x10));
}

TEST_CASE("position: a number before the ISN comes out negative, and distance() says so", "[base]") {
    const auto before = to_position(SeqNum{5}, SeqNum{3}, 1);
    CHECK(distance(0, before) == -2);
    CHECK(distance(before, 1) == 3);
}
