// Which slots changed: a bitmap that cores mark and another one drains. A mark can never be lost or
// refused, so single-writer cells plus a DirtySet need no ring of wake-ups.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

namespace holdfast {

/// Two-level bitmap over slots [0, size). mark() from any thread, drain() from one.
class DirtySet {
  public:
    explicit DirtySet(std::uint32_t size)
        : words_((size + 63) / 64),
          summaries_((words_ + 63) / 64),
          bits_(std::make_unique<std::atomic<std::uint64_t>[]>(words_)),
          summary_(std::make_unique<std::atomic<std::uint64_t>[]>(summaries_)) {}

    /// Release: what was written to the cell before is visible to the drain that reports the slot.
    void mark(std::uint32_t slot) {
        const auto word = slot / 64;
        const auto bit = std::uint64_t{1} << (slot % 64);
        if ((bits_[word].fetch_or(bit, std::memory_order_acq_rel) & bit) == 0)
            summary_[word / 64].fetch_or(std::uint64_t{1} << (word % 64), std::memory_order_release);
    }

    /// Calls `visit(slot)` once for every slot marked since the last drain; returns how many.
    template <class Visit>
    std::uint32_t drain(Visit&& visit) {
        std::uint32_t n = 0;
        for (std::uint32_t s = 0; s < summaries_; ++s) {
            if (summary_[s].load(std::memory_order_relaxed) == 0) continue;
            auto words = summary_[s].exchange(0, std::memory_order_acq_rel);
            for (; words != 0; words &= words - 1) {
                const auto word = s * 64 + static_cast<std::uint32_t>(std::countr_zero(words));
                auto bits = bits_[word].exchange(0, std::memory_order_acq_rel);
                for (; bits != 0; bits &= bits - 1, ++n)
                    visit(word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
            }
        }
        return n;
    }

  private:
    std::uint32_t words_, summaries_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> bits_, summary_;
};

}  // namespace holdfast
