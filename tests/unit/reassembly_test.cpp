// Out-of-order bytes: held once, at their place, without overlap; given up in order.
#include "cores/tcp/reassembly.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "lib/base/random.hpp"
#include "lib/wire/checksum.hpp"
#include "tests/support/held_segment.hpp"

using namespace holdfast;
using namespace holdfast::test;
using tcp::PositionRange;
using tcp::Reassembly;
using Insertion = Reassembly::Insertion;

namespace {

/// Large enough not to be coalesced.
constexpr Position large = 600;

std::vector<PositionRange> ranges(const Reassembly& queue, Position above, Position newest) {
    const auto found = queue.ranges(above, newest, false);
    return {found.range.begin(), found.range.begin() + static_cast<std::ptrdiff_t>(found.count)};
}

/// Which bytes are held, one flag each.
class Model {
  public:
    explicit Model(std::size_t size) : held_(size) {}
    void insert(Position begin, Position end) {
        for (auto p = begin; p < end; ++p) held_[p] = true;
    }
    void take(Position begin, Position end) {
        for (auto p = begin; p < end; ++p) held_[p] = false;
    }
    bool all(Position begin, Position end) const {
        for (auto p = begin; p < end; ++p)
            if (!held_[p]) return false;
        return true;
    }
    Position contiguous_end(Position p) const {
        while (p < held_.size() && held_[p]) ++p;
        return p;
    }
    /// [begin, end) is held and neither neighbour is.
    bool is_run(PositionRange r) const {
        return all(r.begin, r.end) && !held_[r.begin - 1] && contiguous_end(r.end) == r.end;
    }
    bool held(Position p) const { return held_[p]; }

  private:
    std::vector<bool> held_;
};

}  // namespace

TEST_CASE("reassembly: in order it is a queue", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    for (Position p = 1; p < 1 + 5 * large; p += large)
        CHECK(queue.insert(segment_of(pool, p, p + large)) == Insertion::stored);
    CHECK(queue.mbufs() == 5);
    for (Position p = 1; p < 1 + 5 * large; p += large) {
        REQUIRE(queue.front_at(p) != nullptr);
        CHECK(queue.front_at(p + 1) == nullptr);
        const auto packet = queue.pop();
        CHECK(meta(packet.get()).begin == p);
        CHECK(bytes_are_true(packet.get()));
    }
    CHECK(queue.empty());
}

TEST_CASE("reassembly: a hole keeps what is above it waiting", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 701, 1301));
    CHECK(queue.front_at(101) == nullptr);
    CHECK(queue.contiguous_end(101) == 101);
    queue.insert(segment_of(pool, 101, 701));
    CHECK(queue.front_at(101) != nullptr);
    CHECK(queue.contiguous_end(101) == 1301);
}

TEST_CASE("reassembly: what is held already is a duplicate, and its mbuf is free at once", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 100, 1000));
    CHECK(queue.insert(segment_of(pool, 100, 1000)) == Insertion::duplicate);
    CHECK(queue.insert(segment_of(pool, 200, 300)) == Insertion::duplicate);
    CHECK(queue.insert(segment_of(pool, 400, 1000)) == Insertion::duplicate);
    CHECK(pool.in_use() == 1);
}

// Finding 3: the pieces are replaced and the verdict is `stored`, so no D-SACK is owed for the repetition.
TEST_CASE("reassembly: a segment whose bytes are all held, in several pieces, is a duplicate", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 100, 700));
    queue.insert(segment_of(pool, 700, 1300));
    CHECK(queue.insert(segment_of(pool, 100, 1300)) == Insertion::duplicate);
    CHECK(queue.contiguous_end(100) == 1300);
}

TEST_CASE("reassembly: a segment that covers others takes their place", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 100, 700));
    queue.insert(segment_of(pool, 800, 1400));
    CHECK(queue.insert(segment_of(pool, 50, 1400)) == Insertion::stored);
    CHECK(queue.mbufs() == 1);
    CHECK(pool.in_use() == 1);
    CHECK(queue.contiguous_end(50) == 1400);
}

TEST_CASE("reassembly: small neighbours share an mbuf", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1, 2));
    for (Position p = 2; p < 500; ++p)
        REQUIRE(queue.insert(segment_of(pool, p, p + 1)) == Insertion::coalesced);
    CHECK(pool.in_use() == 1);
    const auto packet = queue.pop();
    CHECK(meta(packet.get()).end() == 500);
    CHECK(bytes_are_true(packet.get()));
}

TEST_CASE("reassembly: nothing is copied into an mbuf that somebody else reads", "[tcp]") {
    MbufPool pool;
    auto held = segment_of(pool, 1, 100);
    auto next = segment_of(pool, 100, 110);
    rte_mbuf_refcnt_update(held.get(), 1);
    CHECK_FALSE(tcp::coalesce_small(held.get(), next.get()));
    rte_mbuf_refcnt_update(held.get(), -1);
    CHECK(tcp::coalesce_small(held.get(), next.get()));
}

