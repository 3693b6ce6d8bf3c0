// What has arrived of one direction: everything below next(), and islands above it.
#pragma once

#include <optional>
#include <vector>

#include "lib/base/seq_num.hpp"

namespace holdfast::sim {

/// Positions [begin, end).
struct Range {
    Position begin = 0, end = 0;
};

class ReceiveQueue {
  public:
    /// What an arrival changed.
    struct Arrival {
        bool advanced = false;           ///< next() moved
        bool out_of_order = false;       ///< it became part of an island
        std::optional<Range> duplicate;  ///< what of it had been here already
    };

    Position next() const { return next_; }
    /// Islands, the one that changed last first (RFC 2018 section 4).
    const std::vector<Range>& islands() const { return islands_; }
    Arrival add(Range r);
    /// All of `r` has arrived.
    bool holds(Range r) const;

  private:
    Arrival add_island(Range r);
    void absorb();

    Position next_ = 1;
    std::vector<Range> islands_;
};

}  // namespace holdfast::sim
