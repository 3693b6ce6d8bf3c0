// What SACK may say of bytes above a hole: whole runs, the newest first, then news, then what was said last.
#include "cores/tcp/sack_runs.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "cores/tcp/reassembly.hpp"
#include "tests/support/held_segment.hpp"

using namespace holdfast;
using namespace holdfast::test;
using tcp::Reassembly;

namespace {

/// Large enough not to be coalesced.
constexpr Position large = 600;

/// Everything below position 1 was received.
struct Waiting {
    MbufPool pool{255};
    Reassembly queue;

    void insert(Position begin, Position end, bool may_report = true) {
        queue.insert(segment_of(pool, begin, end), 1, may_report);
    }
    /// Where the blocks begin.
    std::vector<Position> blocks(Position newest) const {
        const auto found = queue.ranges(newest);
        std::vector<Position> begins;
        for (std::size_t i = 0; i < found.count; ++i) begins.push_back(found.range[i].begin);
        return begins;
    }
    /// All of an ACK's blocks leave.
    void report(Position newest) {
        const auto found = queue.ranges(newest);
        for (std::size_t i = 0; i < found.count; ++i) queue.mark_reported(found.range[i]);
    }
};

using Begins = std::vector<Position>;

}  // namespace

TEST_CASE("reassembly: ranges begin with the newest (RFC 2018)", "[tcp]") {
    Waiting w;
    for (Position p = 1000; p <= 5000; p += 1000) w.insert(p, p + large);
    CHECK(w.blocks(3000) == Begins{3000, 5000, 4000, 2000});
    CHECK(w.queue.ranges(3000).range[0].end == 3000 + large);
    CHECK(w.queue.ranges(3000).more);
    CHECK(w.blocks(3000 + large) == Begins{5000, 4000, 3000, 2000});
}

TEST_CASE("reassembly: what was not yet reported goes before what was", "[tcp]") {
    Waiting w;
    for (Position p = 1000; p <= 7000; p += 1000) w.insert(p, p + large);
    for (const Position p : {1000, 2000, 4000}) w.queue.mark_reported({p, p + large});
    const auto found = w.queue.ranges(7000);
    CHECK(found.fresh == 4);
    CHECK_FALSE(found.more);
    CHECK(w.blocks(7000) == Begins{7000, 6000, 5000, 3000});
    // With one more there is not room for all news; with less, what was reported last fills the rest.
    w.insert(8000, 8000 + large);
    CHECK(w.queue.ranges(8000).more);
    for (Position p = 3000; p <= 7000; p += 1000) w.queue.mark_reported({p, p + large});
    CHECK(w.queue.ranges(8000).fresh == 1);
    CHECK(w.blocks(8000) == Begins{8000, 7000, 6000, 5000});
}

TEST_CASE("reassembly: a block is repeated in the ACKs that follow while others fit (RFC 2018)", "[tcp]") {
    Waiting w;
    for (Position p = 1000; p <= 5000; p += 1000) {
        w.insert(p, p + large);
        w.report(p);
    }
    CHECK(w.blocks(5000) == Begins{5000, 4000, 3000, 2000});
    // A duplicate of an old one is the newest, and moves nothing.
    w.report(1000);
    CHECK(w.blocks(5000) == Begins{5000, 4000, 3000, 2000});
}

TEST_CASE("reassembly: neighbours are one range", "[tcp]") {
    const std::vector<Begins> orders = {{1000, 1600, 2200}, {2200, 1600, 1000}, {1000, 2200, 1600}};
    for (const auto& order : orders) {
        Waiting w;
        for (const auto p : order) w.insert(p, p + large);
        const auto found = w.queue.ranges(1600);
        REQUIRE(found.count == 1);
        CHECK(found.range[0].begin == 1000);
        CHECK(found.range[0].end == 2800);
    }
}

