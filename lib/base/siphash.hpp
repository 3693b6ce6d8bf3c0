// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash whose values nobody can foretell without the key,
// and which costs a few dozen cycles. For what is reckoned for every SYN of a flood.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace holdfast {

struct SipKey {
    std::uint64_t low = 0, high = 0;
};

/// The hash of `bytes`, read as little-endian words.
inline std::uint64_t siphash(const SipKey& key, std::span<const std::uint8_t> bytes) {
    std::uint64_t a = key.low ^ 0x736f6d6570736575ULL, b = key.high ^ 0x646f72616e646f6dULL,
                  c = key.low ^ 0x6c7967656e657261ULL, d = key.high ^ 0x7465646279746573ULL;
    const auto rounds = [&](int n) {
        while (n-- > 0) {
            a += b;
            b = std::rotl(b, 13) ^ a;
            a = std::rotl(a, 32);
            c += d;
            d = std::rotl(d, 16) ^ c;
            a += d;
            d = std::rotl(d, 21) ^ a;
            c += b;
            b = std::rotl(b, 17) ^ c;
            c = std::rotl(c, 32);
        }
    };
    const auto take = [&](std::uint64_t word) {
        d ^= word;
        rounds(2);
        a ^= word;
    };
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + at, 8);
        take(word);
    }
    std::uint64_t last = static_cast<std::uint64_t>(bytes.size()) << 56;
    for (std::size_t i = 0; at + i < bytes.size(); ++i)
        last |= static_cast<std::uint64_t>(bytes[at + i]) << (8 * i);
    take(last);
    c ^= 0xff;
    rounds(4);
    return a ^ b ^ c ^ d;
}

}  // namespace holdfast
