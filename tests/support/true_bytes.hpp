// Streams whose bytes are a function of their position: a byte that lands elsewhere is seen (R3).
#pragma once

#include <cstdint>

#include "lib/base/seq_num.hpp"

namespace holdfast::test {

/// The byte that belongs at `position`.
constexpr std::uint8_t byte_at(Position position) {
    return static_cast<std::uint8_t>(position * 7 + (position >> 8) * 13 + (position >> 16) * 29);
}

}  // namespace holdfast::test
