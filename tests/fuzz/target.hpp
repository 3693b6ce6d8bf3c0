// What all targets share: the bytes of an input as numbers, and how a broken invariant is told.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

/// libFuzzer's entry: one input, from start to end. Returns 0; a finding ends the process.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
/// Called once, before the first input. Every target has one.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);

namespace holdfast::fuzz {

using Bytes = std::vector<std::uint8_t>;

/// An invariant that must hold for every input.
inline void require(bool fact, const char* what) {
    if (fact) return;
    std::fprintf(stderr, "FINDING: %s\n", what);
    std::abort();
}

/// An input, taken from its front. Where nothing is left, all is 0: any bytes are a whole program.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

    bool empty() const { return left_.empty(); }
    std::uint8_t u8() {
        if (left_.empty()) return 0;
        const auto v = left_.front();
        left_ = left_.subspan(1);
        return v;
    }
    std::uint16_t u16() {
        const auto low = u8();
        return static_cast<std::uint16_t>(low | u8() << 8);
    }
    std::uint32_t u32() {
        const auto low = u16();
        return low | static_cast<std::uint32_t>(u16()) << 16;
    }
    std::uint64_t u64() {
        const auto low = u32();
        return low | static_cast<std::uint64_t>(u32()) << 32;
    }
    bool flag() { return (u8() & 1) != 0; }
    /// In [0, bound).
    std::uint32_t below(std::uint32_t bound) { return (bound <= 256 ? u8() : u32()) % bound; }
    /// Up to `n` bytes.
    Bytes take(std::size_t n) {
        const auto part = left_.first(std::min(n, left_.size()));
        left_ = left_.subspan(part.size());
        return {part.begin(), part.end()};
    }
    Bytes rest() { return take(left_.size()); }

  private:
    std::span<const std::uint8_t> left_;
};

/// Bytes in memory of their own that ends with them, so that the address sanitizer sees what is read or
/// written beside them.
class Exact {
  public:
    explicit Exact(std::span<const std::uint8_t> bytes)
        : size_(bytes.size()),
          data_(static_cast<std::uint8_t*>(std::malloc(std::max<std::size_t>(1, size_)))) {
        std::copy(bytes.begin(), bytes.end(), data_);
    }
    explicit Exact(std::size_t size) : Exact(Bytes(size)) {}
    ~Exact() { std::free(data_); }
    Exact(const Exact&) = delete;
    Exact& operator=(const Exact&) = delete;

    std::uint8_t* data() { return data_; }
    std::size_t size() const { return size_; }
    std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

  private:
    std::size_t size_;
    std::uint8_t* data_;
};

}  // namespace holdfast::fuzz
