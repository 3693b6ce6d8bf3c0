// Ownership of mbufs, and what we note beside each of them.
//
// Every pool is made with room for a PacketMeta in the mbuf's private area, so queues of packets (reassembly,
// retransmission) are intrusive: holding a packet allocates nothing.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <utility>

#include "lib/base/check.hpp"
#include "lib/base/seq_num.hpp"
#include "lib/base/time.hpp"

namespace holdfast {

/// Beside a segment that is being sent.
struct SendingMeta {
    Instant sent_at{};            ///< when it last left
    rte_mbuf* station = nullptr;  ///< of some segments of the queue, evenly apart: the next of these
    rte_mbuf* skip_to = nullptr;  ///< of a SACKed one: all from here up to that one, itself too, are SACKed
};

/// Beside a segment that waits above a hole: its node in the tree by position (MbufTree).
struct WaitingMeta {
    std::uintptr_t parent_and_colour = 0;  ///< the colour is the lowest bit
    WaitingMeta *left = nullptr, *right = nullptr;
};

/// What we know of a held segment. One cache line, in the mbuf's private area; valid while one of our queues
/// owns the mbuf.
struct PacketMeta {
    Position begin = 0;  ///< position of the first payload byte
    /// The following segment in the queue that owns this one; of one that waits above a hole: see SackRuns.
    rte_mbuf* next = nullptr;
    /// Links of the one MbufList that the segment may be in beside its queue.
    rte_mbuf *list_before = nullptr, *list_after = nullptr;
    std::uint16_t payload_offset =
        0;                          ///< bytes from the start of the mbuf's buffer (buf_addr) to the payload
    std::uint16_t payload_len = 0;  ///< bytes
    std::uint16_t payload_sum = 0;  ///< one's complement sum of the payload; valid if sum_known
    bool sum_known : 1 = false;
    bool push : 1 = false;  ///< the segment carried PSH
    bool sent : 1 = false;  ///< left at least once
    /// Sending: the receiver reported it by SACK. Waiting above a hole: we may report it.
    bool sacked : 1 = false;
    bool lost : 1 = false;           ///< marked lost, waiting for retransmission
    bool retransmitted : 1 = false;  ///< left more than once
    bool reported : 1 = false;       ///< received: its endpoint was told by SACK that it is here
    bool ahead : 1 = false;          ///< a copy went to the far end ahead of the hole below it
    bool run_first : 1 = false;      ///< waiting: the first one of a run (SackRuns)
    bool run_news : 1 = false;       ///< of such a first one: some of its run was not yet reported
    /// One queue owns a segment at a time.
    union {
        SendingMeta out{};
        WaitingMeta in;
    };

    Position end() const { return begin + payload_len; }
};
static_assert(sizeof(PacketMeta) <= 64);

/// Bytes of private area that every packet pool must provide.
inline constexpr std::uint16_t packet_private_size = 64;
/// Bytes of data room that every packet pool must provide: headroom and a full frame.
inline constexpr std::uint16_t packet_data_room = RTE_PKTMBUF_HEADROOM + 2048;

inline PacketMeta& meta(rte_mbuf* m) { return *static_cast<PacketMeta*>(rte_mbuf_to_priv(m)); }
inline const PacketMeta& meta(const rte_mbuf* m) {
    return *static_cast<const PacketMeta*>(rte_mbuf_to_priv(const_cast<rte_mbuf*>(m)));
}
inline std::uint8_t* payload(rte_mbuf* m) {
    return static_cast<std::uint8_t*>(m->buf_addr) + meta(m).payload_offset;
}
inline const std::uint8_t* payload(const rte_mbuf* m) {
    return static_cast<const std::uint8_t*>(m->buf_addr) + meta(m).payload_offset;
}

/// What the port is to do with `m`. Whose buffer it holds stays as it is: a driver's own (mlx5, vhost) is
/// given back to the driver.
inline void set_offloads(rte_mbuf* m, std::uint64_t flags) {
    m->ol_flags = (m->ol_flags & (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT)) | flags;
}

/// An owned mbuf; frees it unless released.
class Packet {
  public:
    Packet() = default;
    explicit Packet(rte_mbuf* m) : mbuf_(m) {}
    Packet(Packet&& o) noexcept : mbuf_(std::exchange(o.mbuf_, nullptr)) {}
    Packet& operator=(Packet&& o) noexcept {
        if (this != &o) {
            reset();
            mbuf_ = std::exchange(o.mbuf_, nullptr);
        }
        return *this;
    }
    Packet(const Packet&) = delete;
    Packet& operator=(const Packet&) = delete;
    ~Packet() { reset(); }

    explicit operator bool() const { return mbuf_ != nullptr; }
    rte_mbuf* get() const { return mbuf_; }
    rte_mbuf* release() { return std::exchange(mbuf_, nullptr); }
    void reset() {
        if (mbuf_ != nullptr) rte_pktmbuf_free(std::exchange(mbuf_, nullptr));
    }

  private:
    rte_mbuf* mbuf_ = nullptr;
};

/// Where a core takes fresh mbufs from. The mempool belongs to the host.
class PacketPool {
  public:
    explicit PacketPool(rte_mempool* pool) : pool_(pool) { HF_CHECK(pool != nullptr); }
    /// A fresh mbuf of length 0 with the default headroom, or an empty handle when the pool is exhausted.
    Packet allocate() {
        rte_mbuf* m = rte_pktmbuf_alloc(pool_);
        if (m != nullptr) meta(m) = PacketMeta{};
        return Packet(m);
    }
    rte_mempool* mempool() const { return pool_; }

  private:
    rte_mempool* pool_;
};

}  // namespace holdfast
