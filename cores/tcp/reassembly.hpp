// Segments that were accepted and not yet taken by the parent, in order of position, without overlap.
//
//     next()          hole
//     |== a ==|== b ==|    |== c ==|      a and b can be taken, c waits
//
// The queue is intrusive (PacketMeta), so it allocates nothing; its length in mbufs is bounded by the parent.
#pragma once

#include <array>
#include <cstdint>

#include "cores/tcp/ack_ledger.hpp"
#include "lib/packet/packet.hpp"

namespace holdfast::tcp {

class Reassembly {
  public:
    Reassembly() = default;
    Reassembly(const Reassembly&) = delete;
    Reassembly& operator=(const Reassembly&) = delete;
    ~Reassembly() { clear(); }

    enum class Insertion : std::uint8_t { stored, coalesced, duplicate };

    /// Stores the payload of `m` as meta(m) describes it, trimmed against what is held already.
    Insertion insert(Packet m);
    /// First held segment if it starts at `position`, else nullptr.
    rte_mbuf* front_at(Position position) const {
        return head_ != nullptr && meta(head_).begin == position ? head_ : nullptr;
    }
    /// Gives up the first segment.
    Packet pop();
    /// End of the bytes that are held without a hole from `position` on.
    Position contiguous_end(Position position) const;
    bool empty() const { return head_ == nullptr; }
    /// Something is held, from `position` on or before it.
    bool starts_by(Position position) const { return head_ != nullptr && meta(head_).begin <= position; }
    /// Nothing is held at or above `position`.
    bool ends_before(Position position) const { return tail_ == nullptr || meta(tail_).end() <= position; }
    std::uint32_t mbufs() const { return mbufs_; }
    void clear();

    /// What SACK blocks may say: whole ranges of held bytes, `fresh` of them with something not yet reported.
    struct Ranges {
        std::array<PositionRange, 4> range;
        std::size_t count = 0, fresh = 0;
        bool more = false;  ///< there is more that is not yet reported
    };
    /// Ranges above `above`: the one that holds `newest` first (RFC 2018 section 4), then what is not yet
    /// reported, then the lowest of the others. With `only_sacked`: of bytes that mark_sacked() has marked.
    Ranges ranges(Position above, Position newest, bool only_sacked) const;
    /// The far end has the bytes of `range`. True if that was news of a segment held here.
    bool mark_sacked(PositionRange range);
    /// A SACK block for `range` leaves.
    void mark_reported(PositionRange range);
    /// Frees the last segment that is not marked as being with the far end. False if there is none.
    bool drop_last_unreported();
    /// The held segments, linked by meta().next.
    rte_mbuf* head() const { return head_; }

  private:
    static void trim_back(rte_mbuf* m, Position to);

    rte_mbuf* head_ = nullptr;
    rte_mbuf* tail_ = nullptr;
    std::uint32_t mbufs_ = 0;
};

/// Cuts the payload off that lies below `to`, which lies inside the segment.
void trim_front(rte_mbuf* m, Position to);

/// Copies the payload of `m` behind that of `held` when it follows directly, is small, and the room is there
/// and ours alone. True when done: then `m` is spent.
bool coalesce_small(rte_mbuf* held, const rte_mbuf* m);

}  // namespace holdfast::tcp
