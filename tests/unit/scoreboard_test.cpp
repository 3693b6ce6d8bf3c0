// What is in flight, lost and SACKed, judged by a model that looks at each segment; and that no ACK of an
// endpoint makes us look at each.
#include "cores/tcp/scoreboard.hpp"

#include <algorithm>
#include <vector>

#include "lib/base/random.hpp"
#include "tests/support/instructions.hpp"
#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;

namespace {

std::vector<rte_mbuf*> segments_of(const MbufList& list) {
    std::vector<rte_mbuf*> all;
    for (auto* m = list.first(); m != nullptr; m = meta(m).list_after) {
        REQUIRE(meta(m).list_before == (all.empty() ? nullptr : all.back()));
        all.push_back(m);
    }
    REQUIRE(list.last() == (all.empty() ? nullptr : all.back()));
    return all;
}

/// Everything that is counted or linked agrees with the marks of the segments themselves.
void check_against_marks(const tcp::SendSide& s) {
    std::uint32_t sacked = 0, lost = 0, mbufs = 0;
    std::vector<rte_mbuf*> flying, losses, all;
    for (auto* m = s.head; m != nullptr; m = meta(m).next, ++mbufs) {
        const auto& d = meta(m);
        all.push_back(m);
        if (d.sacked) sacked += d.payload_len;
        if (d.lost) lost += d.payload_len;
        if (d.lost) losses.push_back(m);
        else if (d.sent && !d.sacked) flying.push_back(m);
        REQUIRE_FALSE((d.sacked && d.lost));
    }
    REQUIRE(s.mbufs == mbufs);
    REQUIRE(s.sacked_bytes == sacked);
    REQUIRE(s.lost_bytes == lost);
    REQUIRE(s.tail == (all.empty() ? nullptr : all.back()));
    REQUIRE((s.last_left == nullptr || std::find(all.begin(), all.end(), s.last_left) != all.end()));
    auto listed = segments_of(s.in_flight);
    REQUIRE(std::is_permutation(listed.begin(), listed.end(), flying.begin(), flying.end()));
    listed = segments_of(s.lost);
    REQUIRE(std::is_permutation(listed.begin(), listed.end(), losses.begin(), losses.end()));
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!meta(all[i]).sacked) continue;
        auto last = i;
        while (last + 1 < all.size() && meta(all[last + 1]).sacked) ++last;
        REQUIRE(tcp::last_of_run(all[i]) == all[last]);
    }
}

/// Where seek() begins for `position`: at or before it, and few segments before.
void check_seek(const tcp::SendSide& s, Position position) {
    const auto* from = tcp::seek(s, position);
    REQUIRE(from != nullptr);
    REQUIRE((from == s.head || meta(from).begin <= position));
    int steps = 0;
    for (auto* m = from; m != nullptr && meta(m).begin <= position; m = meta(m).next) ++steps;
    REQUIRE(steps <= 65);
}

}  // namespace

TEST_CASE("scoreboard: lists, counts and runs follow the marks, whatever happens", "[tcp]") {
    MbufPool pool(1023);
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        tcp::SendSide s;
        Position next = 1;
        Instant now{1'000};
        for (int step = 0; step < 400; ++step) {
            now = now + 1_us;
            const auto pick = [&]() -> rte_mbuf* {
                auto* m = s.head;
                for (auto i = random.below(std::max(s.mbufs, 1u)); i > 0; --i) m = meta(m).next;
                return m;
            };
            auto* m = s.head != nullptr ? pick() : nullptr;
            switch (m == nullptr ? 0 : random.below(9)) {
                case 0:
                    for (auto n = 1 + random.below(20); n > 0 && s.mbufs < 600; --n, next += 10)
                        tcp::append(s, segment_of(pool, next, next + 10).release());
                    break;
                case 1: rte_pktmbuf_free(tcp::take_first(s)); break;
                case 2: tcp::mark_lost(s, m); break;
                case 3:
                    if (random.below(8) == 0) tcp::unmark_sacked(s);
                    break;
                case 4: tcp::unmark_lost(s); break;
                case 5:
                    tcp::mark_sent(s, m, now);
                    s.last_left = m;
                    break;
                default:
                    for (auto n = random.below(8); m != nullptr && n > 0; --n, m = meta(m).next) {
                        tcp::mark_sent(s, m, now);
                        if (!meta(m).sacked) tcp::mark_sacked(s, m);
                    }
            }
            check_against_marks(s);
            if (s.head != nullptr) check_seek(s, meta(pick()).begin);
        }
        tcp::clear(s);
        check_against_marks(s);
        REQUIRE(pool.in_use() == 0);
    }
}

