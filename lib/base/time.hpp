// Time as a value. Nothing below engine/ reads a clock: an Instant comes in as an argument (R7).
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace holdfast {

/// A signed span of time in nanoseconds.
struct Duration {
    std::int64_t ns = 0;

    constexpr auto operator<=>(const Duration&) const = default;
    constexpr Duration operator+(Duration o) const { return {ns + o.ns}; }
    constexpr Duration operator-(Duration o) const { return {ns - o.ns}; }
    constexpr Duration operator*(std::int64_t k) const { return {ns * k}; }
    constexpr Duration operator/(std::int64_t k) const { return {ns / k}; }
    constexpr std::int64_t to_us() const { return ns / 1'000; }
    constexpr std::int64_t to_ms() const { return ns / 1'000'000; }
};

constexpr Duration nanoseconds(std::int64_t n) { return {n}; }
constexpr Duration microseconds(std::int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }

namespace literals {
constexpr Duration operator""_ns(unsigned long long n) { return nanoseconds(static_cast<std::int64_t>(n)); }
constexpr Duration operator""_us(unsigned long long n) { return microseconds(static_cast<std::int64_t>(n)); }
constexpr Duration operator""_ms(unsigned long long n) { return milliseconds(static_cast<std::int64_t>(n)); }
constexpr Duration operator""_s(unsigned long long n) { return seconds(static_cast<std::int64_t>(n)); }
}  // namespace literals

/// A point on the host's monotonic clock, in nanoseconds since an arbitrary epoch of that host. Instants of
/// two hosts are not comparable; the node handshake exchanges their difference.
struct Instant {
    std::int64_t ns = 0;

    static constexpr Instant never() { return {std::numeric_limits<std::int64_t>::max()}; }
    constexpr auto operator<=>(const Instant&) const = default;
    constexpr Instant operator+(Duration d) const { return {ns + d.ns}; }
    constexpr Instant operator-(Duration d) const { return {ns - d.ns}; }
    constexpr Duration operator-(Instant o) const { return {ns - o.ns}; }
    constexpr bool is_never() const { return *this == never(); }
};

constexpr Instant earlier(Instant a, Instant b) { return a < b ? a : b; }
constexpr Instant later(Instant a, Instant b) { return a < b ? b : a; }

}  // namespace holdfast
