// Who stands at which Ethernet address, on one network; and the frames that wait for the answer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cores/net/counters.hpp"
#include "lib/base/address.hpp"
#include "lib/base/time.hpp"

struct rte_mbuf;

namespace holdfast::net {

/// Which neighbour takes the frames to some address: found once and kept while is_current() says so. What
/// changes, its MAC and whether it is known at all, is read from the entry for each frame. An entry's place
/// and generation.
using NextHop = std::uint32_t;
inline constexpr NextHop no_next_hop = 0xffffffff;

struct Neighbour {
    static constexpr std::uint32_t pending_max = 8;

    IpAddress address;  ///< unspecified = free
    MacAddress mac;
    bool resolved = false;
    std::uint8_t queries = 0;  ///< unanswered in a row
    std::uint16_t generation = 0;
    Instant confirmed{}, asked{}, used{};
    Instant fresh_until{-1};  ///< resolved and confirmed: up to then a frame leaves without a question
    std::uint8_t pending_count = 0;
    std::uint8_t pending_self = 0;  ///< bit i: pending[i] leaves as the virtual self
    rte_mbuf* pending[pending_max] = {};
};

/// A table of both families. Never grows: beyond its size the entry that was not used for longest makes room,
/// one that frames wait for last of all (RFC 6583: whoever makes us look for addresses that nobody has shuts
/// out no neighbour).
class Neighbours {
  public:
    /// `size` at most 65535 and more than `pinned`. The entries of `pinned` addresses never make room.
    Neighbours(std::uint32_t size, const std::vector<IpAddress>& pinned, NetCounters& counters);
    ~Neighbours();
    Neighbours(const Neighbours&) = delete;
    Neighbours& operator=(const Neighbours&) = delete;

    Neighbour* find(const IpAddress& address);
    /// nullptr when there is no room, since only pinned entries were looked at (counted).
    Neighbour* find_or_create(const IpAddress& address, Instant now);

    Neighbour& at(NextHop hop) { return entries_[hop & 0xffff]; }
    bool is_current(NextHop hop) const {
        return hop != no_next_hop && entries_[hop & 0xffff].generation == hop >> 16;
    }
    NextHop hop_of(const Neighbour& n) const {
        return static_cast<NextHop>(&n - entries_.data()) | NextHop{n.generation} << 16;
    }
    /// Frees the frames that wait for `n` (counted).
    void drop_pending(Neighbour& n);
    /// False when too many frames wait for `n` already. Where too many wait in all, another neighbour's make
    /// room.
    bool add_pending(Neighbour& n, rte_mbuf* m, bool as_virtual_self);
    /// Takes the frames that wait for `n`: calls take(frame, as_virtual_self) for each.
    template <class Take>
    void take_pending(Neighbour& n, Take take) {
        pending_ -= n.pending_count;
        for (std::uint32_t i = 0; i < n.pending_count; ++i)
            take(n.pending[i], (n.pending_self >> i & 1) != 0);
        n.pending_count = 0;
        n.pending_self = 0;
    }
    std::span<Neighbour> entries() { return entries_; }
    std::span<const Neighbour> entries() const { return entries_; }

  private:
    static constexpr std::uint32_t all_pending_max = 512;

    std::uint32_t* index_of(const IpAddress& address);
    void forget(const Neighbour& n);
    Neighbour* make_room();
    void drop_others(const Neighbour& n);

    NetCounters& counters_;
    std::vector<Neighbour> entries_;    ///< never move; those of pinned addresses are the first ones
    std::vector<std::uint32_t> index_;  ///< by hash, open addressing, power of two: place + 1, 0 = free
    std::uint32_t count_ = 0, pinned_ = 0, room_hand_ = 0, drop_hand_ = 0;
    std::uint32_t pending_ = 0;  ///< frames that wait, in all
};

}  // namespace holdfast::net
