// Numbers in little-endian bytes.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace holdfast::journal {

static_assert(std::endian::native == std::endian::little);

template <std::unsigned_integral T>
void put(std::uint8_t* at, T value) {
    std::memcpy(at, &value, sizeof value);
}
template <std::unsigned_integral T>
T get(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

}  // namespace holdfast::journal
