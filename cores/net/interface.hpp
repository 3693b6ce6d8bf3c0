// The layer below TCP on one port: our addresses, ARP and neighbour discovery, ICMP echo, next hops, and the
// queues of frames that wait for the port.
//
// Frames leave either as the virtual self (virtual MAC and addresses; needs the lease, R4) or as the node's
// own self (heartbeats, neighbour queries, reference probes; always allowed).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cores/net/counters.hpp"
#include "cores/net/fragments.hpp"
#include "cores/net/neighbours.hpp"
#include "cores/net/static_routes.hpp"
#include "lib/base/address.hpp"
#include "lib/base/time.hpp"
#include "lib/packet/burst.hpp"
#include "lib/packet/packet.hpp"
#include "lib/wire/icmp_error.hpp"

namespace holdfast::net {

/// Addresses and abilities of a port. Constant after start.
struct InterfaceSettings {
    MacAddress own_mac;
    Prefix own_address;   ///< the address in this is unspecified where the port does not speak IPv4
    IpAddress gateway;    ///< unspecified = none
    Prefix own_address6;  ///< the same for IPv6
    IpAddress gateway6;
    std::vector<Route> routes;  ///< beside them; the longest prefix counts
    std::string name;           ///< of DPDK objects, unique in the process; needed with routes
    MacAddress virtual_mac;     ///< zero = this port has no virtual self
    std::vector<IpAddress> virtual_addresses;
    std::uint16_t vlan = 0;  ///< 802.1Q: the port's frames carry this tag; 0 = none
    std::uint16_t mtu = 1500;
    bool tx_ip_checksum = false, tx_tcp_checksum = false;
    bool multi_segs = false;          ///< the port takes chained mbufs
    std::uint32_t queue = 1024;       ///< frames that may wait for the port, per queue
    std::uint32_t neighbours = 4096;  ///< at most 65535; beyond that the one not used for longest makes room
};

/// Whose addresses a frame carries.
enum class Self : std::uint8_t { own, virtual_self };

/// Somebody said who he is, or asked for an address, by ARP or neighbour discovery: the guard may want to
/// know.
struct NeighbourHeard {
    IpAddress sender;  ///< whose Ethernet address this gives; 0.0.0.0 or "::" when it gives none
    IpAddress target;
    MacAddress mac;
    bool is_reply = false;
    /// Does anybody use `target`? (RFC 5227, RFC 4862)
    bool is_probe() const { return !is_reply && sender.is_any(); }
};

/// What a frame of ARP or ICMP said that others want to know.
struct Heard {
    std::optional<NeighbourHeard> neighbour;
    std::optional<wire::IcmpError> error;  ///< about a segment of ours; not checked against what is in flight
};

class Interface {
  public:
    Interface(InterfaceSettings settings, PacketPool& pool, NetCounters& counters);
    Interface(const Interface&) = delete;
    Interface& operator=(const Interface&) = delete;

    const InterfaceSettings& settings() const { return settings_; }

    /// Handles a parsed frame of kind arp, icmp or icmpv6; takes ownership of `m`.
    Heard receive(rte_mbuf* m, const wire::Frame& frame, Instant now);
    /// True when the destination is one of our MACs, broadcast, or a group of IPv6, whatever group.
    bool is_for_us(const wire::Frame& frame) const {
        const auto to = frame.destination_mac.as_integer();
        return (to == virtual_mac_ && to != 0) || to == own_mac_ ||
               to == MacAddress::broadcast().as_integer() || (to & 0xffff) == 0x3333;
    }

    /// The frame is of the port's VLAN; what is not (counted) is somebody else's network.
    bool is_of_our_vlan(const wire::Frame& frame) {
        if (frame.vlan == settings_.vlan) return true;
        counters_.add(Counter::other_vlan);
        return false;
    }

    bool is_virtual_address(const IpAddress& a) const;
    /// The packet claims to be from us (counted): it would open or answer a connection with ourselves. Only
    /// what may lead to an answer is looked at so closely.
    bool is_forged(const wire::Frame& frame) {
        if (!is_own_address(frame.source) && !is_virtual_address(frame.source)) return false;
        counters_.add(Counter::own_address_heard);
        return true;
    }

    /// Takes a frame of kind ip_fragment that is_for_us(): see Fragments::take(). One for none of our virtual
    /// addresses is refused.
    Packet reassemble(Packet fragment, const wire::Frame& frame, Instant now);

    /// The entry still is the one that route() found.
    bool is_current(NextHop hop) const { return neighbours_.is_current(hop); }
    /// The next hop of `destination`, or no_next_hop when there is none (counted).
    NextHop route(const IpAddress& destination, Instant now);
    /// Completes and queues `m`, which holds an IP packet behind room for Ethernet: writes the Ethernet
    /// header. Takes ownership; a frame whose next hop's MAC is unknown waits (bounded) while we ask. False
    /// when it was dropped (counted).
    bool send_to(rte_mbuf* m, NextHop hop, Self self, Instant now);
    /// The same for a frame whose next hop is not kept.
    bool send_ip(rte_mbuf* m, const IpAddress& destination, Self self, Instant now);
    /// The same in answer to `frame`, whose sender is not to be remembered: on the link it goes back to where
    /// the frame came from, so that strangers who claim thousands of addresses cost no entry and no question.
    bool send_back(rte_mbuf* m, const wire::Frame& frame, Self self, Instant now);
    /// Queues a raw frame of `payload` bytes under our own MAC.
    bool send_raw(std::span<const std::uint8_t> payload, std::uint16_t ethertype, MacAddress to);

