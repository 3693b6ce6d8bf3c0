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

/// A queue whose parent received everything below `next`.
struct Held {
    MbufPool pool{255};
    Reassembly queue;
    Position next = 1;

    Insertion insert(Packet packet, bool may_report = true) {
        const bool in_order = meta(packet.get()).begin == next;
        const auto result = queue.insert(std::move(packet), next, may_report);
        if (in_order) next = queue.in_order_end();
        return result;
    }
    Insertion insert(Position begin, Position end, bool may_report = true) {
        return insert(segment_of(pool, begin, end), may_report);
    }
};

/// Which bytes are held, one flag each.
class Model {
  public:
    explicit Model(std::size_t size) : held_(size), reported_(size) {}
    void insert(Position begin, Position end) {
        for (auto p = begin; p < end; ++p) held_[p] = true;
    }
    void report(PositionRange r) {
        for (auto p = r.begin; p < r.end; ++p) reported_[p] = true;
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
    bool is_news(PositionRange r) const {
        for (auto p = r.begin; p < r.end; ++p)
            if (!reported_[p]) return true;
        return false;
    }
    /// Runs above `next` with something that was not reported.
    std::size_t news(Position next) const {
        std::size_t count = 0;
        for (auto p = contiguous_end(next); p < held_.size(); ++p) {
            const auto end = contiguous_end(p);
            if (end > p && is_news({p, end})) ++count;
            p = end;
        }
        return count;
    }

  private:
    std::vector<bool> held_, reported_;
};

/// Blocks are whole runs, each once, the newest first, news before what is known.
void check_blocks(const Reassembly::Ranges& found, const Model& model, Position next, Position newest) {
    std::size_t news = 0;
    for (std::size_t i = 0; i < found.count; ++i) {
        const auto& r = found.range[i];
        REQUIRE(model.is_run(r));
        for (std::size_t j = 0; j < i; ++j) REQUIRE(found.range[j].begin != r.begin);
        const bool is_news = model.is_news(r);
        news += is_news ? 1 : 0;
        const bool is_newest = r.begin <= newest && newest < r.end;
        REQUIRE((i == 0 || !is_newest));
        if (!is_newest) REQUIRE(is_news == (i < found.fresh));
    }
    REQUIRE(found.more == (news < model.news(next)));
}

}  // namespace

TEST_CASE("reassembly: in order it is a queue", "[tcp]") {
    Held held;
    for (int i = 0; i < 5; ++i) CHECK(held.insert(held.next, held.next + large) == Insertion::stored);
    CHECK(held.queue.mbufs() == 5);
    for (Position p = 1; p < 1 + 5 * large; p += large) {
        REQUIRE(held.queue.front_at(p) != nullptr);
        CHECK(held.queue.front_at(p + 1) == nullptr);
        const auto packet = held.queue.pop();
        CHECK(meta(packet.get()).begin == p);
        CHECK(bytes_are_true(packet.get()));
    }
    CHECK(held.queue.empty());
}

TEST_CASE("reassembly: a hole keeps what is above it waiting", "[tcp]") {
    Held held;
    held.insert(601, 1201);
    CHECK(held.queue.front_at(1) == nullptr);
    CHECK(meta(held.queue.first_waiting()).begin == 601);
    held.insert(1, 601);
    CHECK(held.queue.front_at(1) != nullptr);
    CHECK(held.queue.first_waiting() == nullptr);
    CHECK(held.next == 1201);
}

TEST_CASE("reassembly: what is held already is a duplicate, and its mbuf is free at once", "[tcp]") {
    Held held;
    held.insert(100, 1000);
    CHECK(held.insert(100, 1000) == Insertion::duplicate);
    CHECK(held.insert(200, 300) == Insertion::duplicate);
    CHECK(held.insert(400, 1000) == Insertion::duplicate);
    CHECK(held.pool.in_use() == 1);
}