TEST_CASE("reassembly: nothing is copied behind bytes that have left, across a gap, or past the room",
          "[tcp]") {
    MbufPool pool;
    auto held = segment_of(pool, 1, 100);
    auto next = segment_of(pool, 100, 110);
    auto apart = segment_of(pool, 101, 111);
    CHECK_FALSE(tcp::coalesce_small(held.get(), apart.get()));
    meta(held.get()).sent = true;
    CHECK_FALSE(tcp::coalesce_small(held.get(), next.get()));
    auto full = segment_of(pool, 1, 2041);
    auto more = segment_of(pool, 2041, 2050);
    CHECK_FALSE(tcp::coalesce_small(full.get(), more.get()));
    auto fits = segment_of(pool, 2041, 2049);
    CHECK(tcp::coalesce_small(full.get(), fits.get()));
    CHECK(bytes_are_true(full.get()));
}

TEST_CASE("reassembly: ranges begin with the newest (RFC 2018)", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    for (Position p = 1000; p <= 5000; p += 1000) queue.insert(segment_of(pool, p, p + large));
    const auto r = ranges(queue, 1, 3000);
    REQUIRE(r.size() == 4);
    CHECK(r[0].begin == 3000);
    CHECK(r[0].end == 3000 + large);
    CHECK(r[1].begin == 1000);
    CHECK(r[2].begin == 2000);
    CHECK(r[3].begin == 4000);
}

TEST_CASE("reassembly: what was not yet reported goes before what was", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    for (Position p = 1000; p <= 7000; p += 1000) queue.insert(segment_of(pool, p, p + large));
    for (const Position p : {1000, 2000, 4000}) queue.mark_reported({p, p + large});
    const auto found = queue.ranges(1, 7000, false);
    REQUIRE(found.count == 4);
    CHECK(found.fresh == 4);
    CHECK_FALSE(found.more);
    for (const auto& [i, begin] : {std::pair{0, 7000}, {1, 3000}, {2, 5000}, {3, 6000}})
        CHECK(found.range[static_cast<std::size_t>(i)].begin == static_cast<Position>(begin));
    // With one more there is not room for all news; with less, what was reported fills the rest.
    queue.insert(segment_of(pool, 8000, 8000 + large));
    CHECK(queue.ranges(1, 8000, false).more);
    for (Position p = 3000; p <= 7000; p += 1000) queue.mark_reported({p, p + large});
    const auto rest = queue.ranges(1, 8000, false);
    CHECK(rest.fresh == 1);
    REQUIRE(rest.count == 4);
    CHECK(rest.range[1].begin == 1000);
    CHECK(rest.range[3].begin == 3000);
}

TEST_CASE("reassembly: neighbours are one range", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1000, 1600));
    queue.insert(segment_of(pool, 1600, 2200));
    const auto r = ranges(queue, 1, 1600);
    REQUIRE(r.size() == 1);
    CHECK(r[0].begin == 1000);
    CHECK(r[0].end == 2200);
}

TEST_CASE("reassembly: against a byte array, overlaps of every kind", "[tcp]") {
    constexpr Position space = 6000;
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        MbufPool pool(255);
        Reassembly queue;
        Model model(space + 3000);
        Position next = 1;
        const auto longest = std::int64_t{1}
                             << random.between(1, 11);  // few seeds see many small ones, few large ones
        for (int step = 0; step < 120; ++step) {
            const auto begin = next + random.below(space - next < 1500 ? space - next + 1 : 1500);
            const auto end = begin + static_cast<Position>(random.between(1, longest));
            const bool known = model.all(begin, end);
            const auto verdict = queue.insert(segment_of(pool, begin, end));
            if (verdict == Insertion::duplicate) REQUIRE(known);
            model.insert(begin, end);
            REQUIRE(queue.mbufs() == pool.in_use());
            REQUIRE(queue.contiguous_end(next) == model.contiguous_end(next));
            for (const auto& r : ranges(queue, next + 1, begin))
                REQUIRE((r.begin <= next || model.is_run(r)));
            if (random.below(4) != 0) continue;
            while (queue.front_at(next) != nullptr) {
                const auto packet = queue.pop();
                const auto& d = meta(packet.get());
                REQUIRE(bytes_are_true(packet.get()));
                REQUIRE(model.all(d.begin, d.end()));
                if (d.sum_known)
                    REQUIRE(d.payload_sum == wire::sum_bytes(payload(packet.get()), d.payload_len));
                next = d.end();
                model.take(d.begin, d.end());
            }
            REQUIRE_FALSE(model.held(next));
            if (next >= space) break;
        }
    }
}

TEST_CASE("reassembly: small payloads that join keep a PSH of either, and no checksum", "[tcp]") {
    for (const bool first : {false, true}) {
        MbufPool pool;
        auto held = segment_of(pool, 1, 101), next = segment_of(pool, 101, 201);
        meta(held.get()).sum_known = true;
        meta(first ? held.get() : next.get()).push = true;
        CHECK(tcp::coalesce_small(held.get(), next.get()));
        CHECK(meta(held.get()).push);
        CHECK_FALSE(meta(held.get()).sum_known);
        CHECK(meta(held.get()).end() == 201);
        CHECK(bytes_are_true(held.get()));
    }
}

