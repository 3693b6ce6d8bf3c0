// Which of the segments that wait above a hole may be reported by SACK: runs of adjacent ones, each run one
// block of a SACK option.
//
//              hole        run         hole   run
//     =========|    |= a =|= b =|= c =|    |= d =|
//                      ^-----/     /
//                      ^----------/        b.next and c.next lead to a, the first; a.next is c, the last
//
// A run only grows, at its ends or by joining the next one, until all of it goes at once. So its members find
// their first one as in a union-find with path halving: in O(log n) steps on average, whatever a peer sends.
#pragma once

#include "cores/tcp/ack_ledger.hpp"
#include "lib/packet/mbuf_list.hpp"

namespace holdfast::tcp {

/// Owns nothing; says what is noted in the PacketMeta of segments whose `sacked` is set.
class SackRuns {
  public:
    /// The first and the last segment of the run that `m` is in.
    static rte_mbuf* first_of(rte_mbuf* m);
    static rte_mbuf* last_of(rte_mbuf* m) { return meta(first_of(m)).next; }
    /// The bytes of the run that begins with `first`.
    static PositionRange range_of(const rte_mbuf* first) {
        return {meta(first).begin, meta(meta(first).next).end()};
    }

    /// `m` may be reported from now on. `before` and `after` are its neighbours, or nullptr.
    void add(rte_mbuf* m, rte_mbuf* before, rte_mbuf* after);
    /// The run of `m` has more bytes than before.
    void note_growth(rte_mbuf* m) { note_news(first_of(m)); }
    /// A SACK block for the run that begins with `first` leaves.
    void note_reported(rte_mbuf* first);
    /// The run that begins with `first` is no more.
    void remove(rte_mbuf* first) { runs_.remove(first); }

    /// First ones of runs. Forward by list_after: with news, the latest first, then without. Backward by
    /// list_before: without news, the one reported last first.
    const MbufList& list() const { return runs_; }

  private:
    rte_mbuf* join(rte_mbuf* last, rte_mbuf* next);
    void note_news(rte_mbuf* first);

    MbufList runs_;
};

}  // namespace holdfast::tcp