// Finding 3: the pieces are replaced and the verdict is `stored`, so no D-SACK is owed for the repetition.
TEST_CASE("reassembly: a segment whose bytes are all held, in several pieces, is a duplicate", "[tcp]") {
    for (const bool may_report : {false, true}) {
        Held held;
        held.insert(100, 700, may_report);
        held.insert(700, 1300, may_report);
        CHECK(held.insert(100, 1300, may_report) == Insertion::duplicate);
        CHECK(held.insert(300, 1000, may_report) == Insertion::duplicate);
        CHECK(held.queue.mbufs() == 2);
    }
}

TEST_CASE("reassembly: a segment that covers others takes their place", "[tcp]") {
    for (const bool may_report : {false, true}) {
        Held held;
        held.insert(100, 700, may_report);
        held.insert(800, 1400, may_report);
        CHECK(held.insert(50, 1400, may_report) == Insertion::stored);
        CHECK(held.queue.mbufs() == 1);
        CHECK(held.pool.in_use() == 1);
        held.insert(1, 50, may_report);
        CHECK(held.next == 1400);
    }
}

TEST_CASE("reassembly: what ends inside a run is cut where the run begins", "[tcp]") {
    Held held;
    held.insert(1001, 1001 + large);
    held.insert(1001 + large, 1001 + 2 * large);
    CHECK(held.insert(501, 1001 + large) == Insertion::stored);
    CHECK(held.queue.mbufs() == 3);
    CHECK(meta(held.queue.first_waiting()).end() == 1001);
    held.insert(1, 501);
    CHECK(held.next == 1001 + 2 * large);
}

TEST_CASE("reassembly: small neighbours share an mbuf", "[tcp]") {
    for (const Position next : {1, 0}) {
        Held held;
        held.next = next;
        held.insert(1, 2);
        for (Position p = 2; p < 500; ++p) REQUIRE(held.insert(p, p + 1) == Insertion::coalesced);
        CHECK(held.pool.in_use() == 1);
        if (next == 0) held.insert(0, 1);
        const auto last = held.queue.pop();
        const auto packet = next == 0 ? held.queue.pop() : Packet{};
        const auto* m = next == 0 ? packet.get() : last.get();
        CHECK(meta(m).end() == 500);
        CHECK(bytes_are_true(m));
    }
}

