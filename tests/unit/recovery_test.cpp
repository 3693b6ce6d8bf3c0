// When recovery begins and ends, how much leaves meanwhile, and what takes it back.
#include "cores/tcp/recovery.hpp"

#include "cores/tcp/congestion.hpp"
#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;
using tcp::Counter;

namespace {

constexpr auto mss = SenderRig::mss;
Position start(Position i) { return SenderRig::start(i); }

/// A round trip of 8 ms is known, segments 1 to `size` are under way, and more wait for the window.
struct Flight : SenderRig {
    explicit Flight(bool sack = true, bool timestamps = false, unsigned waiting = 20, unsigned size = 10)
        : SenderRig(sack, timestamps) {
        measure(8_ms);
        snd().cwnd = static_cast<std::uint32_t>(size * mss);
        write(size + waiting);
        sent();
        after(8_ms);
    }
    /// The first is lost, and those up to segment `i` are reported.
    void lose_first(Position i = 4) { acknowledge(start(1), {{start(2), start(i + 1)}}); }
};

}  // namespace

TEST_CASE("recovery: without SACK the third duplicate ACK, once, whatever follows (RFC 5681)", "[tcp]") {
    Flight rig(false);
    // The first two let a new segment go each (RFC 3042).
    for (int i = 0; i < 2; ++i) rig.acknowledge(start(1));
    CHECK(rig.sent_count() == 2);
    rig.acknowledge(start(1));
    const auto repeated = rig.sent();
    REQUIRE(repeated.size() == 1);
    CHECK(repeated[0].begin == start(1));
    CHECK(rig.snd().cwnd == 7 * mss);
    CHECK(rig.count(Counter::fast_recoveries) == 1);
    // Each further one counts for a segment that has left the network: with the sixth and the seventh the
    // twelve under way are fewer than the window's seven and those.
    std::size_t more = 0;
    for (int i = 0; i < 4; ++i) {
        rig.acknowledge(start(1));
        for (const auto r : rig.sent()) more += r.begin >= start(11) ? 1 : 100;
    }
    CHECK(more == 2);
}

TEST_CASE("recovery: duplicates are counted from the last ACK of new bytes", "[tcp]") {
    Flight rig(false, false, 0);
    for (int i = 0; i < 2; ++i) rig.acknowledge(start(1));
    rig.acknowledge(start(2));
    CHECK(rig.snd().duplicate_acks == 0);
    for (int i = 0; i < 2; ++i) rig.acknowledge(start(2));
    CHECK_FALSE(rig.snd().in_recovery);
    rig.acknowledge(start(2));
    CHECK(rig.snd().in_recovery);
}

TEST_CASE(
    "recovery: without SACK a partial ACK sends the next hole at once, though the window is full (RFC 6582)",
    "[tcp]") {
    Flight rig(false, false, 0);
    for (int i = 0; i < 3; ++i) rig.acknowledge(start(1));
    rig.sent();
    rig.snd().cwnd = 2 * mss;
    rig.acknowledge(start(3));
    const auto repeated = rig.sent();
    REQUIRE(repeated.size() == 1);
    CHECK(repeated[0].begin == start(3));
    CHECK(rig.snd().in_recovery);
    rig.acknowledge(start(11));
    CHECK_FALSE(rig.snd().in_recovery);
}

TEST_CASE("recovery: the first loss goes again at once, and the pipe comes down step by step (RFC 6937)",
          "[tcp]") {
    Flight rig(true, false, 20, 20);
    rig.lose_first();
    auto& s = rig.snd();
    CHECK(s.in_recovery);
    CHECK(s.recovery_end == start(21));
    CHECK(s.ssthresh == 14 * mss);
    CHECK(s.prr.flight == 20 * mss);
    CHECK(s.prr.delivered == 3 * mss);
    // ceil(3000 * 14 / 20) = 2100 may leave, in segments that begin below that: the loss and two new ones.
    CHECK(rig.sent_count() == 3);
    CHECK(s.prr.out == 3 * mss);
    rig.acknowledge(start(1), {{start(2), start(6)}});
    CHECK(s.prr.delivered == 4 * mss);
    CHECK(rig.sent_count() == 0);
    CHECK(s.cwnd == tcp::pipe(s));
}

