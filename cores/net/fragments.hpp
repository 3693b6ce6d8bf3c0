// IP fragments of TCP segments, put together by librte_ip_frag. Nobody who follows what we say of our MTU
// sends any; what tunnels and old routers cut is rare, so little room is given to it.
#pragma once

#include <cstdint>
#include <memory>

#include "cores/net/counters.hpp"
#include "lib/base/time.hpp"
#include "lib/packet/packet.hpp"
#include "lib/wire/frame.hpp"

struct rte_ip_frag_death_row;
struct rte_ip_frag_tbl;

namespace holdfast::net {

class Fragments {
  public:
    /// Most packets that are incomplete at a time, and most fragments of one of them: all that a flood of
    /// fragments takes of a pool.
    static constexpr std::uint32_t packets_max = 16, pieces_max = 8;
    /// How long a packet may be incomplete. RFC 791 and RFC 8200 allow more: whoever lost a fragment has sent
    /// the segment again by then.
    static constexpr Duration patience = seconds(5);

    /// Segments come out in mbufs of `pool`. Throws std::runtime_error when memory is missing.
    Fragments(PacketPool& pool, NetCounters& counters);
    ~Fragments();
    Fragments(const Fragments&) = delete;
    Fragments& operator=(const Fragments&) = delete;

    /// Takes a frame of kind ip_fragment. Empty while others are missing, or when it is refused (counted);
    /// else the whole frame, in one mbuf, to be parsed anew.
    Packet take(Packet fragment, const wire::Frame& frame, Instant now);
    /// Drops what is incomplete for too long (counted).
    void advance(Instant now);
    Instant next_deadline() const { return sweep_at_; }
    std::uint64_t held_mbufs() const { return held_; }

  private:
    rte_mbuf* put_together(rte_mbuf* m, const wire::Frame& frame, Instant now);
    Packet in_one_piece(Packet chain);
    void bury();

    PacketPool& pool_;
    NetCounters& counters_;
    rte_ip_frag_tbl* table_;
    std::unique_ptr<rte_ip_frag_death_row> dead_;  ///< what the library is done with
    std::uint64_t held_ = 0;
    Instant sweep_at_ = Instant::never();
};

}  // namespace holdfast::net
