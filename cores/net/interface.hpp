// The layer below TCP on one port: our addresses, ARP, ICMP echo, next hops, and the queues of frames that
// wait for the port.
//
// Frames leave either as the virtual self (virtual MAC and addresses; needs the lease, R4) or as the node's
// own self (heartbeats, neighbour queries, reference probes; always allowed).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cores/net/counters.hpp"
#include "lib/base/address.hpp"
#include "lib/base/time.hpp"
#include "lib/packet/burst.hpp"
#include "lib/packet/packet.hpp"
#include "lib/wire/frame.hpp"

namespace holdfast::net {

/// Addresses and abilities of a port. Constant after start.
struct InterfaceSettings {
    MacAddress own_mac;
    Prefix own_address;
    IpAddress gateway;       ///< unspecified = none
    MacAddress virtual_mac;  ///< zero = this port has no virtual self
    std::vector<IpAddress> virtual_addresses;
    std::uint16_t mtu = 1500;
    bool tx_ip_checksum = false, tx_tcp_checksum = false;
    bool multi_segs = false;          ///< the port takes chained mbufs
    std::uint32_t queue = 1024;       ///< frames that may wait for the port, per queue
    std::uint32_t neighbours = 4096;  ///< at most 65535; beyond that the one not used for longest makes room
};

/// Whose addresses a frame carries.
enum class Self : std::uint8_t { own, virtual_self };

/// Which neighbour takes the frames to some address: found once and kept while is_current() says so. What
/// changes, its MAC and whether it is known at all, is read from the entry for each frame. An entry's place
/// and generation.
using NextHop = std::uint32_t;
inline constexpr NextHop no_next_hop = 0xffffffff;

/// An ARP packet that the guard may want to know of.
struct ArpHeard {
    IpAddress sender, target;
    MacAddress mac;
    bool is_reply = false;
};

class Interface {
  public:
    Interface(InterfaceSettings settings, PacketPool& pool, NetCounters& counters);
    ~Interface();
    Interface(const Interface&) = delete;
    Interface& operator=(const Interface&) = delete;

    const InterfaceSettings& settings() const { return settings_; }

    /// Handles a parsed ARP or ICMP frame; takes ownership of `m`. Returns the ARP sender when it was ARP.
    std::optional<ArpHeard> receive(rte_mbuf* m, const wire::Frame& frame, Instant now);
    /// True when the destination is one of our MACs or broadcast.
    bool is_for_us(const wire::Frame& frame) const {
        const auto to = frame.destination_mac.as_integer();
        return (to == virtual_mac_ && to != 0) || to == own_mac_ ||
               to == MacAddress::broadcast().as_integer();
    }

    bool is_virtual_address(const IpAddress& a) const;

    /// The entry still is the one that route() found.
    bool is_current(NextHop hop) const {
        return hop != no_next_hop && neighbours_[hop & 0xffff].generation == hop >> 16;
    }
    /// The next hop of `destination`, or no_next_hop when there is none (counted).
    NextHop route(const IpAddress& destination, Instant now);
    /// Completes and queues `m`, which holds an IPv4 packet behind room for Ethernet: writes the Ethernet
    /// header. Takes ownership; a frame whose next hop's MAC is unknown waits (bounded) while ARP asks. False
    /// when it was dropped (counted).
    bool send_to(rte_mbuf* m, NextHop hop, Self self, Instant now);
    /// The same for a frame whose next hop is not kept.
    bool send_ip(rte_mbuf* m, const IpAddress& destination, Self self, Instant now);
    /// Queues a raw frame of `payload` bytes under our own MAC.
    bool send_raw(std::span<const std::uint8_t> payload, std::uint16_t ethertype, MacAddress to);

    /// Asks for `target` under our own address (reference probe, neighbour query).
    void query(const IpAddress& target, Instant now);
    /// Asks for `target` without giving an address of ours (RFC 5227 probe): does somebody else use it?
    void probe(const IpAddress& target);
    /// Makes sure that the next hop of `target` is known before it is needed.
    void prepare(const IpAddress& target, Instant now);
    /// Gratuitous ARP (RFC 5227 announcement) for every virtual address from the virtual MAC.
    void announce();
    /// When false the virtual self neither answers ARP and ICMP nor is announced.
    void set_speaking(bool speaking) { speaking_ = speaking; }

    /// Retries unanswered queries and drops what waited too long.
    void advance(Instant now);
    Instant next_deadline() const { return next_tick_; }

    /// Moves frames to `out`; without `may_speak` frames of the virtual self are dropped and counted.
    std::uint32_t transmit(std::span<rte_mbuf*> out, bool may_speak);
    /// Frames of the virtual self that still fit.
    std::uint32_t room() const { return virtual_queue_.room(); }
    bool idle() const { return virtual_queue_.empty() && own_queue_.empty(); }
    std::uint64_t held_mbufs() const;

    PacketPool& pool() { return pool_; }
    NetCounters& counters() { return counters_; }

  private:
    static constexpr std::uint32_t pending_max = 8;

    struct Neighbour {
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

    bool is_own_address(const IpAddress& a) const { return a == settings_.own_address.address; }
    bool is_on_link(const IpAddress& a) const;
    std::uint32_t* index_of(const IpAddress& address);
    void forget(const Neighbour& n);
    Neighbour* make_room();
    Neighbour* find(const IpAddress& address);
    Neighbour* find_or_create(const IpAddress& address, Instant now);
    void learn(const IpAddress& address, const MacAddress& mac, bool solicited, Instant now);
    void flush_pending(Neighbour& n);
    void drop_pending(Neighbour& n);
    bool send_unconfirmed(rte_mbuf* m, Neighbour& n, Self self, Instant now);
    bool queue(rte_mbuf* m, Self self);
    bool finish(rte_mbuf* m, const MacAddress& to, Self self);
    void send_arp(bool reply, const MacAddress& from_mac, const IpAddress& from, const MacAddress& to_mac,
                  const IpAddress& to, const MacAddress& ethernet_to, Self self);
    std::optional<ArpHeard> receive_arp(rte_mbuf* m, Instant now);
    void receive_icmp(rte_mbuf* m, const wire::Frame& frame, Instant now);

    InterfaceSettings settings_;
    std::uint64_t own_mac_, virtual_mac_;   ///< as integers
    std::uint32_t network_ = 0, mask_ = 0;  ///< of the own IPv4 prefix, in network byte order
    PacketPool& pool_;
    NetCounters& counters_;
    FrameQueue virtual_queue_, own_queue_;
    std::vector<Neighbour> neighbours_;  ///< never move
    std::vector<std::uint32_t>
        neighbour_index_;  ///< by hash, open addressing, power of two: place + 1, 0 = free
    std::uint32_t neighbour_count_ = 0, room_hand_ = 0;
    bool speaking_ = false;
    Instant next_tick_ = Instant::never();
};

}  // namespace holdfast::net
