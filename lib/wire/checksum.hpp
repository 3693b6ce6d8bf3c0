// The Internet checksum (RFC 1071) as one's complement sums that can be combined.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/address.hpp"
#include "lib/wire/headers.hpp"

namespace holdfast::wire {

/// Folds a 32-bit accumulation to 16 bits with end-around carry.
constexpr std::uint16_t fold(std::uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}

/// Sum of `size` bytes, in the order they stand in memory (network order words, not complemented).
std::uint16_t sum_bytes(const void* data, std::size_t size);

/// Sum of the pseudo header of TCP (RFC 9293 section 3.1) or ICMPv6 (RFC 8200 section 8.1); `length` in
/// bytes.
///
/// One expression for both families: the prefix of a mapped IPv4 address adds 0xffff, which is nothing in
/// one's complement.
inline std::uint32_t pseudo_header_sum(const IpAddress& from, const IpAddress& to, std::uint16_t length,
                                       std::uint8_t protocol = protocol::tcp) {
    const auto halves = [](std::uint64_t v) { return (v & 0xffffffff) + (v >> 32); };
    std::uint64_t sum = halves(from.half(0)) + halves(from.half(1)) + halves(to.half(0)) + halves(to.half(1));
    sum = halves(sum);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    const auto length_be = static_cast<std::uint16_t>(length << 8 | length >> 8);
    return static_cast<std::uint32_t>(sum) + (std::uint32_t{protocol} << 8) + length_be;
}

}  // namespace holdfast::wire
