// Round-trip times and timeouts: the arithmetic of RFC 6298 section 2.
#include <catch2/catch.hpp>

#include "cores/tcp/sender.hpp"

using namespace holdfast;
using namespace holdfast::literals;

namespace {

constexpr Instant now = Instant{} + 1_s;

/// The least floor there is, which hides no arithmetic.
TcpConfig without_floor() {
    TcpConfig c;
    c.rto_min = 1_ms;
    return c;
}

}  // namespace

TEST_CASE("rtt: the first sample R gives SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR", "[tcp]") {
    tcp::Tcb t;
    tcp::take_rtt(t, 100_ms, now, without_floor());
    CHECK(t.soft.rtt.srtt == 100_ms);
    CHECK(t.soft.rtt.rttvar == 50_ms);
    CHECK(t.soft.rtt.rto == 300_ms);
    CHECK(t.soft.rtt.min == 100_ms);
    CHECK(t.soft.rtt.measured);
}

TEST_CASE("rtt: later samples move RTTVAR by a quarter and then SRTT by an eighth", "[tcp]") {
    tcp::Tcb t;
    const auto config = without_floor();
    tcp::take_rtt(t, 100_ms, now, config);
    tcp::take_rtt(t, 180_ms, now, config);
    // RTTVAR = 3/4 * 50 + 1/4 * |100 - 180| with the old SRTT; SRTT = 7/8 * 100 + 1/8 * 180.
    CHECK(t.soft.rtt.rttvar == 57500_us);
    CHECK(t.soft.rtt.srtt == 110_ms);
    CHECK(t.soft.rtt.rto == 340_ms);
    tcp::take_rtt(t, 20_ms, now, config);
    CHECK(t.soft.rtt.min == 20_ms);
    CHECK(t.soft.rtt.rttvar == (57500_us * 3 + 90_ms) / 4);
    tcp::take_rtt(t, 50_ms, now, config);
    CHECK(t.soft.rtt.min == 20_ms);
}

TEST_CASE("rtt: a steady path's RTO comes down to the clock's granularity above it, and stays there",
          "[tcp]") {
    tcp::Tcb t;
    for (int i = 0; i < 200; ++i) tcp::take_rtt(t, 10_ms, now, without_floor());
    CHECK(t.soft.rtt.srtt == 10_ms);
    CHECK(t.soft.rtt.rto == 11_ms);
}

TEST_CASE("rtt: the RTO has a floor and a ceiling", "[tcp]") {
    tcp::Tcb t;
    TcpConfig config;
    tcp::take_rtt(t, 50_us, now, config);
    CHECK(t.soft.rtt.rto == config.rto_min + 50_us);
    tcp::Tcb slow;
    tcp::take_rtt(slow, 100_s, now, config);
    CHECK(slow.soft.rtt.rto == config.rto_max);
}

TEST_CASE("rtt: a sample of no time at all is a sample", "[tcp]") {
    tcp::Tcb t;
    tcp::take_rtt(t, 0_ms, now, TcpConfig{});
    CHECK(t.soft.rtt.measured);
    CHECK(t.soft.rtt.srtt > 0_ns);
}

TEST_CASE("rtt: the least is that of the last five to ten minutes", "[tcp]") {
    tcp::Tcb t;
    const auto config = without_floor();
    const auto take = [&](Duration sample, Duration at) {
        tcp::take_rtt(t, sample, now + at, config);
        return t.soft.rtt.min;
    };
    CHECK(take(10_ms, 0_s) == 10_ms);
    // The path has become longer.
    CHECK(take(30_ms, 60_s) == 10_ms);
    CHECK(take(30_ms, 299_s) == 10_ms);
    CHECK(take(25_ms, 301_s) == 10_ms);  // the first span is over, and counts for another one
    CHECK(take(30_ms, 500_s) == 10_ms);
    CHECK(take(30_ms, 602_s) == 25_ms);
    CHECK(take(20_ms, 603_s) == 20_ms);
    // After a long silence nothing of before counts.
    CHECK(take(40_ms, 3600_s) == 40_ms);
}
