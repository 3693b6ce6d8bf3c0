// The congestion window by numbers: slow start and its end, the curve, what a loss leaves.
#include "cores/tcp/congestion.hpp"

#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;

namespace {

constexpr std::uint32_t mss = SenderRig::mss;

/// One round trip of slow start: `samples` ACKs of a segment each, with that round-trip time.
void slow_start_round(SenderRig& rig, Duration rtt, unsigned samples = 8) {
    rig.snd().una = rig.snd().slow_start.round_end;
    rig.snd().nxt = rig.snd().una + 1'000'000;  // in use, whatever the window
    tcp::AckEffect e;
    e.bytes_acked = mss;
    e.rtt = rtt;
    for (unsigned i = 0; i < samples; ++i) {
        rig.snd().una += mss;
        tcp::grow_window(rig.t, e, rig.context());
    }
}

/// Congestion avoidance with `cwnd` after a loss at `w_max`; nothing is held.
void avoid(SenderRig& rig, std::uint32_t cwnd, std::uint32_t w_max) {
    auto& s = rig.snd();
    s.cwnd = s.ssthresh = cwnd;
    s.cubic = {};
    s.cubic.w_max = w_max;
    s.una = s.nxt = 1'000'000;
    s.cwnd_full_at = s.nxt + 1'000'000;
}
void grow(SenderRig& rig, std::uint32_t acked) {
    tcp::AckEffect e;
    e.bytes_acked = acked;
    rig.snd().una += acked;
    rig.snd().nxt = rig.snd().una;
    tcp::grow_window(rig.t, e, rig.context());
}

}  // namespace

