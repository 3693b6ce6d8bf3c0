// A bounded lock-free queue from one thread to another. Written on std::atomic and instrumented, so TSan sees
// what a port and its wire hand over, and nothing else orders the threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

namespace holdfast::threads {

template <class T>
class SpscQueue {
  public:
    explicit SpscQueue(std::size_t size) : slots_(size + 1) {}

    /// False when full.
    bool push(T item) {
        const auto tail = tail_.load(std::memory_order_relaxed);
        const auto next = (tail + 1) % slots_.size();
        if (next == head_.load(std::memory_order_acquire)) return false;
        slots_[tail] = std::move(item);
        tail_.store(next, std::memory_order_release);
        return true;
    }
    /// False when empty.
    bool pop(T& out) {
        const auto head = head_.load(std::memory_order_relaxed);
        if (head == tail_.load(std::memory_order_acquire)) return false;
        out = std::move(slots_[head]);
        head_.store((head + 1) % slots_.size(), std::memory_order_release);
        return true;
    }

  private:
    std::vector<T> slots_;
    alignas(64) std::atomic<std::size_t> head_{0};
    alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace holdfast::threads
