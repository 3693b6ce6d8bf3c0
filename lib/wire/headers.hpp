// Header layouts as they stand on the wire, big-endian, and the constants that go with them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/address.hpp"

namespace holdfast::wire {

inline constexpr std::uint16_t ethertype_ipv4 = 0x0800;
inline constexpr std::uint16_t ethertype_arp = 0x0806;
inline constexpr std::uint16_t ethertype_ipv6 = 0x86dd;
inline constexpr std::uint16_t ethertype_vlan = 0x8100;
/// Heartbeats of the pair: IEEE 802 local experimental ethertype 1.
inline constexpr std::uint16_t ethertype_heartbeat = 0x88b5;

inline constexpr std::size_t ethernet_size = 14;
inline constexpr std::size_t vlan_tag_size = 4;
inline constexpr std::size_t ipv4_size = 20;
inline constexpr std::size_t ipv6_size = 40;
inline constexpr std::size_t tcp_size = 20;
inline constexpr std::size_t tcp_options_max = 40;
/// Room that every frame of ours needs in front of its payload.
inline constexpr std::size_t headers_max =
    ethernet_size + vlan_tag_size + ipv6_size + tcp_size + tcp_options_max;

inline std::uint16_t load16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
inline std::uint32_t load32(const std::uint8_t* p) {
    return static_cast<std::uint32_t>(p[0]) << 24 | static_cast<std::uint32_t>(p[1]) << 16 |
           static_cast<std::uint32_t>(p[2]) << 8 | p[3];
}
inline void store16(std::uint8_t* p, std::uint16_t v) {
    p[0] = static_cast<std::uint8_t>(v >> 8);
    p[1] = static_cast<std::uint8_t>(v);
}
inline void store32(std::uint8_t* p, std::uint32_t v) {
    store16(p, static_cast<std::uint16_t>(v >> 16));
    store16(p + 2, static_cast<std::uint16_t>(v));
}

/// Numbers of the protocols above IP.
namespace protocol {
inline constexpr std::uint8_t icmp = 1, tcp = 6, fragment = 44, icmpv6 = 58;
}

/// Bytes of the IP header that we write for an address of this family.
inline std::size_t ip_size(const IpAddress& address) { return address.is_v4() ? ipv4_size : ipv6_size; }

/// TCP control bits (RFC 9293 section 3.1).
namespace flag {
inline constexpr std::uint8_t fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10, urg = 0x20,
                              ece = 0x40, cwr = 0x80;
}

/// The ECN field of an IP header: the two lowest bits of the traffic class (RFC 3168 section 5).
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

}  // namespace holdfast::wire
