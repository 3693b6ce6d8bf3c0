// Frames as bytes, built and read by code of the simulator's own: it shares nothing with lib/wire, or a
// mistake made twice would hide.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/address.hpp"
#include "lib/base/seq_num.hpp"

namespace holdfast::sim {

using Bytes = std::vector<std::uint8_t>;
/// One frame on its way; copies on several wires share the bytes.
using Frame = std::shared_ptr<const Bytes>;

inline constexpr std::uint16_t ethertype_ipv4 = 0x0800;
inline constexpr std::uint16_t ethertype_arp = 0x0806;
inline constexpr std::uint16_t ethertype_ipv6 = 0x86dd;
inline constexpr std::uint16_t ethertype_vlan = 0x8100;

/// Flags of a TCP header, as bits.
namespace flag {
inline constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16, urg = 32, ece = 64, cwr = 128;
}

/// ECN fields of an IP header.
namespace ecn {
inline constexpr std::uint8_t none = 0, ect1 = 1, ect0 = 2, ce = 3;
}

struct Timestamps {
    std::uint32_t value = 0, echo = 0;
};

struct SackRange {
    SeqNum begin, end;
};

struct TcpOptions {
    std::optional<std::uint16_t> mss;
    std::optional<std::uint8_t> window_scale;
    bool sack_permitted = false;
    std::optional<Timestamps> timestamps;
    std::array<SackRange, 4> sack{};
    std::uint8_t sack_count = 0;
    std::uint8_t unknown_kind = 0;  ///< read: an option we do not know; write: a two-byte option of this kind
    std::uint8_t length = 0;        ///< read: bytes of options in the header

    std::span<const SackRange> ranges() const { return {sack.data(), sack_count}; }
};

/// One TCP segment over IPv4 or IPv6 over Ethernet. `payload` points into the frame it was read from, or at
/// bytes of the writer.
struct Segment {
    MacAddress from_mac, to_mac;
    Endpoint from, to;
    SeqNum seq, ack;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;
    std::uint8_t ecn = ecn::none;  ///< of the IP header; the rest of that byte is 0
    std::uint8_t ttl = 64;         ///< or hop limit
    TcpOptions options;
    std::span<const std::uint8_t> payload;

    bool has(std::uint8_t bits) const { return (flags & bits) == bits; }
    /// Length in sequence space: payload, SYN and FIN.
    std::uint32_t length() const {
        return static_cast<std::uint32_t>(payload.size()) + (has(flag::syn) ? 1 : 0) +
               (has(flag::fin) ? 1 : 0);
    }
};

/// Who has an address: ARP, or neighbour discovery where the target is an IPv6 address.
struct Resolution {
    std::uint16_t operation = 0;  ///< 1 request, 2 reply
    MacAddress from_mac, sender_mac, target_mac;
    IpAddress sender, target;
};

MacAddress destination_mac(const Bytes& frame);
MacAddress source_mac(const Bytes& frame);
std::uint16_t ethertype(const Bytes& frame);
/// Source address of an IP packet or of an ARP message; nullopt for anything else.
std::optional<IpAddress> source_address(const Bytes& frame);

/// `frame` with an 802.1Q tag: priority and VLAN identifier.
Bytes tagged(const Bytes& frame, std::uint16_t tag);
/// The VLAN identifier of a tagged frame.
std::optional<std::uint16_t> vlan(const Bytes& frame);
/// A tagged frame without its tag.
Bytes untagged(const Bytes& frame);

Bytes write_segment(const Segment& s);
/// The segment in `frame`; nullopt when it is not TCP, and then `fault` says what is wrong, or
/// stays empty for a frame of another protocol. The checksums are verified.
std::optional<Segment> read_segment(const Bytes& frame, std::string& fault);

/// For IPv6, `to` broadcast means the group that the protocol provides for.
Bytes write_resolution(const Resolution& a, MacAddress to);
std::optional<Resolution> read_resolution(const Bytes& frame);

/// The reply to an ICMP echo request in `frame`, or nullopt when it is none.
std::optional<Bytes> echo_reply(const Bytes& frame);

/// One's complement sum over `bytes`, not folded nor inverted, continuing from `sum`.
std::uint32_t ones_sum(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0);
/// Folds a sum and inverts it: the checksum.
std::uint16_t fold(std::uint32_t sum);

/// "PA seq 1:100 ack 7 win 512 <ts 5 6>" with numbers relative to the given bases.
std::string describe(const Segment& s, SeqNum seq_base, SeqNum ack_base);

}  // namespace holdfast::sim