TEST_CASE("recovery: what may leave is rounded up to whole bytes (RFC 6937)", "[tcp]") {
    Flight rig(true, false, 0);
    rig.lose_first();
    auto& s = rig.snd();
    s.prr = {10 * mss, 0, 0};
    s.ssthresh = 3333;
    s.sacked_bytes = 0;
    tcp::AckEffect e;
    e.delivered = 1001;
    tcp::recover(rig.t, e, rig.header(start(1)), rig.context());
    CHECK(s.cwnd == tcp::pipe(s) + 334);  // 333.6
    s.sacked_bytes = 3 * mss;
}

TEST_CASE("recovery: below its aim it grows by what is delivered and a segment while nothing more is lost",
          "[tcp]") {
    struct {
        bool advanced;
        std::uint32_t ssthresh, expected;
    } const cases[] = {{true, 20'000, 2000 + mss}, {false, 20'000, 2000}, {true, 9'500, 1'500}};
    for (const auto& at : cases) {
        Flight rig(true, false, 0);
        rig.lose_first();
        auto& s = rig.snd();
        s.ssthresh = at.ssthresh;
        s.prr = {10 * mss, 0, 0};
        s.sacked_bytes = 2 * mss;  // 8 segments in the pipe
        s.lost_bytes = 0;
        tcp::AckEffect e;
        e.delivered = 2 * mss;
        e.advanced = at.advanced;
        tcp::recover(rig.t, e, rig.header(start(1)), rig.context());
        CHECK(s.cwnd == 8 * mss + at.expected);
        s.sacked_bytes = 3 * mss;
    }
}

TEST_CASE("recovery: below its aim an ACK that shows more losses lets no more go than it delivers", "[tcp]") {
    for (const bool more_lost : {false, true}) {
        Flight rig(true, false, 0);
        rig.lose_first();
        auto& s = rig.snd();
        s.ssthresh = 20 * mss;
        s.prr = {10 * mss, 0, 0};
        if (!more_lost) rig.snd().rack.valid = false;
        tcp::AckEffect e;
        e.delivered = mss;
        e.advanced = true;
        // The second left before the fourth, which was delivered: it is lost by now, unless nothing is known.
        tcp::unmark_sacked(s);
        for (const unsigned i : {2u, 3u}) tcp::mark_sacked(s, rig.held(i));
        tcp::recover(rig.t, e, rig.header(start(1)), rig.context());
        CHECK(s.cwnd == tcp::pipe(s) + (more_lost ? 1 : 2) * mss);
    }
}

TEST_CASE("recovery: it has its own rule, and the window grows by no other meanwhile", "[tcp]") {
    Flight rig(true, false, 0, 20);
    rig.lose_first();
    auto& s = rig.snd();
    rig.after(8_ms);
    s.prr.out = 20 * mss;  // more than was delivered
    s.cwnd_full_at = s.nxt;
    const auto effect = rig.take(start(4));
    tcp::recover(rig.t, effect, rig.header(start(4)), rig.context());
    CHECK(s.in_recovery);
    CHECK(s.cwnd == tcp::pipe(s));
    CHECK(s.cubic.epoch.is_never());
}

TEST_CASE("recovery: it ends where it began, with the window at its aim", "[tcp]") {
    Flight rig(true, false, 0);
    rig.lose_first();
    rig.acknowledge(start(11) - 1);
    CHECK(rig.snd().in_recovery);
    rig.snd().cwnd = 2 * mss;
    rig.acknowledge(start(11));
    CHECK_FALSE(rig.snd().in_recovery);
    // And the last ACK has let it grow by what the curve allows.
    CHECK(rig.snd().cwnd >= 7 * mss);
    CHECK(rig.snd().cwnd < 8 * mss);
}

TEST_CASE("recovery: after sixteen the reordering window is as narrow as at first (RFC 8985)", "[tcp]") {
    Flight rig(true, false, 0);
    rig.snd().rack.widening = 5;
    rig.snd().rack.persist = 2;
    rig.lose_first();
    rig.acknowledge(start(11));
    CHECK(rig.snd().rack.widening == 5);
    rig.snd().in_recovery = true;
    rig.acknowledge(start(11));
    CHECK(rig.snd().rack.widening == 1);
}

