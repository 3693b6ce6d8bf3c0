// Segments as stories write them: by position, that is relative to the initial sequence number of whoever
// sends.
//
//     position   0     1 .. n       n+1          what is not said is not compared when a segment is expected,
//     what      SYN   the n bytes   FIN          and is what an ordinary endpoint would say when it is sent
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/seq_num.hpp"
#include "lib/base/time.hpp"
#include "tests/sim/frame.hpp"

namespace holdfast::script {

namespace flag = sim::flag;

struct Range {
    Position begin = 0, end = 0;
    friend bool operator==(Range, Range) = default;
};

/// One segment, to be sent or expected.
struct Seg {
    std::uint8_t flags = flag::ack;
    std::optional<Position> begin;  ///< SEQ; the payload is [begin, end)
    Position end = 0;
    std::optional<Position> acks;
    std::optional<std::uint64_t> bytes_open;  ///< window in bytes, shift applied
    std::optional<std::vector<Range>> sacked;
    std::optional<std::uint32_t> ts_value, ts_echo;
    std::optional<bool> timestamps, sack_permitted, pushed;
    std::optional<std::uint16_t> mss_offer;
    std::optional<int> shift_offer;         ///< window scale; -1 = none
    std::optional<std::uint8_t> codepoint;  ///< ECN field; where it is not said, only data may have one
    std::optional<Duration> sent_at;  ///< expected only: story time at which it left, to a few timer ticks

    Seg& seq(Position p) { return begin = p, end = p, *this; }
    Seg& ack(Position p) { return acks = p, flags |= flag::ack, *this; }
    Seg& without_ack() { return acks.reset(), flags = static_cast<std::uint8_t>(flags & ~flag::ack), *this; }
    Seg& window(std::uint64_t bytes) { return bytes_open = bytes, *this; }
    /// The n-th call adds the n-th SACK block.
    Seg& sack(Position b, Position e) {
        if (!sacked) sacked.emplace();
        return sacked->push_back({b, e}), *this;
    }
    Seg& no_sack() { return sacked.emplace(), *this; }
    Seg& ts(std::uint32_t value) { return ts_value = value, *this; }
    Seg& echo(std::uint32_t value) { return ts_echo = value, *this; }
    Seg& timestamps_on() { return timestamps = true, *this; }
    Seg& no_timestamps() { return timestamps = false, *this; }
    Seg& sack_ok(bool on) { return sack_permitted = on, *this; }
    Seg& mss(std::uint16_t bytes) { return mss_offer = bytes, *this; }
    Seg& scale(int shift) { return shift_offer = shift, *this; }
    Seg& no_scale() { return shift_offer = -1, *this; }
    Seg& fin() { return flags |= flag::fin, *this; }
    Seg& ece() { return flags |= flag::ece, *this; }
    Seg& cwr() { return flags |= flag::cwr, *this; }
    Seg& ect() { return codepoint = sim::ecn::ect0, *this; }
    Seg& not_ect() { return codepoint = sim::ecn::none, *this; }
    Seg& ce() { return codepoint = sim::ecn::ce, *this; }
    Seg& push(bool on = true) { return pushed = on, *this; }
    Seg& at(Duration story_time) { return sent_at = story_time, *this; }

    bool has(std::uint8_t f) const { return (flags & f) != 0; }
};

inline Seg syn() {
    Seg s;
    s.flags = flag::syn;
    return s.seq(0);
}
inline Seg syn_ack() {
    Seg s;
    s.flags = flag::syn | flag::ack;
    return s.seq(0).ack(1);
}
/// A pure ACK.
inline Seg ack(Position p) { return Seg{}.ack(p); }
/// The bytes [begin, end).
inline Seg data(Position begin, Position end) {
    Seg s;
    s.begin = begin;
    s.end = end;
    return s;
}
/// One byte: a probe of a window, of a life, or for a delayed ACK.
inline Seg probe(Position at) { return data(at, at + 1); }
/// A FIN that stands at `position`, without data.
inline Seg fin(Position position) { return Seg{}.seq(position).fin(); }
inline Seg rst(Position position) {
    Seg s;
    s.flags = flag::rst;
    return s.seq(position);
}

/// What a pair of ends knows of each other, to turn positions into numbers and back. "Own" is the sender.
struct Numbers {
    SeqNum own_isn, other_isn;
    std::uint8_t shift = 0;  ///< of the windows in the segments at hand
};

/// A segment that was seen, in positions.
struct Seen {
    sim::Segment raw;  ///< its payload points into `frame`
    sim::Frame frame;
    Duration at{};
    Position begin = 0, end = 0, ack = 0;
    std::uint64_t window = 0;
    std::vector<Range> sacked;
};

/// Reads a TCP frame whose sender's numbers are `n`, near the positions given. Departs when it is malformed.
Seen read(const sim::Frame& frame, const Numbers& n, Position near_seq, Position near_ack);

/// Empty when `seen` is what `expected` says, else the first difference in words.
std::string difference(const Seg& expected, const Seen& seen);

std::string to_string(const Seg& s);
std::string to_string(const Seen& s);

}  // namespace holdfast::script
