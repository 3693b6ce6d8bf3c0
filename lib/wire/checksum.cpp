#include "lib/wire/checksum.hpp"

#include <bit>
#include <cstring>

namespace holdfast::wire {

static_assert(std::endian::native == std::endian::little, "word sums below assume little-endian loads");

std::uint16_t sum_bytes(const void* data, std::size_t size) {
    const auto* p = static_cast<const std::uint8_t*>(data);
    std::uint64_t sum = 0;
    // Four accumulations of 32 bits each round: the carries gather in the upper half.
    for (; size >= 16; size -= 16, p += 16) {
        std::uint32_t w[4];
        std::memcpy(w, p, 16);
        sum += static_cast<std::uint64_t>(w[0]) + w[1] + w[2] + w[3];
    }
    for (; size >= 2; size -= 2, p += 2) {
        std::uint16_t w;
        std::memcpy(&w, p, 2);
        sum += w;
    }
    if (size == 1) sum += *p;
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    return fold(static_cast<std::uint32_t>(sum));
}

}  // namespace holdfast::wire