TEST_CASE("cwnd: ten segments at first, 14600 bytes of large ones, two of those that are larger still",
          "[tcp]") {
    SenderRig rig;
    CHECK(tcp::initial_window(rig.t) == 10 * mss);
    rig.t.hard.leg.mss_send = 1460;
    CHECK(tcp::initial_window(rig.t) == 14'600);
    rig.t.hard.leg.mss_send = 4000;
    CHECK(tcp::initial_window(rig.t) == 14'600);
    rig.t.hard.leg.mss_send = 8960;
    CHECK(tcp::initial_window(rig.t) == 17'920);
}

TEST_CASE("cwnd: slow start takes at most eight segments of an ACK, two without SACK", "[tcp]") {
    for (const bool sack : {true, false}) {
        SenderRig rig(sack);
        tcp::AckEffect e;
        e.bytes_acked = 20 * mss;
        rig.snd().una = rig.snd().nxt = 20 * mss;
        tcp::grow_window(rig.t, e, rig.context());
        CHECK(rig.snd().cwnd == (sack ? 18 : 12) * mss);
    }
}

TEST_CASE("cwnd: slow start is below the threshold, and grows only what is in use", "[tcp]") {
    SenderRig rig;
    rig.snd().una = rig.snd().nxt = 100 * mss;
    grow(rig, 4 * mss);  // less than half of the window was under way
    CHECK(rig.snd().cwnd == 10 * mss);
    grow(rig, 5 * mss);
    CHECK(rig.snd().cwnd == 15 * mss);
    rig.snd().ssthresh = rig.snd().cwnd;
    rig.snd().cwnd_full_at = rig.snd().nxt + 100 * mss;
    grow(rig, 15 * mss);
    CHECK(rig.snd().cwnd < 17 * mss);
}

TEST_CASE("cwnd: a loss leaves seven tenths, and two segments at least (RFC 9438)", "[tcp]") {
    SenderRig rig;
    rig.snd().cwnd = 100 * mss;
    rig.snd().cubic.epoch = rig.wire.now;
    rig.snd().slow_start.css_rounds = 3;
    tcp::congestion_event(rig.t);
    CHECK(rig.snd().ssthresh == 70 * mss);
    CHECK(rig.snd().cubic.w_max == 100 * mss);
    CHECK(rig.snd().cubic.epoch.is_never());
    CHECK(rig.snd().slow_start.css_rounds == 0);
    // Before it was back there: room for newer flows.
    rig.snd().cwnd = 80 * mss;
    tcp::congestion_event(rig.t);
    CHECK(rig.snd().cubic.w_max == 68 * mss);
    rig.snd().cwnd = 2 * mss;
    tcp::congestion_event(rig.t);
    CHECK(rig.snd().ssthresh == 2 * mss);
}

TEST_CASE("cubic: K seconds after the loss the window is back at the plateau, and grows beyond it", "[tcp]") {
    SenderRig rig;
    // 0.4 K^3 = 300 segments: K = 9.086 s.
    avoid(rig, 700 * mss, 1000 * mss);
    rig.t.soft.rtt.srtt = 0_ms;
    grow(rig, mss);
    CHECK(rig.snd().cubic.origin == 1000 * mss);
    CHECK(rig.snd().cubic.k_ms == 9085);
    const auto after_a_window = [&](Duration span) {
        rig.snd().cubic.epoch = rig.wire.now;
        rig.snd().cwnd = 700 * mss;
        rig.snd().cubic.w_est = 0;
        rig.snd().cwnd_full_at = rig.snd().una;
        const auto begin = rig.wire.now;
        rig.after(span);
        grow(rig, 700 * mss);
        rig.wire.now = begin;
        return rig.snd().cwnd / mss;
    };
    CHECK(after_a_window(5_s) == 972);  // 1000 - 0.4 * 4.085^3
    CHECK(after_a_window(9085_ms) == 1000);
    CHECK(after_a_window(12_s) == 1009);  // 1000 + 0.4 * 2.915^3
    CHECK(after_a_window(60_s) == 1050);  // no more than one and a half windows at once
    // What the curve has a round trip later counts.
    rig.t.soft.rtt.srtt = 7_s;
    CHECK(after_a_window(5_s) == 1009);
}

TEST_CASE("cubic: Reno's estimate grows by 0.529 segments a window below the plateau, and by one above",
          "[tcp]") {
    SenderRig rig;
    rig.t.soft.rtt.srtt = 0_ms;
    avoid(rig, 7 * mss, 10 * mss);
    grow(rig, 7 * mss);
    CHECK(rig.snd().cubic.w_est == 7 * mss + 529);
    CHECK(rig.snd().cwnd == 7 * mss + 529);
    avoid(rig, 10 * mss, 10 * mss);
    grow(rig, 10 * mss);
    CHECK(rig.snd().cubic.w_est == 11 * mss);
}
// Each ACK's share was rounded down: beyond some hundred segments of window Reno's estimate grew slowly, or
// not at all.
TEST_CASE("cwnd: what Reno would have grows in a large window, too", "[tcp]") {
    SenderRig rig;
    constexpr std::uint32_t window = 3000 * mss;
    avoid(rig, window, window);
    rig.snd().cwnd_full_at = 10 * window;
    // One round trip, one segment an ACK.
    for (unsigned i = 0; i < window / mss; ++i) grow(rig, mss);
    CHECK(rig.snd().cubic.w_est > window + mss * 95 / 100);
    CHECK(rig.snd().cubic.w_est <= window + mss);
}

TEST_CASE("cubic: above the plateau the curve begins where the window is", "[tcp]") {
    SenderRig rig;
    avoid(rig, 20 * mss, 10 * mss);
    grow(rig, mss);
    CHECK(rig.snd().cubic.origin == 20 * mss);
    CHECK(rig.snd().cubic.k_ms == 0);
}

TEST_CASE("cubic: time in which the window was not used does not count, and it does not grow", "[tcp]") {
    SenderRig rig;
    avoid(rig, 20 * mss, 40 * mss);
    grow(rig, 20 * mss);
    const auto epoch = rig.snd().cubic.epoch;
    CHECK_FALSE(epoch.is_never());
    rig.after(1_s);
    grow(rig, mss);
    CHECK(rig.snd().cubic.epoch == epoch);
    rig.snd().cwnd_full_at = 0;
    const auto window = rig.snd().cwnd;
    rig.after(10_s);
    grow(rig, mss);
    CHECK(rig.snd().cwnd == window);
    CHECK(rig.snd().cubic.epoch.is_never());
}

TEST_CASE(
    "hystart: a rise of an eighth ends exponential growth, by 4 ms at least and 16 ms at most (RFC 9406)",
    "[tcp]") {
    struct {
        Duration first, second;
        bool ends;
    } const rounds[] = {{10_ms, 13900_us, false}, {10_ms, 14_ms, true},    {80_ms, 89_ms, false},
                        {80_ms, 90_ms, true},     {400_ms, 415_ms, false}, {400_ms, 416_ms, true}};
    for (const auto& r : rounds) {
        SenderRig rig;
        slow_start_round(rig, r.first);
        slow_start_round(rig, r.second, 7);
        CHECK(rig.snd().slow_start.css_rounds == 0);  // seven samples are not enough
        slow_start_round(rig, r.first);
        slow_start_round(rig, r.second);
        CHECK((rig.snd().slow_start.css_rounds > 0) == r.ends);
    }
}

TEST_CASE("hystart: the shortest round trip of a round counts", "[tcp]") {
    SenderRig rig;
    slow_start_round(rig, 10_ms);
    slow_start_round(rig, 10_ms, 1);
    slow_start_round(rig, 10_ms);
    tcp::AckEffect e;
    e.bytes_acked = mss;
    e.rtt = 50_ms;
    for (int i = 0; i < 8; ++i) tcp::grow_window(rig.t, e, rig.context());
    CHECK(rig.snd().slow_start.rtt_now == 10'000);
    CHECK(rig.snd().slow_start.css_rounds == 0);
}

TEST_CASE("hystart: conservative slow start grows at a quarter, for five rounds or until it is shorter again",
          "[tcp]") {
    SenderRig rig;
    slow_start_round(rig, 10_ms);
    slow_start_round(rig, 20_ms);
    REQUIRE(rig.snd().slow_start.css_rounds == 1);
    for (int round = 0; round < 4; ++round) {
        const auto window = rig.snd().cwnd;
        slow_start_round(rig, 20_ms);
        CHECK(rig.snd().cwnd == window + 2 * mss);
        CHECK(rig.snd().ssthresh > 1'000'000);
    }
    slow_start_round(rig, 20_ms, 1);
    CHECK(rig.snd().ssthresh < 1'000'000);

    SenderRig shorter;
    slow_start_round(shorter, 10_ms);
    slow_start_round(shorter, 20_ms);
    slow_start_round(shorter, 19_ms);
    CHECK(shorter.snd().slow_start.css_rounds == 0);
}

TEST_CASE(
    "cwnd: after an idle time of more than a timeout it begins anew; the threshold remembers (RFC 5681)",
    "[tcp]") {
    SenderRig rig;
    auto& s = rig.snd();
    rig.measure(10_ms);
    rig.t.soft.rtt.rto = 50_ms;
    const auto restarted = [&](std::uint32_t window, Duration idle) {
        s.cwnd = window;
        s.ssthresh = 20 * mss;
        s.cubic.epoch = rig.wire.now;
        s.last_sent = rig.wire.now;
        rig.after(idle);
        tcp::restart_after_idle(rig.t, rig.context());
        return s.cwnd;
    };
    CHECK(restarted(100 * mss, 50_ms) == 100 * mss);
    CHECK_FALSE(s.cubic.epoch.is_never());
    CHECK(restarted(100 * mss, 51_ms) == 10 * mss);
    CHECK(s.ssthresh == 75 * mss);
    CHECK(s.cubic.epoch.is_never());
    CHECK(restarted(5 * mss, 51_ms) == 5 * mss);
    CHECK(s.ssthresh == 20 * mss);
    s.nxt += mss;  // something is under way
    CHECK(restarted(100 * mss, 51_ms) == 100 * mss);
    s.nxt -= mss;
}
