// A fixed array whose pages become resident when they are first written.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace holdfast {

/// `size` elements of address space, reserved at once, that never grow. For tables of which a node needs only
/// the part that its role uses. All bytes zero must be the T that stands for "nothing here"; whoever puts
/// something there constructs it. Nothing is destroyed in the end.
template <class T>
class ZeroedArray {
  public:
    /// Throws std::bad_alloc.
    explicit ZeroedArray(std::uint32_t size) : size_(size) {
        const auto bytes = std::size_t{size} * sizeof(T) + 1;
        // Pages of the system's own, not the heap's: those may have been written before.
        void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) throw std::bad_alloc();
        first_ = {static_cast<T*>(p), Unmap{bytes}};
    }

    T& operator[](std::uint32_t i) { return first_.get()[i]; }
    const T& operator[](std::uint32_t i) const { return first_.get()[i]; }
    std::uint32_t size() const { return size_; }
    T* begin() { return first_.get(); }
    T* end() { return first_.get() + size_; }

  private:
    struct Unmap {
        std::size_t bytes = 0;
        void operator()(T* p) const { munmap(p, bytes); }
    };
    std::unique_ptr<T, Unmap> first_;
    std::uint32_t size_;
};

}  // namespace holdfast
