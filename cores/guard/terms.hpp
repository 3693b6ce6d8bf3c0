// Terms: which numbers were used, which one this node may use next.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace holdfast::guard {

/// The smallest term above `known` that belongs to the node: node 0 uses even numbers, node 1 odd ones. So
/// two nodes can never be active in the same term, not even when they started apart with empty disks.
constexpr std::uint64_t next_term(std::uint64_t known, unsigned node_id) {
    const std::uint64_t t = known + 1;
    return t % 2 == node_id ? t : t + 1;
}
constexpr bool belongs_to(std::uint64_t term, unsigned node_id) { return term % 2 == node_id; }

/// A term is written to stable storage before it is used. It is reserved long before it is needed, while the
/// node waits, so that a takeover does not wait for a disk. A reserved term that was never used is a gap.
class Terms {
  public:
    Terms(unsigned node_id, std::uint64_t stored) : node_id_(node_id), known_(stored), persisted_(stored) {}

    /// A term that was, or may have been, in use.
    void learn(std::uint64_t term) { known_ = std::max(known_, term); }
    std::uint64_t known() const { return known_; }

    /// Sees to it that a term above all known ones is reserved.
    void reserve() {
        if (reserved_ <= known_) reserved_ = next_term(known_, node_id_);
    }
    std::optional<std::uint64_t> to_persist() const {
        if (reserved_ > persisted_) return reserved_;
        return std::nullopt;
    }
    void persisted(std::uint64_t term) { persisted_ = std::max(persisted_, term); }

    /// The reserved term is on stable storage and still above all known ones.
    bool ready() const { return reserved_ > known_ && reserved_ <= persisted_; }
    /// Uses it; only when ready().
    std::uint64_t claim() { return known_ = reserved_; }

  private:
    unsigned node_id_;
    std::uint64_t known_, persisted_, reserved_ = 0;
};

}  // namespace holdfast::guard
