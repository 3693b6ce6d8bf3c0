// A list of held segments beside the queue that owns them: doubly linked through their PacketMeta, in any
// order.
#pragma once

#include "lib/packet/packet.hpp"

namespace holdfast {

/// Owns nothing. A segment is in one such list at most; who uses lists knows in which.
class MbufList {
  public:
    bool empty() const { return first_ == nullptr; }
    rte_mbuf* first() const { return first_; }
    rte_mbuf* last() const { return last_; }

    void push_back(rte_mbuf* m) {
        meta(m).list_before = last_;
        meta(m).list_after = nullptr;
        (last_ != nullptr ? meta(last_).list_after : first_) = m;
        last_ = m;
    }
    void push_front(rte_mbuf* m) {
        meta(m).list_before = nullptr;
        meta(m).list_after = first_;
        (first_ != nullptr ? meta(first_).list_before : last_) = m;
        first_ = m;
    }
    /// `m` is in this list.
    void remove(rte_mbuf* m) {
        auto& d = meta(m);
        (d.list_before != nullptr ? meta(d.list_before).list_after : first_) = d.list_after;
        (d.list_after != nullptr ? meta(d.list_after).list_before : last_) = d.list_before;
        d.list_before = d.list_after = nullptr;
    }
    /// All of `others` go before all that is here; `others` is empty then.
    void put_in_front(MbufList& others) {
        if (others.empty()) return;
        meta(others.last_).list_after = first_;
        (first_ != nullptr ? meta(first_).list_before : last_) = others.last_;
        first_ = others.first_;
        others = {};
    }

  private:
    rte_mbuf* first_ = nullptr;
    rte_mbuf* last_ = nullptr;
};

}  // namespace holdfast
