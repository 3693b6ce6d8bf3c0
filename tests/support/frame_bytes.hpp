// Frames by hand: whole ones from the simulator's own builder, then single bytes changed and the checksums
// made good again, so that a test meets exactly the fault it means.
#pragma once

#include "tests/sim/frame.hpp"

namespace holdfast::test {

using sim::Bytes;

/// Offsets in a frame of ours without IP options.
inline constexpr std::size_t at_ip = 14, at_tcp = at_ip + 20, at_options = at_tcp + 20;

inline void put16(Bytes& frame, std::size_t at, std::uint16_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
}

inline std::uint16_t get16(const Bytes& frame, std::size_t at) {
    return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
}

/// Makes the IP checksum good.
inline void seal_ip(Bytes& frame) {
    put16(frame, at_ip + 10, 0);
    put16(frame, at_ip + 10, sim::fold(sim::ones_sum({&frame[at_ip], 20})));
}

/// Makes the TCP checksum good, for the length that the IP header gives.
inline void seal_tcp(Bytes& frame) {
    const std::size_t length = get16(frame, at_ip + 2) - 20u;
    put16(frame, at_tcp + 16, 0);
    const auto sum = sim::ones_sum({&frame[at_ip + 12], 8}) + 6 + static_cast<std::uint32_t>(length);
    put16(frame, at_tcp + 16, sim::fold(sim::ones_sum({&frame[at_tcp], length}, sum)));
}

inline void seal(Bytes& frame) {
    seal_ip(frame);
    seal_tcp(frame);
}

}  // namespace holdfast::test
