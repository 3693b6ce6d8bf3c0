// HMAC-SHA256 (RFC 2104), keyed once.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <span>

namespace holdfast::guard {

/// The two hash states that have absorbed the padded key are kept, so a tag costs the blocks of the message
/// and two more, and no memory is asked for: six of them are made every heartbeat interval.
class Hmac {
  public:
    static constexpr std::size_t tag_bytes = 16;
    using Tag = std::array<std::uint8_t, tag_bytes>;

    explicit Hmac(std::span<const std::uint8_t> key);

    /// The full HMAC, for the published test vectors.
    std::array<std::uint8_t, 32> full(std::span<const std::uint8_t> message) const;
    /// Its first 16 bytes.
    Tag tag(std::span<const std::uint8_t> message) const;
    /// Compares in constant time.
    bool verify(std::span<const std::uint8_t> message, std::span<const std::uint8_t, tag_bytes> tag) const;

  private:
    SHA256_CTX inner_{}, outer_{};
};

}  // namespace holdfast::guard