TEST_CASE("reassembly: against a byte array, overlaps of every kind", "[tcp]") {
    constexpr Position space = 6000;
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        Held held;
        auto& next = held.next;
        auto taken = next;
        auto& queue = held.queue;
        Model model(space + 3000);
        model.insert(0, 1);
        const auto longest = std::int64_t{1}
                             << random.between(1, 11);  // few seeds see many small ones, few large ones
        for (int step = 0; step < 120 && next < space; ++step) {
            const auto begin = next + random.below(space - next < 1500 ? space - next + 1 : 1500);
            const auto end = begin + static_cast<Position>(random.between(1, longest));
            const bool known = model.all(begin, end);
            const auto verdict = held.insert(begin, end);
            REQUIRE((verdict == Insertion::duplicate) == known);
            model.insert(begin, end);
            REQUIRE(queue.mbufs() == held.pool.in_use());
            REQUIRE(next == model.contiguous_end(0));
            const auto found = queue.ranges(begin);
            check_blocks(found, model, next, begin);
            if (begin > next && verdict != Insertion::duplicate) REQUIRE(found.count > 0);
            for (std::size_t i = 0, told = random.below(found.count + 1); i < told; ++i) {
                queue.mark_reported(found.range[i]);
                model.report(found.range[i]);
            }
            if (random.below(4) != 0) continue;
            while (queue.front_at(taken) != nullptr) {
                const auto packet = queue.pop();
                const auto& d = meta(packet.get());
                REQUIRE(bytes_are_true(packet.get()));
                if (d.sum_known)
                    REQUIRE(d.payload_sum == wire::sum_bytes(payload(packet.get()), d.payload_len));
                taken = d.end();
            }
            REQUIRE(taken == next);
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

TEST_CASE("reassembly: what is cut in front or behind has a checksum of its own", "[tcp]") {
    Held held;
    held.insert(1001, 1001 + large);
    held.insert(3001, 3001 + large);
    auto m = segment_of(held.pool, 1301, 3101);
    meta(m.get()).sum_known = true;
    const auto* between = m.get();
    CHECK(held.insert(std::move(m)) == Insertion::stored);
    CHECK(meta(between).begin == 1001 + large);
    CHECK(meta(between).end() == 3001);
    CHECK_FALSE(meta(between).sum_known);
    CHECK(bytes_are_true(between));
    auto lower = segment_of(held.pool, 501, 1101);
    meta(lower.get()).sum_known = true;
    const auto* below = lower.get();
    CHECK(held.insert(std::move(lower)) == Insertion::stored);
    CHECK(meta(below).begin == 501);
    CHECK(meta(below).end() == 1001);
    CHECK_FALSE(meta(below).sum_known);
    auto front = segment_of(held.pool, 1, 1001);
    meta(front.get()).sum_known = true;
    tcp::trim_front(front.get(), 301);
    CHECK_FALSE(meta(front.get()).sum_known);
    CHECK(bytes_are_true(front.get()));
}

TEST_CASE("reassembly: what went ahead is not replaced by what covers it", "[tcp]") {
    Held held;
    held.insert(1001, 1001 + large, false);
    held.queue.note_offered();
    held.insert(701, 1901, false);
    CHECK(held.queue.mbufs() == 2);
    CHECK(meta(held.queue.first_waiting()).end() == 1001);
}

TEST_CASE("reassembly: what may be reported is not replaced by what may not", "[tcp]") {
    Held held;
    held.insert(1001, 1001 + large, false);
    held.queue.mark_sacked({1001, 1001 + large});
    held.insert(701, 1901, false);
    CHECK(held.queue.mbufs() == 2);
    CHECK(meta(held.queue.first_waiting()).end() == 1001);
    CHECK(held.queue.ranges(1001).range[0].begin == 1001);
}

TEST_CASE("reassembly: what gives way is the last of all, else one that was not offered, else one that was",
          "[tcp]") {
    Held held;
    for (Position p = 1001; p <= 4001; p += 1000) held.insert(p, p + large, false);
    held.queue.note_offered();
    const auto holds = [&](Position p) { return held.insert(p, p + large, false) == Insertion::duplicate; };
    CHECK(held.queue.drop_unreported());
    CHECK(held.queue.mbufs() == 3);
    held.queue.mark_sacked({3001, 3001 + large});
    CHECK(held.queue.drop_unreported());
    CHECK(held.queue.mbufs() == 2);
    CHECK(holds(1001));
    CHECK(held.queue.drop_unreported());
    CHECK(held.queue.mbufs() == 1);
    CHECK(holds(3001));
    CHECK_FALSE(held.queue.drop_unreported());
    held.queue.clear();
    CHECK_FALSE(held.queue.drop_unreported());
}

TEST_CASE("reassembly: offers go in the order of arrival, and one that is put off comes last", "[tcp]") {
    Held held;
    for (const Position p : {2001, 601, 1301}) held.insert(p, p + large, false);
    const auto next_offer = [&] { return meta(held.queue.next_offer()).begin; };
    CHECK(next_offer() == 2001);
    held.queue.offer_later();
    CHECK(next_offer() == 601);
    held.queue.note_offered();
    CHECK(next_offer() == 1301);
    held.queue.mark_sacked({1301, 1301 + large});
    CHECK(next_offer() == 2001);
    for (const auto& [begin, end] : {std::pair{1, 601}, {1201, 1301}, {1901, 2001}})
        held.insert(static_cast<Position>(begin), static_cast<Position>(end), false);
    CHECK(held.next == 2001 + large);
    CHECK(held.queue.next_offer() == nullptr);
}
