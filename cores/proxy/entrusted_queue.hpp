// Gate standby alone: bytes for one leg's endpoint that wait until the standby has stored them.
#pragma once

#include "lib/packet/packet.hpp"

namespace holdfast::proxy {

/// Segments in order, linked by their PacketMeta, and the FIN behind them. Owns what is in it; all zero is an
/// empty one.
class EntrustedQueue {
  public:
    bool empty() const { return head_ == nullptr; }
    std::uint32_t mbufs() const { return mbufs_; }
    rte_mbuf* head() const { return head_; }
    /// Behind the last byte. Not of an empty one.
    Position end() const { return meta(tail_).end(); }

    void push(Packet packet) {
        auto* m = packet.release();
        meta(m).next = nullptr;
        (tail_ != nullptr ? meta(tail_).next : head_) = m;
        tail_ = m;
        if (untold_ == nullptr) untold_ = m;
        ++mbufs_;
    }
    Packet pop() {
        auto* m = head_;
        head_ = meta(m).next;
        if (head_ == nullptr) tail_ = nullptr;
        if (untold_ == m) untold_ = head_;
        --mbufs_;
        return Packet(m);
    }
    /// The first one of which the standby was not told, or nullptr.
    rte_mbuf* untold() const { return untold_; }
    void note_told() { untold_ = meta(untold_).next; }
    /// Another standby was told of nothing.
    void tell_anew() {
        if (untold_ != head_) untold_ = head_;
    }

    /// What is empty is not written: its page may not be resident.
    void clear() {
        if (empty() && !fin && !full && !resuming) return;
        while (!empty()) pop();
        *this = EntrustedQueue{};
    }

    bool fin = false;       ///< the far end's FIN stands behind the bytes, and is yet to be sent
    bool full = false;      ///< the standby's bounds keep it waiting
    bool resuming = false;  ///< the store still holds what goes before all of this

  private:
    rte_mbuf *head_ = nullptr, *tail_ = nullptr, *untold_ = nullptr;
    std::uint32_t mbufs_ = 0;
};

}  // namespace holdfast::proxy