    /// Asks for `target` under our own address (reference probe, neighbour query).
    void query(const IpAddress& target, Instant now);
    /// Asks for `target` without giving an address of ours: does somebody else use it? (RFC 5227, RFC 4862)
    void probe(const IpAddress& target);
    /// Makes sure that the next hop of `target` is known before it is needed.
    void prepare(const IpAddress& target, Instant now);
    /// Gratuitous ARP (RFC 5227 announcement) or unsolicited advertisement (RFC 4861 section 7.2.6) for every
    /// virtual address from the virtual MAC.
    void announce();
    /// When false the virtual self answers nobody who asks for it, nor ICMP.
    void set_speaking(bool speaking) { speaking_ = speaking; }

    /// Retries unanswered queries, drops what waited too long, reports the groups that we listen to.
    void advance(Instant now);
    Instant next_deadline() const {
        return earlier(earlier(next_tick_, report_at_), fragments_.next_deadline());
    }

    /// Moves frames to `out`; without `may_speak` frames of the virtual self are dropped and counted.
    std::uint32_t transmit(std::span<rte_mbuf*> out, bool may_speak);
    /// Frames of the virtual self that still fit.
    std::uint32_t room() const { return virtual_queue_.room(); }
    bool idle() const { return virtual_queue_.empty() && own_queue_.empty(); }
    std::uint64_t held_mbufs() const;

    PacketPool& pool() { return pool_; }
    NetCounters& counters() { return counters_; }

  private:
    bool is_own_address(const IpAddress& a) const {
        return !a.is_unspecified() &&
               (a == settings_.own_address.address || a == settings_.own_address6.address);
    }
    /// Whom of us somebody asks for; nothing when it is nobody, or the virtual self may not speak.
    std::optional<Self> self_of(const IpAddress& a) const;
    bool is_on_link(const IpAddress& a) const;
    /// The neighbour that frames to `destination` go to; unspecified when there is no way.
    const IpAddress& next_hop_of(const IpAddress& destination) const;
    void learn(const IpAddress& address, const MacAddress& mac, bool solicited, Instant now);
    void flush_pending(Neighbour& n);
    void note_question(Neighbour& n, Instant now);
    void ask(Neighbour& n, Instant now);
    void give_up(Neighbour& n);
    bool send_unconfirmed(rte_mbuf* m, Neighbour& n, Self self, Instant now);
    bool queue(rte_mbuf* m, Self self);
    bool finish(rte_mbuf* m, const MacAddress& to, Self self);
    const MacAddress& mac_of(Self self) const {
        return self == Self::virtual_self ? settings_.virtual_mac : settings_.own_mac;
    }
    std::size_t link_size() const {
        return wire::ethernet_size + (settings_.vlan == 0 ? 0 : wire::vlan_tag_size);
    }
    /// Writes the Ethernet header, and the port's tag, at `p`: link_size() bytes.
    void put_link(std::uint8_t* p, const MacAddress& to, const MacAddress& from, std::uint16_t type) const;
    /// An empty frame with its Ethernet header and `size` bytes behind it; nullptr when the pool is empty.
    std::uint8_t* start_frame(Packet& packet, const MacAddress& to, const MacAddress& from,
                              std::uint16_t ethertype, std::size_t size);

    // arp.cpp
    void send_arp(bool reply, const MacAddress& from_mac, const IpAddress& from, const MacAddress& to_mac,
                  const IpAddress& to, const MacAddress& ethernet_to, Self self);
    std::optional<NeighbourHeard> receive_arp(rte_mbuf* m, const wire::Frame& frame, Instant now);
    // discovery.cpp
    /// `at` zero: in the group of `target`.
    void solicit(const IpAddress& target, const IpAddress& source, const MacAddress& at = {});
    void advertise(const IpAddress& address, Self self, const IpAddress& to, const MacAddress& to_mac);
    std::optional<NeighbourHeard> receive_discovery(const std::uint8_t* message, const wire::Frame& frame,
                                                    Instant now);
    void report_groups(Instant now);
    // icmp.cpp
    Heard receive_icmp(rte_mbuf* m, const wire::Frame& frame, Instant now);
    void answer_echo(rte_mbuf* m, const wire::Frame& frame, Self self, Instant now);

    InterfaceSettings settings_;
    std::uint64_t own_mac_, virtual_mac_;  ///< as integers
    PacketPool& pool_;
    NetCounters& counters_;
    FrameQueue virtual_queue_, own_queue_;
    StaticRoutes routes_;
    Fragments fragments_;
    Neighbours neighbours_;
    bool speaking_ = false;
    Instant next_tick_ = Instant::never();
    Instant report_at_{};  ///< when the groups that we listen to are reported
    int reports_ = 0;      ///< up to the number of those that say we joined
};

}  // namespace holdfast::net
