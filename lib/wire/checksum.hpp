// The Internet checksum (RFC 1071) as one's complement sums that can be combined.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/address.hpp"

namespace holdfast::wire {

/// Folds a 32-bit accumulation to 16 bits with end-around carry.
constexpr std::uint16_t fold(std::uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}

/// Sum of `size` bytes, in the order they stand in memory (network order words, not complemented).
std::uint16_t sum_bytes(const void* data, std::size_t size);

/// Sum of the TCP pseudo header (RFC 9293 section 3.1) for IPv4 addresses; `tcp_length` in bytes.
inline std::uint32_t pseudo_header_sum(const IpAddress& from, const IpAddress& to, std::uint16_t tcp_length) {
    const std::uint32_t a = from.v4(), b = to.v4();
    constexpr std::uint32_t protocol_tcp = 6;
    const auto length_be = static_cast<std::uint16_t>(tcp_length << 8 | tcp_length >> 8);
    return (a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16) + (protocol_tcp << 8) + length_be;
}

}  // namespace holdfast::wire
