// A received frame, parsed once. Packets are hostile: nothing is read past the frame's end, and whatever does
// not fit gets a reason that the core counts.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "lib/base/address.hpp"
#include "lib/report/counters.hpp"
#include "lib/wire/tcp.hpp"

namespace holdfast::wire {

#define HF_FRAME_ROWS(X)                                                                    \
    X(tcp, "TCP segments")                                                                  \
    X(arp, "ARP packets for IPv4 over Ethernet")                                            \
    X(icmp, "ICMP messages")                                                                \
    X(icmpv6, "ICMPv6 messages, neighbour discovery among them")                            \
    X(heartbeat, "frames of the pair's own ethertype")                                      \
    X(too_short, "frames shorter than the headers they announce")                           \
    X(unknown_ethertype, "frames of an ethertype we do not speak")                          \
    X(unknown_protocol, "IP packets of a protocol we do not speak")                         \
    X(bad_ip_header, "IP headers with an impossible version, length or source")             \
    X(martian, "IPv4 packets from or to what is no host: loopback, this network, reserved") \
    X(bad_ip_checksum, "IPv4 headers with a wrong checksum")                                \
    X(ip_fragment, "IP fragments")                                                          \
    X(ipv6_extension, "IPv6 packets with an extension header that we do not pass over")     \
    X(bad_tcp_header, "TCP headers with an impossible length, ports or flags")              \
    X(bad_tcp_options, "TCP headers with an option of impossible length")                   \
    X(bad_tcp_checksum, "TCP segments with a wrong checksum")                               \
    X(bad_arp, "ARP packets of another hardware or protocol type, or impossible senders")   \
    X(chained, "received frames in several mbufs: not accepted")

HF_DEFINE_COUNTERS(FrameKind, frame_rows, HF_FRAME_ROWS);

/// A frame as values. Which fields are valid follows from `kind`.
struct Frame {
    FrameKind kind = FrameKind::too_short;
    MacAddress destination_mac, source_mac;
    std::uint16_t vlan = 0;         ///< of its 802.1Q tag; 0 without one, or when it gives a priority alone
    std::uint16_t link_size = 0;    ///< bytes of the Ethernet header with its tag
    IpAddress source, destination;  ///< tcp, icmp, icmpv6, ip_fragment
    std::uint8_t ttl = 0;           ///< IPv6: the hop limit
    std::uint8_t dscp_ecn = 0;
    TcpHeader tcp;  ///< tcp
    std::uint16_t payload_offset =
        0;  ///< from rte_pktmbuf_mtod to the TCP payload, ICMP message, ARP packet or heartbeat
    std::uint16_t payload_len = 0;  ///< bytes
    std::uint16_t payload_sum = 0;  ///< tcp: sum of the payload, if sum_known
    bool sum_known = false;

    Ecn ecn() const { return static_cast<Ecn>(dscp_ecn & 3); }
};

/// Parses `m` (one segment). Checksums are computed here unless ol_flags say that the port vouches for them,
/// or `checksums_verified`: this very frame was parsed before. Returns the kind, which is also in `out`.
FrameKind parse_frame(const rte_mbuf* m, bool checksums_verified, Frame& out);

/// An ARP packet (RFC 826).
struct Arp {
    bool is_reply = false;
    MacAddress sender_mac, target_mac;
    IpAddress sender, target;
};

/// Reads the ARP packet of `frame`, which is of kind arp and was parsed from `m`.
Arp parse_arp(const rte_mbuf* m, const Frame& frame);

}  // namespace holdfast::wire