TEST_CASE("undo: as many duplicates as were repeated, and all of this recovery (RFC 3708)", "[tcp]") {
    Flight rig(true, false, 0);
    // The first and third are lost, and both go again.
    rig.acknowledge(start(1), {{start(2), start(3)}, {start(4), start(10)}});
    rig.snd().cwnd = 20 * mss;
    tcp::send_ready(rig.t, rig.context());
    REQUIRE(rig.sent_count() == 2);
    CHECK(rig.snd().undo.segments == 2);
    CHECK(rig.snd().undo.begin == start(1));
    rig.acknowledge(start(10));
    const auto duplicate = [&](Position i) {
        rig.acknowledge(start(10), {{start(i), start(i + 1)}});
        return rig.count(Counter::recoveries_undone);
    };
    CHECK(duplicate(0) == 0);  // from before
    CHECK(rig.snd().undo.segments == 2);
    CHECK(duplicate(1) == 0);
    CHECK(duplicate(3) == 1);
    CHECK(rig.snd().cwnd >= 10 * mss);
    CHECK(rig.snd().ssthresh > 1'000'000);
    CHECK(rig.snd().cubic.w_max == 0);
    CHECK_FALSE(rig.snd().in_recovery);
    CHECK(rig.snd().undo.first.is_never());
}

TEST_CASE("undo: an echo from before the first repetition takes all back, the marks, too (RFC 4015)",
          "[tcp]") {
    Flight rig(true, true, 0);
    auto h = rig.header(start(2));
    h.options.has_timestamps = true;
    h.options.ts_echo = rig.context().ts_now + rig.t.hard.leg.ts_offset - 8;
    rig.after(300_ms);
    tcp::mark_timed_out(rig.t, rig.wire.now);
    tcp::send_ready(rig.t, rig.context());
    CHECK(rig.snd().lost_bytes == 9 * mss);
    const auto repeated = rig.wire.now;
    CHECK(rig.snd().undo.first == repeated);
    rig.after(2_ms);
    tcp::retransmit(rig.t, rig.held(1), rig.context());
    CHECK(rig.snd().undo.first == repeated);
    rig.after(5_ms);
    rig.sent();
    rig.acknowledge(start(2), h);
    CHECK(rig.sent_count() == 0);
    CHECK(rig.count(Counter::recoveries_undone) == 1);
    CHECK(rig.snd().lost_bytes == 0);
    for (unsigned i = 0; i < 9; ++i) CHECK_FALSE(meta(rig.held(i)).lost);
    CHECK(rig.snd().cwnd >= 10 * mss);
    CHECK_FALSE(rig.snd().in_loss);
}

TEST_CASE("undo: an echo from after the repetition takes nothing back", "[tcp]") {
    Flight rig(true, true, 0);
    rig.after(300_ms);
    tcp::mark_timed_out(rig.t, rig.wire.now);
    tcp::send_ready(rig.t, rig.context());
    rig.after(8_ms);
    auto h = rig.header(start(2));
    h.options.has_timestamps = true;
    h.options.ts_echo = rig.context().ts_now + rig.t.hard.leg.ts_offset - 8;
    rig.acknowledge(start(2), h);
    CHECK(rig.count(Counter::recoveries_undone) == 0);
}

TEST_CASE("rto: one segment of window, a lower threshold, and all of a round trip ago is lost", "[tcp]") {
    Flight rig(true, false, 0);
    rig.snd().cwnd = 11 * mss;
    rig.write(1);  // young: within a round trip
    rig.snd().cwnd = 10 * mss;
    rig.after(4_ms);
    tcp::mark_timed_out(rig.t, rig.wire.now);
    auto& s = rig.snd();
    CHECK(s.cwnd == mss);
    CHECK(s.ssthresh == 7 * mss);
    CHECK(s.in_loss);
    CHECK(s.recovery_end == s.nxt);
    CHECK(s.nxt - s.una == 11 * mss);
    CHECK(s.lost_bytes == 10 * mss);
    // Again: the threshold stays.
    tcp::mark_timed_out(rig.t, rig.wire.now + 4_ms);
    CHECK(s.ssthresh == 7 * mss);
    CHECK(s.lost_bytes == s.nxt - s.una);
}

