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
std::uint32_t pseudo_header_sum(const IpAddress& from, const IpAddress& to, std::uint16_t tcp_length);

}  // namespace holdfast::wire
