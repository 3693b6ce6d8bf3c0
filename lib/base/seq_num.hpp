// Sequence numbers as they stand on the wire, and positions as we count with them inside.
#pragma once

#include <cstdint>

namespace holdfast {

/// A 32-bit TCP sequence number (RFC 9293 section 3.4). Its `<` is circular and no total order exists, so
/// there is no `<=>`.
struct SeqNum {
    std::uint32_t value = 0;

    friend constexpr bool operator==(SeqNum, SeqNum) = default;
    friend constexpr bool operator<(SeqNum a, SeqNum b) {
        return static_cast<std::int32_t>(a.value - b.value) < 0;
    }
    friend constexpr bool operator<=(SeqNum a, SeqNum b) { return !(b < a); }
    friend constexpr SeqNum operator+(SeqNum a, std::uint32_t n) { return {a.value + n}; }
    friend constexpr std::int32_t operator-(SeqNum a, SeqNum b) {
        return static_cast<std::int32_t>(a.value - b.value);
    }
};

/// A position in the sequence space of one direction of a connection, counted from its ISN without wrapping:
///
///     position   0     1 .. n        n+1
///     what      SYN   the n bytes    FIN
///
/// Both legs of a session give the same byte the same position, so `map` between legs is the identity here
/// and a difference of ISNs on the wire.
using Position = std::uint64_t;

/// Signed distance of positions.
constexpr std::int64_t distance(Position from, Position to) { return static_cast<std::int64_t>(to - from); }

/// Wire number of `pos` in a direction whose initial sequence number is `isn`.
constexpr SeqNum to_seq(SeqNum isn, Position pos) { return {isn.value + static_cast<std::uint32_t>(pos)}; }

/// Position nearest to `near` whose wire number is `seq`. It may come out "negative" (near 2^64) when the
/// number lies before the ISN; callers compare through distance().
constexpr Position to_position(SeqNum isn, SeqNum seq, Position near) {
    return near + static_cast<std::uint64_t>(static_cast<std::int64_t>(seq - to_seq(isn, near)));
}

}  // namespace holdfast
