// The EVP interface that replaces these calls allocates whenever a keyed state is copied; the guard must not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "cores/guard/hmac.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace holdfast::guard {

Hmac::Hmac(std::span<const std::uint8_t> key) {
    std::array<std::uint8_t, SHA256_CBLOCK> block{};
    //= rfc2104#2: a key longer than a block is hashed first
    if (key.size() > block.size()) SHA256(key.data(), key.size(), block.data());
    else std::copy(key.begin(), key.end(), block.begin());
    for (auto& b : block) b = static_cast<std::uint8_t>(b ^ 0x36);
    SHA256_Init(&inner_);
    SHA256_Update(&inner_, block.data(), block.size());
    for (auto& b : block) b = static_cast<std::uint8_t>(b ^ 0x36 ^ 0x5c);
    SHA256_Init(&outer_);
    SHA256_Update(&outer_, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
}

std::array<std::uint8_t, 32> Hmac::full(std::span<const std::uint8_t> message) const {
    std::array<std::uint8_t, 32> digest;
    SHA256_CTX context = inner_;
    SHA256_Update(&context, message.data(), message.size());
    SHA256_Final(digest.data(), &context);
    context = outer_;
    SHA256_Update(&context, digest.data(), digest.size());
    SHA256_Final(digest.data(), &context);
    return digest;
}

Hmac::Tag Hmac::tag(std::span<const std::uint8_t> message) const {
    const auto digest = full(message);
    Tag tag;
    std::copy_n(digest.begin(), tag.size(), tag.begin());
    return tag;
}

bool Hmac::verify(std::span<const std::uint8_t> message,
                  std::span<const std::uint8_t, tag_bytes> expected) const {
    const Tag mine = tag(message);
    return CRYPTO_memcmp(mine.data(), expected.data(), mine.size()) == 0;
}

}  // namespace holdfast::guard
