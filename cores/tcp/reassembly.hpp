// Segments that were accepted and not yet taken by the parent, in order of position, without overlap: what is
// in order in a queue, what waits above the first hole in a tree.
//
//     front_at()    in_order_end()
//     |== a ==|== b ==|   hole   |== c ==|    |== d ==|      a and b can be taken, c and d wait
//
// All is intrusive (PacketMeta), so it allocates nothing; its length in mbufs is bounded by the parent. No
// peer can make a segment cost more than O(log n) steps on average, and one for each of its bytes.
#pragma once

#include <array>
#include <cstdint>

#include "cores/tcp/ack_ledger.hpp"
#include "cores/tcp/sack_runs.hpp"
#include "lib/packet/mbuf_list.hpp"
#include "lib/packet/mbuf_tree.hpp"
#include "lib/packet/packet.hpp"

namespace holdfast::tcp {

class Reassembly {
  public:
    Reassembly() = default;
    Reassembly(const Reassembly&) = delete;
    Reassembly& operator=(const Reassembly&) = delete;
    ~Reassembly() { clear(); }

    enum class Insertion : std::uint8_t { stored, coalesced, duplicate };

    /// Stores the payload of `m` as meta(m) describes it, trimmed against what is held already. It begins at
    /// `next`, up to where everything has been received, or above. `may_report`: what waits above a hole may
    /// be reported by SACK at once, not only after mark_sacked().
    Insertion insert(Packet m, Position next, bool may_report);

    // What is in order.
    /// The first segment if it starts at `position`, else nullptr.
    rte_mbuf* front_at(Position position) const {
        return head_ != nullptr && meta(head_).begin == position ? head_ : nullptr;
    }
    /// End of the last of these segments; there is one.
    Position in_order_end() const { return meta(tail_).end(); }
    /// Gives up the first of these segments; there is one.
    Packet pop();

    bool empty() const { return head_ == nullptr && waiting_.empty(); }
    std::uint32_t mbufs() const { return mbufs_; }
    void clear();

    // What waits above a hole.
    /// The lowest, or nullptr.
    rte_mbuf* first_waiting() const { return waiting_.first(); }
    /// The far end has the bytes of `range`: whole segments of it may be reported from now on. True if that
    /// was news.
    bool mark_sacked(PositionRange range);
    /// Frees one that may not be reported: the highest of all if it may not, else one that was not offered to
    /// the far end, else one that was. False if there is none.
    bool drop_unreported();

    /// What SACK blocks may say: whole runs of waiting bytes, `fresh` of them with something not yet
    /// reported.
    struct Ranges {
        std::array<PositionRange, 4> range;
        std::size_t count = 0, fresh = 0;
        bool more = false;  ///< there is more that is not yet reported
    };
    /// The run that holds `newest` first (RFC 2018 section 4), then what is not yet reported, then what was
    /// reported last.
    Ranges ranges(Position newest) const;
    /// A SACK block for `range`, one of those of ranges(), leaves.
    void mark_reported(PositionRange range);

    // What may not be reported waits for the far end to have it: offers of it go ahead of the hole.
    /// The next one to offer, or nullptr.
    rte_mbuf* next_offer() const { return unoffered_.first(); }
    /// A copy of next_offer() went ahead.
    void note_offered();
    /// next_offer() becomes the last one in the line.
    void offer_later();

  private:
    struct Neighbours {
        rte_mbuf *before, *after;  ///< nullptr where there is none
    };
    bool trim_front_to_gap(rte_mbuf* m, Neighbours& n) const;
    rte_mbuf* make_way(rte_mbuf* m, rte_mbuf* after, bool may_report);
    Insertion append(Packet packet);
    Insertion wait(Packet packet, Neighbours n, bool may_report);
    void join_in_order();
    MbufList& list_of(const rte_mbuf* m) { return meta(m).ahead ? offered_ : unoffered_; }
    void drop_run(rte_mbuf* first);
    void drop(rte_mbuf* m);

    rte_mbuf *head_ = nullptr, *tail_ = nullptr;  ///< in order, linked by next
    MbufTree waiting_;  ///< above a hole; each is sacked (a run's), or in one of these:
    MbufList unoffered_, offered_;
    SackRuns runs_;
    std::uint32_t mbufs_ = 0;
};

/// Cuts the payload off that lies below `to`, which lies inside the segment.
void trim_front(rte_mbuf* m, Position to);

/// Copies the payload of `m` behind that of `held` when it follows directly, is small, and the room is there
/// and ours alone. True when done: then `m` is spent.
bool coalesce_small(rte_mbuf* held, const rte_mbuf* m);

}  // namespace holdfast::tcp