TEST_CASE("rto: in a recovery it lowers nothing a second time", "[tcp]") {
    Flight rig(true, false, 0);
    rig.lose_first();
    CHECK(rig.snd().ssthresh == 7 * mss);
    rig.snd().cwnd = 4 * mss;
    tcp::mark_timed_out(rig.t, rig.wire.now);
    CHECK(rig.snd().ssthresh == 7 * mss);
    CHECK(rig.snd().undo.cwnd == 10 * mss);
    CHECK_FALSE(rig.snd().in_recovery);
}

TEST_CASE("rto: reports are kept, unless the first segment itself was reported (RFC 2018)", "[tcp]") {
    for (const bool reneged : {false, true}) {
        Flight rig(true, false, 0);
        rig.take(start(1), {{start(3), start(5)}});
        if (reneged) rig.take(start(3));
        rig.after(100_ms);
        tcp::mark_timed_out(rig.t, rig.wire.now);
        CHECK(rig.snd().sacked_bytes == (reneged ? 0 : 2 * mss));
        CHECK(rig.snd().lost_bytes == 8 * mss);
        CHECK(tcp::pipe(rig.snd()) == 0);
    }
}

TEST_CASE("rto: recovery from it ends where it began, and slow start opens the window meanwhile", "[tcp]") {
    Flight rig(true, false, 0);
    rig.after(100_ms);
    tcp::mark_timed_out(rig.t, rig.wire.now);
    tcp::send_ready(rig.t, rig.context());
    rig.after(8_ms);
    rig.acknowledge(start(2));
    CHECK(rig.snd().in_loss);
    CHECK(rig.snd().cwnd == 2 * mss);
    rig.acknowledge(start(11));
    CHECK_FALSE(rig.snd().in_loss);
}

TEST_CASE("path MTU: what is too large is lost, what fits is not, and the window stays (RFC 1191)", "[tcp]") {
    SenderRig rig;
    rig.write(1);
    rig.write(1, 600);
    rig.write(1);
    rig.sent();
    rig.t.hard.leg.mss_send = 600;
    tcp::mark_oversized_lost(rig.t);
    CHECK(meta(rig.held(0)).lost);
    CHECK_FALSE(meta(rig.held(1)).lost);
    CHECK(meta(rig.held(2)).lost);
    CHECK(rig.snd().repeat_now);
    CHECK(rig.snd().cwnd == 10 * mss);
}

TEST_CASE("tlp: a loss that a probe has repaired lowers the window, once the report of a duplicate is late",
          "[tcp]") {
    for (const bool reported : {false, true}) {
        Flight rig(true, false, 0);
        rig.write(1);
        rig.acknowledge(start(10));
        auto& s = rig.snd();
        s.cwnd = 10 * mss;
        s.tail_probe_end = start(11);
        s.tail_probe_repeats = true;
        rig.take(start(10));
        rig.acknowledge(start(10), {{start(1), start(2)}});  // before its end: of no interest
        CHECK(s.tail_probe_end == start(11));
        s.undo = {};
        rig.acknowledge(start(11));
        CHECK(s.tail_probe_end == start(11));  // the report may follow
        if (reported) rig.acknowledge(start(11), {{start(10), start(11)}});
        else rig.acknowledge(start(12));
        CHECK(s.tail_probe_end == 0);
        CHECK((s.ssthresh < 1'000'000) == !reported);
    }
}

TEST_CASE("recovery: what leaves in it is counted, repeated or new", "[tcp]") {
    Flight rig(true, false, 0);
    rig.lose_first();
    auto& s = rig.snd();
    s.prr.out = 0;
    s.undo = {};
    tcp::note_transmission(rig.t, 700, true, rig.wire.now);
    CHECK(s.prr.out == 700);
    CHECK(s.undo.segments == 1);
    tcp::note_transmission(rig.t, 300, false, rig.wire.now);
    CHECK(s.prr.out == 1000);
    CHECK(s.undo.segments == 1);
    CHECK(s.last_sent == rig.wire.now);
}
