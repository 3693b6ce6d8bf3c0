// What counts as lost, and when, by the times at which segments left (RFC 8985).
#include "cores/tcp/rack.hpp"

#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;

namespace {

constexpr auto mss = SenderRig::mss;
Position start(Position i) { return SenderRig::start(i); }

/// A round trip of 8 ms is known; segments 1 to n leave together.
struct Sending : SenderRig {
    explicit Sending(unsigned n, bool timestamps = false) : SenderRig(true, timestamps) {
        measure(8_ms);
        write(n);
        sent();
    }
};

}  // namespace

TEST_CASE("rack: three segments above the hole are enough at once, two wait a quarter of the round trip",
          "[tcp]") {
    for (const Position above : {2, 3}) {
        Sending rig(6);
        rig.after(8_ms);
        rig.acknowledge(start(1), {{start(2), start(2 + above)}});
        CHECK(rig.sent_count() == (above == 3 ? 1u : 0u));
        if (above == 3) continue;
        CHECK(rig.snd().reordering_until == rig.wire.now + 2_ms);
        CHECK(rig.snd().timer == tcp::SendTimer::reordering);
    }
}

TEST_CASE("rack: what left at the same time, and before, has been overtaken", "[tcp]") {
    Sending rig(6);
    rig.after(8_ms);
    // The third has arrived: the first and second left before it, the fourth after it.
    rig.take(start(1), {{start(3), start(4)}});
    rig.after(2_ms);
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now) != tcp::Loss::none);
    CHECK(meta(rig.held(0)).lost);
    CHECK(meta(rig.held(1)).lost);
    CHECK_FALSE(meta(rig.held(2)).lost);
    CHECK_FALSE(meta(rig.held(3)).lost);
    CHECK(rig.snd().lost_bytes == 2 * mss);
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now) == tcp::Loss::none);  // no news
}

TEST_CASE("rack: it is lost at its time, not a moment before", "[tcp]") {
    Sending rig(3);
    rig.after(8_ms);
    rig.take(start(1), {{start(3), start(4)}});
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now + 2_ms - 1_ns) == tcp::Loss::none);
    CHECK(rig.snd().reordering_until == rig.wire.now + 2_ms);
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now + 2_ms) != tcp::Loss::none);
    CHECK(rig.snd().reordering_until.is_never());
}

TEST_CASE("rack: the first of those that are late sets the timer", "[tcp]") {
    Sending rig(1);
    for (int i = 0; i < 2; ++i) {
        rig.after(100_us);
        rig.write(1);
    }
    rig.after(7800_us);
    rig.take(start(1), {{start(3), start(4)}});
    const auto first_left = rig.wire.now - 8_ms;
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now) == tcp::Loss::none);
    // Patience: the round trip of the third, and a quarter of that, which is the least now.
    CHECK(rig.snd().reordering_until == first_left + 9750_us);
}

TEST_CASE("rack: segments out of order are seen, repetitions overtaken are not", "[tcp]") {
    Sending rig(6);
    rig.after(8_ms);
    rig.take(start(1), {{start(4), start(5)}});
    CHECK_FALSE(rig.snd().rack.reordering_seen);
    CHECK(rig.snd().rack.highest == start(5));
    tcp::retransmit(rig.t, rig.held(0), rig.context());
    rig.after(8_ms);
    rig.take(start(2), {{start(4), start(5)}});
    CHECK_FALSE(rig.snd().rack.reordering_seen);
    rig.take(start(2), {{start(3), start(5)}});
    CHECK(rig.snd().rack.reordering_seen);
}

TEST_CASE("rack: once segments came out of order, three above a hole wait, too", "[tcp]") {
    Sending rig(8);
    rig.snd().rack.reordering_seen = true;
    rig.after(8_ms);
    rig.acknowledge(start(1), {{start(2), start(6)}});
    CHECK(rig.sent_count() == 0);
    CHECK(rig.snd().reordering_until == rig.wire.now + 2_ms);
}