TEST_CASE("reassembly: a block that grew is news again", "[tcp]") {
    Waiting w;
    w.insert(1001, 1001 + large);
    w.insert(5001, 5001 + large);
    w.report(1001);
    CHECK(w.queue.ranges(1).fresh == 0);
    CHECK(w.queue.ranges(1).count == 2);
    w.insert(1001 + large, 1001 + 2 * large);
    CHECK(w.queue.ranges(1).fresh == 1);
    w.report(1);
    // A few bytes that find room in the segment before them are news, too.
    w.insert(5001 + large, 5011 + large);
    CHECK(w.queue.ranges(1).fresh == 1);
    CHECK(w.blocks(1) == Begins{5001, 1001});
}

TEST_CASE("reassembly: a report marks nothing below it", "[tcp]") {
    Waiting w;
    w.insert(1001, 1001 + large);
    w.insert(2001, 2001 + large);
    w.queue.mark_reported({2001, 2001 + large});
    CHECK(w.queue.ranges(1).fresh == 1);
    CHECK(w.blocks(1) == Begins{1001, 2001});
}

TEST_CASE("reassembly: what was reported is known when it is in order", "[tcp]") {
    Waiting w;
    w.insert(1001, 1001 + large);
    w.insert(1001 + large, 1001 + 2 * large);
    w.queue.mark_reported(w.queue.ranges(1001).range[0]);
    w.insert(3001, 3001 + large);
    w.insert(1, 1001);
    w.queue.insert(segment_of(w.pool, 1001 + 2 * large, 3001), 1001 + 2 * large, true);
    std::vector<bool> reported;
    while (!w.queue.empty()) reported.push_back(meta(w.queue.pop().get()).reported);
    CHECK(reported == std::vector<bool>{false, true, true, false, false});
}

TEST_CASE("reassembly: what takes the place of a reported segment is reported", "[tcp]") {
    // In order, also where the few bytes that are new would find room in the segment before.
    Waiting w;
    w.insert(501, 511);
    w.queue.mark_reported({501, 511});
    w.insert(1, 401);
    w.queue.insert(segment_of(w.pool, 401, 601), 401, true);
    CHECK_FALSE(meta(w.queue.pop().get()).reported);
    CHECK(meta(w.queue.front_at(401)).reported);
    CHECK(w.queue.mbufs() == 1);

    // Above a hole, and in order later.
    Waiting above;
    above.insert(1001, 1001 + large);
    above.queue.mark_reported({1001, 1001 + large});
    above.insert(901, 901 + 2 * large);
    CHECK(above.queue.mbufs() == 1);
    above.insert(1, 901);
    above.queue.pop();
    CHECK(meta(above.queue.front_at(901)).reported);
}

TEST_CASE("reassembly: the far end's report counts for whole segments, and as news once", "[tcp]") {
    Waiting w;
    w.insert(1001, 1001 + large, false);
    w.insert(2001, 2001 + large, false);
    CHECK(w.queue.ranges(1001).count == 0);
    CHECK_FALSE(w.queue.mark_sacked({1001, 1000 + large}));
    CHECK_FALSE(w.queue.mark_sacked({1002, 1001 + large}));
    CHECK(w.queue.mark_sacked({1001, 2000 + large}));
    CHECK_FALSE(w.queue.mark_sacked({1001, 2000 + large}));
    CHECK(w.blocks(1001) == Begins{1001});
    CHECK(w.queue.ranges(2001).range[0].end == 1001 + large);
    CHECK(w.queue.mark_sacked({1, 5000}));
    CHECK(w.blocks(1001) == Begins{1001, 2001});
}

TEST_CASE("reassembly: the far end's reports join to one block from either side", "[tcp]") {
    const std::vector<Begins> orders = {{1001, 1601, 2201}, {2201, 1601, 1001}, {1001, 2201, 1601}};
    for (const auto& order : orders) {
        Waiting w;
        for (const Position p : {1001, 1601, 2201}) w.insert(p, p + large, false);
        for (const auto p : order) CHECK(w.queue.mark_sacked({p, p + large}));
        const auto found = w.queue.ranges(1);
        REQUIRE(found.count == 1);
        CHECK(found.range[0].begin == 1001);
        CHECK(found.range[0].end == 2801);
    }
}
