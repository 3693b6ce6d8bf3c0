// When our latest heartbeats left.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "lib/base/time.hpp"

namespace holdfast::guard {

/// Send times of the last `size` rounds by counter. An echo of an older one is of no use to anybody.
class SendLog {
  public:
    static constexpr std::size_t size = 256;

    void note(std::uint64_t counter, Instant sent_at) { entries_[counter % size] = {counter, sent_at}; }
    std::optional<Instant> sent_at(std::uint64_t counter) const {
        const auto& e = entries_[counter % size];
        if (counter == 0 || e.counter != counter) return std::nullopt;
        return e.sent_at;
    }

  private:
    struct Entry {
        std::uint64_t counter = 0;
        Instant sent_at{};
    };
    std::array<Entry, size> entries_{};
};

}  // namespace holdfast::guard
