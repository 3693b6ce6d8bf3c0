// Frames that wait for the port: a bounded queue between a core's protocol code and its tx burst.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>
#include <vector>

namespace holdfast {

/// FIFO of owned mbufs with a fixed capacity (rounded up to a power of two).
class FrameQueue {
  public:
    explicit FrameQueue(std::uint32_t capacity) {
        std::uint32_t size = 1;
        while (size < capacity) size *= 2;
        slots_.resize(size);
    }
    ~FrameQueue() { clear(); }
    FrameQueue(const FrameQueue&) = delete;
    FrameQueue& operator=(const FrameQueue&) = delete;

    /// Takes `m`; false (and the caller keeps it) when full.
    bool push(rte_mbuf* m) {
        if (room() == 0) return false;
        slots_[tail_++ & (slots_.size() - 1)] = m;
        return true;
    }
    /// Moves up to out.size() frames to `out`; the caller owns them.
    std::uint32_t pop(std::span<rte_mbuf*> out) {
        std::uint32_t n = 0;
        while (n < out.size() && head_ != tail_) out[n++] = slots_[head_++ & (slots_.size() - 1)];
        return n;
    }
    /// Frees all frames; returns how many there were.
    std::uint32_t clear() {
        const auto n = size();
        while (head_ != tail_) rte_pktmbuf_free(slots_[head_++ & (slots_.size() - 1)]);
        return n;
    }
    std::uint32_t size() const { return tail_ - head_; }
    std::uint32_t room() const { return static_cast<std::uint32_t>(slots_.size()) - size(); }
    bool empty() const { return head_ == tail_; }

  private:
    std::vector<rte_mbuf*> slots_;
    std::uint32_t head_ = 0, tail_ = 0;
};

}  // namespace holdfast
