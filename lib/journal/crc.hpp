// CRC32C of bytes that may lie anywhere.
#pragma once

#include <rte_hash_crc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace holdfast::journal {

/// DPDK's reads whole words, which have to be aligned. `seed`: of what came before, or 0xffffffff.
inline std::uint32_t crc32c(std::span<const std::uint8_t> bytes, std::uint32_t seed = 0xffffffff) {
    alignas(std::uint64_t) std::uint8_t words[256];
    while (!bytes.empty()) {
        const auto n = std::min(bytes.size(), sizeof words);
        std::memcpy(words, bytes.data(), n);
        seed = rte_hash_crc(words, static_cast<std::uint32_t>(n), seed);
        bytes = bytes.subspan(n);
    }
    return seed;
}

}  // namespace holdfast::journal
