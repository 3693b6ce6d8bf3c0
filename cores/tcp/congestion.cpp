#include "cores/tcp/congestion.hpp"

#include <algorithm>

namespace holdfast::tcp {
namespace {

using namespace literals;

/// Largest x with x * x * x <= `n`.
std::uint32_t cube_root(std::uint64_t n) {
    std::uint64_t x = 0;
    for (int shift = 63; shift >= 0; shift -= 3) {
        x *= 2;
        const auto step = 3 * x * (x + 1) + 1;
        if ((n >> shift) >= step) {
            n -= step << shift;
            ++x;
        }
    }
    return static_cast<std::uint32_t>(x);
}

//= rfc9438#4.6
//  A loss leaves 0.7 of the window.
std::uint32_t reduced(std::uint32_t window) {
    return static_cast<std::uint32_t>(std::uint64_t{window} * 7 / 10);
}

//= rfc9438#4.2
//  C is 0.4 segments per cubic second: K seconds take the curve from `below` bytes under its plateau up to
//  it.
std::uint32_t milliseconds_to_plateau(std::uint32_t below, std::uint32_t mss) {
    return cube_root(std::uint64_t{below} * 2'500'000'000u / mss);
}

/// The curve, `ms` milliseconds after its epoch began.
std::uint64_t cubic_window(const Cubic& k, std::int64_t ms, std::uint32_t mss) {
    // 100 s away from the plateau the curve is steeper than any window may grow.
    const auto x = std::clamp<std::int64_t>(ms - k.k_ms, -100'000, 100'000);
    const auto away = x * x * x / 1'000'000 * 2 / 5 * mss / 1000;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(std::int64_t{k.origin} + away, 0));
}

void start_epoch(SendSide& s, std::uint32_t mss, Instant now) {
    auto& k = s.cubic;
    k.epoch = now;
    k.origin = std::max(k.w_max, s.cwnd);
    k.k_ms = milliseconds_to_plateau(k.origin - s.cwnd, mss);
    k.w_est = s.cwnd;
    k.w_est_rest = 0;
}

void avoid_congestion(Tcb& t, std::uint32_t acked, const Context& c) {
    auto& s = t.soft.snd;
    auto& k = s.cubic;
    const auto mss = effective_mss(t);
    if (k.epoch.is_never()) start_epoch(s, mss, c.now);
    //= rfc9438#4.3
    //  Reno's estimate grows by 3 * (1 - 0.7) / (1 + 0.7) segments a round trip, and by one once it is where
    //  the last loss was.
    const std::uint64_t rate = k.w_est < k.w_max ? 529 : 1000;
    // In a large window an ACK adds less than a byte.
    const auto share = rate * mss * acked + k.w_est_rest, whole = std::uint64_t{1000} * s.cwnd;
    k.w_est += static_cast<std::uint32_t>(share / whole);
    k.w_est_rest = share % whole;
    //= rfc9438#4.4
    //  Where the curve will be a round trip from now, but not beyond one and a half windows.
    const auto at = (c.now - k.epoch + t.soft.rtt.srtt).to_ms();
    const auto target = std::clamp<std::uint64_t>(cubic_window(k, at, mss), s.cwnd, s.cwnd + s.cwnd / 2);
    const auto step = (target - s.cwnd) * acked / s.cwnd;
    s.cwnd = std::max(s.cwnd + static_cast<std::uint32_t>(step), k.w_est);
}

/// The round trips of a slow start: they rise before the queue overflows.
//= rfc9406#4.2
//  A rise of an eighth, between 4 and 16 ms, over at least eight samples ends exponential growth; it goes on
//  if the next rounds are shorter again, and for five rounds the window grows at a quarter of the rate.
void watch_round_trips(SendSide& s, const AckEffect& e) {
    constexpr std::uint8_t samples_min = 8, css_rounds_max = 5;
    constexpr std::uint32_t rise_min = 4'000, rise_max = 16'000;
    auto& w = s.slow_start;
    if (s.una >= w.round_end) {
        w.round_end = s.nxt;
        w.rtt_last = w.rtt_now;
        w.rtt_now = 0;
        w.samples = 0;
        if (w.css_rounds > 0 && ++w.css_rounds > css_rounds_max) s.ssthresh = s.cwnd;
    }
    if (e.rtt.ns < 0) return;
    const auto sample = static_cast<std::uint32_t>(std::clamp<std::int64_t>(e.rtt.to_us(), 1, 1'000'000'000));
    w.rtt_now = w.rtt_now == 0 ? sample : std::min(w.rtt_now, sample);
    if (w.samples < samples_min) ++w.samples;
    if (w.samples < samples_min || w.rtt_last == 0) return;
    if (w.css_rounds == 0) {
        if (w.rtt_now < w.rtt_last + std::clamp(w.rtt_last / 8, rise_min, rise_max)) return;
        w.rtt_baseline = w.rtt_now;
        w.css_rounds = 1;
    } else if (w.rtt_now < w.rtt_baseline) {
        w.css_rounds = 0;
    }
}

void start_slowly(Tcb& t, const AckEffect& e) {
    auto& s = t.soft.snd;
    watch_round_trips(s, e);
    //= rfc9406#4.2
    //  Receivers that coalesce acknowledge many segments at once: eight may count where nothing paces us.
    //  Without SACK two, as RFC 3465 section 2.2 has it.
    //= rfc3465#2.2
    //  Two without SACK.
    const auto most = (t.hard.sack ? 8 : 2) * effective_mss(t);
    const auto divisor = s.slow_start.css_rounds > 0 ? 4u : 1u;
    s.cwnd += std::min(e.bytes_acked, most) / divisor;
}

}  // namespace

std::uint32_t initial_window(const Tcb& t) {
    //= rfc6928#2
    //  Ten segments, but not more than 14600 bytes for large ones, and never less than two.
    const auto mss = effective_mss(t);
    return std::min(10 * mss, std::max(2 * mss, 14600u));
}

void grow_window(Tcb& t, const AckEffect& e, const Context& c) {
    auto& s = t.soft.snd;
    const auto una_before = s.una - e.bytes_acked;
    const auto flight_before = static_cast<std::uint32_t>(s.nxt - una_before);
    //= rfc9438#5.8
    //  A window that is not used does not grow, and the time in which it was not does not count.
    //= rfc5681#3.1
    //  Slow start below ssthresh, which is out of reach at first; congestion avoidance above.
    if (s.cwnd < s.ssthresh) {
        if (flight_before >= s.cwnd / 2) start_slowly(t, e);
    } else if (distance(una_before, s.cwnd_full_at) >= 0) {
        avoid_congestion(t, e.bytes_acked, c);
    } else {
        s.cubic.epoch = Instant::never();
    }
}

void congestion_event(Tcb& t) {
    auto& s = t.soft.snd;
    auto& k = s.cubic;
    //= rfc9438#4.7
    //  Fast convergence: a flow that lost before it was back where it had been leaves room to newer ones.
    k.w_max = s.cwnd < k.w_max ? static_cast<std::uint32_t>(std::uint64_t{s.cwnd} * 17 / 20) : s.cwnd;
    k.epoch = Instant::never();
    s.slow_start = SlowStart{};
    //= rfc3168#6.1.2
    //  Whatever was the reason, CWR tells that the window was lowered.
    s.cwr_owed = t.hard.ecn;
    //= rfc9438#4.6
    s.ssthresh = std::max(reduced(s.cwnd), 2 * effective_mss(t));
}

void restart_after_idle(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    if (s.nxt != s.una || c.now - s.last_sent <= t.soft.rtt.rto || !t.soft.rtt.measured) return;
    const auto start = initial_window(t);
    if (s.cwnd <= start) return;
    //= rfc5681#4.1
    //  What was right before the idle time is kept as the end of the new slow start.
    s.ssthresh = std::max(s.ssthresh, s.cwnd / 4 * 3);
    s.cwnd = start;
    s.cubic.epoch = Instant::never();
    s.slow_start = SlowStart{};
}

}  // namespace holdfast::tcp