TEST_CASE("scoreboard: what left again stands behind what left before", "[tcp]") {
    SenderRig rig;
    rig.write(3);
    rig.after(1_ms);
    tcp::mark_lost(rig.snd(), rig.held(0));
    CHECK(tcp::retransmit(rig.t, rig.held(0), rig.context()));
    CHECK(segments_of(rig.snd().in_flight) == std::vector<rte_mbuf*>{rig.held(1), rig.held(2), rig.held(0)});
    // Taken back, the second stands before both again.
    tcp::mark_lost(rig.snd(), rig.held(1));
    tcp::mark_lost(rig.snd(), rig.held(0));
    CHECK(segments_of(rig.snd().lost) == std::vector<rte_mbuf*>{rig.held(0), rig.held(1)});
    tcp::unmark_lost(rig.snd());
    CHECK(segments_of(rig.snd().in_flight) == std::vector<rte_mbuf*>{rig.held(0), rig.held(1), rig.held(2)});
}

TEST_CASE("scoreboard: at a timeout all that is lost goes again from the lowest on", "[tcp]") {
    SenderRig rig;
    rig.measure(8_ms);
    rig.write(5);
    for (const unsigned i : {3u, 1u, 4u}) tcp::mark_lost(rig.snd(), rig.held(i));
    rig.after(8_ms);
    tcp::mark_timed_out(rig.t, rig.wire.now);
    CHECK(segments_of(rig.snd().lost) ==
          std::vector<rte_mbuf*>{rig.held(0), rig.held(1), rig.held(2), rig.held(3), rig.held(4)});
}

namespace {

/// Instructions that each of some hostile ACKs takes while `held` segments are under way, every other one
/// reported.
std::uint64_t instructions_of_an_ack(unsigned held) {
    SenderRig rig(true, false, interface_settings(), 8191);
    rig.measure(8_ms);
    rig.snd().cwnd = 8'000'000;
    rig.snd().edge = rig.snd().una + 8'000'000;
    for (unsigned sent = 0; sent < held; sent += 64) {
        rig.write(64, 100);
        rig.segments();
    }
    const auto base = rig.snd().una;
    for (Position i = 1; i + 8 < held; i += 2) rig.take(base, {{base + i * 100, base + i * 100 + 100}});
    rig.after(1_ms);
    constexpr unsigned acks = 8;
    return instructions_of([&] {
               for (Position i = 0; i < acks; ++i) {
                   // What is known, at both ends and in the middle, and one new segment.
                   const auto at = [&](Position n) {
                       return tcp::PositionRange{base + n * 100, base + n * 100 + 100};
                   };
                   const auto h =
                       rig.header(base, {at(held / 2 + 2 * i), at(held - 9 - 2 * i), at(held - 9), at(1)});
                   const auto effect = tcp::take_ack(rig.t, base, h, rig.context());
                   tcp::recover(rig.t, effect, h, rig.context());
                   rig.snd().repeat_now = true;
                   tcp::send_ready(rig.t, rig.context());
               }
           }) /
           acks;
}

}  // namespace

// Each ACK with four blocks walked over all that was held, four times, and once more for what is lost.
TEST_CASE("scoreboard: an ACK takes as many steps, however much is held", "[tcp]") {
    const auto few = instructions_of_an_ack(512), many = instructions_of_an_ack(4'096);
    INFO("instructions an ACK: " << few << " with 512 segments, " << many << " with 4,096");
    CHECK(many < few * 2);
}