TEST_CASE("reassembly: no payload joins what is not its neighbour, has left or is with somebody else",
          "[tcp]") {
    MbufPool pool;
    auto held = segment_of(pool, 1, 101), gap = segment_of(pool, 102, 201), next = segment_of(pool, 101, 201),
         large_one = segment_of(pool, 101, 101 + large);
    CHECK_FALSE(tcp::coalesce_small(held.get(), gap.get()));
    CHECK_FALSE(tcp::coalesce_small(held.get(), large_one.get()));
    meta(held.get()).sent = true;
    CHECK_FALSE(tcp::coalesce_small(held.get(), next.get()));
    meta(held.get()).sent = false;
    meta(held.get()).ahead = true;
    CHECK_FALSE(tcp::coalesce_small(held.get(), next.get()));
    meta(held.get()).ahead = false;
    rte_mbuf_refcnt_update(held.get(), 1);
    CHECK_FALSE(tcp::coalesce_small(held.get(), next.get()));
    rte_mbuf_refcnt_update(held.get(), -1);
    CHECK(tcp::coalesce_small(held.get(), next.get()));
}

TEST_CASE("reassembly: what is cut in front or behind has a checksum of its own", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1001, 1001 + large));
    queue.insert(segment_of(pool, 3001, 3001 + large));
    auto m = segment_of(pool, 1301, 3101);
    meta(m.get()).sum_known = true;
    const auto* between = m.get();
    CHECK(queue.insert(std::move(m)) == Insertion::stored);
    CHECK(meta(between).begin == 1001 + large);
    CHECK(meta(between).end() == 3001);
    CHECK_FALSE(meta(between).sum_known);
    CHECK(bytes_are_true(between));
    auto front = segment_of(pool, 1, 1001);
    meta(front.get()).sum_known = true;
    tcp::trim_front(front.get(), 301);
    CHECK_FALSE(meta(front.get()).sum_known);
    CHECK(bytes_are_true(front.get()));
}

TEST_CASE("reassembly: what takes the place of a reported segment is reported", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1001, 1001 + large));
    queue.mark_reported({1001, 1001 + large});
    CHECK(queue.insert(segment_of(pool, 901, 901 + 2 * large)) == Insertion::stored);
    CHECK(queue.mbufs() == 1);
    CHECK(meta(queue.head()).reported);
}

TEST_CASE("reassembly: what went ahead is not replaced by what covers it", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1001, 1001 + large));
    meta(queue.head()).ahead = true;
    queue.insert(segment_of(pool, 701, 1901));
    CHECK(queue.mbufs() == 2);
    CHECK(meta(queue.head()).end() == 1001);
}

TEST_CASE("reassembly: the far end's report counts for whole segments, and as news once", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1001, 1001 + large));
    queue.insert(segment_of(pool, 2001, 2001 + large));
    CHECK_FALSE(queue.mark_sacked({1001, 1000 + large}));
    CHECK(queue.mark_sacked({1001, 2000 + large}));
    CHECK_FALSE(queue.mark_sacked({1001, 2000 + large}));
    CHECK(meta(queue.head()).sacked);
    CHECK_FALSE(meta(meta(queue.head()).next).sacked);
    const auto found = queue.ranges(1, 1001, true);
    REQUIRE(found.count == 1);
    CHECK(found.range[0].end == 1001 + large);
}

TEST_CASE("reassembly: the last one that gives way leaves the one before it as the last", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1001, 1001 + large));
    queue.insert(segment_of(pool, 2001, 2001 + large));
    queue.insert(segment_of(pool, 3001, 3001 + large));
    queue.mark_sacked({3001, 3001 + large});
    CHECK(queue.drop_last_unreported());
    CHECK(queue.contiguous_end(3001) == 3001 + large);
    CHECK(queue.mbufs() == 2);
    queue.mark_sacked({1001, 1001 + large});
    CHECK_FALSE(queue.drop_last_unreported());

    Reassembly two;
    two.insert(segment_of(pool, 1001, 1001 + large));
    two.insert(segment_of(pool, 2001, 2001 + large));
    CHECK(two.drop_last_unreported());
    CHECK(two.contiguous_end(1001) == 1001 + large);
    CHECK_FALSE(two.ends_before(1001));
}

TEST_CASE("reassembly: a block is news while any part of it was not reported", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1001, 1001 + large));
    queue.insert(segment_of(pool, 1001 + large, 1001 + 2 * large));
    queue.mark_reported({1001 + large, 1001 + 2 * large});
    CHECK(queue.ranges(1, 1, false).fresh == 1);
    queue.mark_reported({1001, 1001 + large});
    const auto found = queue.ranges(1, 1, false);
    CHECK(found.fresh == 0);
    CHECK(found.count == 1);
}

TEST_CASE("reassembly: a report marks nothing below it", "[tcp]") {
    MbufPool pool;
    Reassembly queue;
    queue.insert(segment_of(pool, 1001, 1001 + large));
    queue.insert(segment_of(pool, 2001, 2001 + large));
    queue.mark_reported({2001, 2001 + large});
    CHECK_FALSE(meta(queue.head()).reported);
    CHECK(meta(meta(queue.head()).next).reported);
}