TEST_CASE("rack: the reordering window is wider by a quarter for each round with a duplicate", "[tcp]") {
    Sending rig(8);
    const auto duplicate = [&] { return rig.take(start(1), {{start(0), start(1)}}); };
    rig.snd().tail_probe_end = 0;
    duplicate();
    CHECK(rig.snd().rack.widening == 2);
    CHECK(rig.snd().rack.persist == 16);
    duplicate();  // of the same round
    CHECK(rig.snd().rack.widening == 2);
    rig.snd().rack.dsack_round = start(1);
    duplicate();
    CHECK(rig.snd().rack.widening == 3);
    rig.after(8_ms);
    rig.acknowledge(start(1), {{start(3), start(4)}});
    CHECK(rig.snd().reordering_until == rig.wire.now + 6_ms);
    // A whole round trip at most.
    rig.snd().rack.widening = 40;
    tcp::detect_by_time(rig.t, rig.wire.now);
    CHECK(rig.snd().reordering_until == rig.wire.now + 8_ms);
}

TEST_CASE("rack: an ACK too early for a repetition is for the first transmission", "[tcp]") {
    Sending rig(4);
    rig.after(9_ms);
    tcp::retransmit(rig.t, rig.held(0), rig.context());
    const auto before = rig.snd().rack.sent_at;
    rig.after(7_ms);
    rig.take(start(2));
    CHECK(rig.snd().rack.sent_at == before);
    tcp::retransmit(rig.t, rig.held(0), rig.context());
    const auto left = rig.wire.now;
    rig.after(8_ms);
    rig.take(start(3));
    CHECK(rig.snd().rack.sent_at == left);
    CHECK(rig.snd().rack.rtt == 8_ms);
}

TEST_CASE("rack: what left later and arrived counts, also when something older arrives after it", "[tcp]") {
    Sending rig(1);
    rig.after(1_ms);
    rig.write(1);
    const auto left = rig.wire.now;
    rig.after(8_ms);
    rig.take(start(1), {{start(2), start(3)}});
    rig.take(start(2), {{start(2), start(3)}});
    CHECK(rig.snd().rack.sent_at == left);
    CHECK(rig.snd().rack.end == start(3));
    CHECK(rig.snd().rack.rtt == 8_ms);
}

TEST_CASE("rack: while nothing is out of order or repeated, time tells nothing", "[tcp]") {
    Sending rig(4);
    rig.after(8_ms);
    rig.take(start(3));
    rig.after(1_s);
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now) == tcp::Loss::none);
    CHECK(rig.snd().lost_bytes == 0);
}

TEST_CASE("rack: a repetition is watched when all that stood above it is acknowledged", "[tcp]") {
    Sending rig(2);
    rig.after(1_ms);
    tcp::retransmit(rig.t, rig.held(1), rig.context());
    rig.after(1_ms);
    rig.write(2);
    rig.after(8_ms);
    // An ACK of the first, and a SACK of what left after the repetition.
    rig.take(start(2), {{start(3), start(4)}});
    rig.after(8_ms);
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now) != tcp::Loss::none);
    CHECK(meta(rig.held(0)).lost);
}

TEST_CASE("rack: an echo from before a segment left is older, by more than the clock's millisecond",
          "[tcp]") {
    Sending rig(1, true);
    auto h = rig.header(start(2));
    h.options.has_timestamps = true;
    const auto left = rig.wire.now;
    const auto ts_then = rig.context().ts_now + rig.t.hard.leg.ts_offset;
    rig.after(8_ms);
    h.options.ts_echo = ts_then;
    CHECK_FALSE(tcp::echo_is_older(rig.t, h, left, rig.context()));
    h.options.ts_echo = ts_then - 1;
    CHECK_FALSE(tcp::echo_is_older(rig.t, h, left, rig.context()));
    h.options.ts_echo = ts_then - 2;
    CHECK(tcp::echo_is_older(rig.t, h, left, rig.context()));
    h.options.ts_echo = 0;
    CHECK_FALSE(tcp::echo_is_older(rig.t, h, left, rig.context()));
}

TEST_CASE("rack: in a recovery nothing waits while nothing was ever out of order", "[tcp]") {
    Sending rig(6);
    rig.after(8_ms);
    rig.take(start(1), {{start(2), start(3)}});
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now) == tcp::Loss::none);
    rig.snd().in_recovery = true;
    CHECK(tcp::detect_by_time(rig.t, rig.wire.now) != tcp::Loss::none);
}
