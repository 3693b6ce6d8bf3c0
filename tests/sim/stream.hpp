// What an application says, as a pure function of a key and an offset: whoever sends the byte at an offset,
// however often, anybody can tell whether it is the right one (R3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/random.hpp"

namespace holdfast::sim {

class Stream {
  public:
    Stream() = default;
    explicit Stream(std::uint64_t key) : key_(key) {}

    std::uint8_t at(std::uint64_t offset) const {
        return static_cast<std::uint8_t>(mix64(key_ + offset / 8) >> offset % 8 * 8);
    }
    void fill(std::uint64_t offset, std::span<std::uint8_t> out) const {
        for (std::size_t i = 0; i < out.size();) {
            auto word = mix64(key_ + (offset + i) / 8) >> (offset + i) % 8 * 8;
            for (auto left = 8 - (offset + i) % 8; left > 0 && i < out.size(); --left, ++i, word >>= 8)
                out[i] = static_cast<std::uint8_t>(word);
        }
    }
    /// Offset of the first byte of `bytes`, which stands at `offset`, that is not the stream's.
    std::optional<std::uint64_t> first_difference(std::uint64_t offset,
                                                  std::span<const std::uint8_t> bytes) const {
        for (std::size_t i = 0; i < bytes.size();) {
            auto word = mix64(key_ + (offset + i) / 8) >> (offset + i) % 8 * 8;
            for (auto left = 8 - (offset + i) % 8; left > 0 && i < bytes.size(); --left, ++i, word >>= 8)
                if (bytes[i] != static_cast<std::uint8_t>(word)) return offset + i;
        }
        return std::nullopt;
    }

  private:
    std::uint64_t key_ = 0;
};

}  // namespace holdfast::sim
