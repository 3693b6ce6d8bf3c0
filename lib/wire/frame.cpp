#include "lib/wire/frame.hpp"

#include <cstring>

#include "lib/wire/checksum.hpp"

namespace holdfast::wire {
namespace {

MacAddress load_mac(const std::uint8_t* p) {
    MacAddress mac;
    std::memcpy(mac.bytes.data(), p, 6);
    return mac;
}

IpAddress load_ip(const std::uint8_t* p) {
    std::uint32_t be;
    std::memcpy(&be, p, 4);
    return IpAddress::from_v4(be);
}

IpAddress load_ip6(const std::uint8_t* p) {
    IpAddress a;
    std::memcpy(a.bytes.data(), p, 16);
    return a;
}

/// The bytes of the frame from `offset` on, `size` of them.
struct View {
    const std::uint8_t* data;
    std::size_t size;
};

bool flags_possible(std::uint8_t flags) {
    const bool syn = flags & flag::syn, fin = flags & flag::fin, rst = flags & flag::rst;
    return !(syn && (fin || rst)) && (syn || rst || (flags & flag::ack) != 0);
}

/// The port vouches for the segment: it checked the sum, or (virtio) the data never crossed a wire and has
/// none.
bool vouched_for(const rte_mbuf* m) {
    const auto verdict = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    return verdict == RTE_MBUF_F_RX_L4_CKSUM_GOOD || verdict == RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

FrameKind verify_tcp_sum(const rte_mbuf* m, bool verified_before, View segment, std::size_t header,
                         Frame& out) {
    //= rfc9293#3.1
    //  No segment is taken whose checksum nobody has looked at.
    if (verified_before || vouched_for(m)) return FrameKind::tcp;
    out.payload_sum = sum_bytes(segment.data + header, segment.size - header);
    out.sum_known = true;
    const auto sum =
        pseudo_header_sum(out.source, out.destination, static_cast<std::uint16_t>(segment.size)) +
        sum_bytes(segment.data, header) + out.payload_sum;
    return fold(sum) == 0xffff ? FrameKind::tcp : FrameKind::bad_tcp_checksum;
}

FrameKind parse_tcp(const rte_mbuf* m, bool verified_before, View segment, Frame& out) {
    if (segment.size < tcp_size) return FrameKind::too_short;
    const auto* p = segment.data;
    const std::size_t header = static_cast<std::size_t>(p[12] >> 4) * 4;
    auto& t = out.tcp;
    t.source_port = load16(p);
    t.destination_port = load16(p + 2);
    t.seq = {load32(p + 4)};
    t.ack = {load32(p + 8)};
    t.flags = p[13];
    t.window = load16(p + 14);
    t.options = {};
    if (header < tcp_size || header > segment.size || t.source_port == 0 || t.destination_port == 0 ||
        !flags_possible(t.flags))
        return FrameKind::bad_tcp_header;
    if (const auto sum = verify_tcp_sum(m, verified_before, segment, header, out); sum != FrameKind::tcp)
        return sum;
    if (!parse_tcp_options({p + tcp_size, header - tcp_size}, t.options)) return FrameKind::bad_tcp_options;
    out.payload_offset = static_cast<std::uint16_t>(out.payload_offset + header);
    out.payload_len = static_cast<std::uint16_t>(segment.size - header);
    return FrameKind::tcp;
}

/// An IPv4 address, in host order, that is no single host's anywhere (RFC 6890): this network, loopback,
/// multicast, reserved and broadcast.
bool is_no_host(std::uint32_t a) { return a >> 24 == 0 || a >> 24 == 127 || a >> 29 == 7; }

FrameKind parse_ipv4(const rte_mbuf* m, bool verified_before, View packet, Frame& out) {
    if (packet.size < ipv4_size) return FrameKind::too_short;
    const auto* p = packet.data;
    const std::size_t header = static_cast<std::size_t>(p[0] & 0x0f) * 4, total = load16(p + 2);
    if (p[0] >> 4 != 4 || header < ipv4_size || total < header || total > packet.size)
        return FrameKind::bad_ip_header;
    const bool verified =
        verified_before || (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    if (!verified && sum_bytes(p, header) != 0xffff) return FrameKind::bad_ip_checksum;
    out.source = load_ip(p + 12);
    out.destination = load_ip(p + 16);
    //= rfc1122#3.2.1.3
    //  Such a source is silently dropped; what is for all or for a group is none of ours either.
    if (is_no_host(load32(p + 12)) || is_no_host(load32(p + 16))) return FrameKind::martian;
    if ((load16(p + 6) & 0x3fff) != 0) return FrameKind::ip_fragment;
    out.ttl = p[8];
    out.dscp_ecn = p[1];
    //= rfc9293#3.9.2
    //  IP options are passed over.
    out.payload_offset = static_cast<std::uint16_t>(out.payload_offset + header);
    out.payload_len = static_cast<std::uint16_t>(total - header);
    if (p[9] == protocol::icmp) return FrameKind::icmp;
    if (p[9] != protocol::tcp) return FrameKind::unknown_protocol;
    return parse_tcp(m, verified_before, {p + header, total - header}, out);
}

/// What stands behind an IPv6 header and the extension headers that say nothing to an end host.
struct Upper {
    FrameKind problem;  ///< tcp when there is none
    std::uint8_t protocol;
    std::size_t offset;  ///< from the IPv6 header on
};

/// Options of which an end host may know nothing (RFC 8200 section 4.2): those whose two highest bits are
/// clear.
bool options_pass(const std::uint8_t* p, std::size_t size) {
    constexpr std::uint8_t pad1 = 0;
    for (std::size_t at = 0; at < size;) {
        if (p[at] == pad1) {
            ++at;
            continue;
        }
        if ((p[at] & 0xc0) != 0 || at + 2 > size || at + 2 + p[at + 1] > size) return false;
        at += 2u + p[at + 1];
    }
    return true;
}

/// Passes over extension headers (RFC 8200 section 4), a bounded number of them. `packet` ends where the IPv6
/// header says.
Upper find_upper(View packet) {
    constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = protocol::fragment,
                           destination_options = 60;
    constexpr int most = 8;
    std::uint8_t next = packet.data[6];
    bool fragmented = false;
    std::size_t at = ipv6_size;
    for (int i = 0; i < most; ++i) {
        const bool options = next == hop_by_hop || next == destination_options;
        //= rfc6980#5
        //  Neighbour discovery is never taken out of a fragment, not even a whole one; no ICMPv6 is, here.
        if (fragmented && next == protocol::icmpv6) return {FrameKind::ip_fragment, 0, 0};
        if (!options && next != routing && next != fragment) return {FrameKind::tcp, next, at};
        const auto* p = packet.data + at;
        if (packet.size < at + 8) return {FrameKind::too_short, 0, 0};
        const std::size_t size = next == fragment ? 8 : 8 + std::size_t{p[1]} * 8;
        if (packet.size < at + size) return {FrameKind::too_short, 0, 0};
        //= rfc8200#4.1
        //  Hop-by-hop options stand directly behind the IPv6 header or nowhere.
        if (next == hop_by_hop && at != ipv6_size) return {FrameKind::ipv6_extension, 0, 0};
        if (options && !options_pass(p + 2, size - 2)) return {FrameKind::ipv6_extension, 0, 0};
        //= rfc8200#4.4
        //  A routing header that is not used up is for a router; type 0 is dead (RFC 5095).
        if (next == routing && p[3] != 0) return {FrameKind::ipv6_extension, 0, 0};
        //= rfc6946#4
        //  A fragment that is a whole packet is taken as one.
        if (next == fragment && (load16(p + 2) & 0xfff9) != 0) return {FrameKind::ip_fragment, 0, 0};
        fragmented = fragmented || next == fragment;
        next = p[0];
        at += size;
    }
    return {FrameKind::ipv6_extension, 0, 0};
}

FrameKind parse_ipv6(const rte_mbuf* m, bool verified_before, View packet, Frame& out) {
    if (packet.size < ipv6_size) return FrameKind::too_short;
    const auto* p = packet.data;
    const std::size_t total = ipv6_size + load16(p + 4);
    if (p[0] >> 4 != 6 || total > packet.size) return FrameKind::bad_ip_header;
    out.source = load_ip6(p + 8);
    out.destination = load_ip6(p + 24);
    // A mapped address on the wire would be taken for IPv4 within.
    if (out.source.is_multicast() || out.source.is_v4() || out.destination.is_v4())
        return FrameKind::bad_ip_header;
    //= rfc4291#2.5.3
    //  The loopback address is never on a wire; nobody is at the unspecified one.
    if (out.source.is_loopback_v6() || out.destination.is_loopback_v6() || out.destination.is_unspecified())
        return FrameKind::bad_ip_header;
    const auto upper = find_upper({p, total});
    if (upper.problem != FrameKind::tcp) return upper.problem;
    out.ttl = p[7];
    out.dscp_ecn = static_cast<std::uint8_t>(load16(p) >> 4);
    out.payload_offset = static_cast<std::uint16_t>(out.payload_offset + upper.offset);
    out.payload_len = static_cast<std::uint16_t>(total - upper.offset);
    if (upper.protocol == protocol::icmpv6) return FrameKind::icmpv6;
    if (upper.protocol != protocol::tcp) return FrameKind::unknown_protocol;
    if (out.source.is_unspecified()) return FrameKind::bad_ip_header;
    return parse_tcp(m, verified_before, {p + upper.offset, total - upper.offset}, out);
}

FrameKind check_arp(View packet) {
    static constexpr std::uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4, 0};
    if (packet.size < 28) return FrameKind::too_short;
    const auto operation = packet.data[7];
    if (std::memcmp(packet.data, ethernet_ipv4, sizeof ethernet_ipv4) != 0 || operation < 1 || operation > 2)
        return FrameKind::bad_arp;
    const auto sender = load_mac(packet.data + 8);
    return sender.is_multicast() || sender.is_zero() ? FrameKind::bad_arp : FrameKind::arp;
}

/// The VLAN of a tag control information: priority and drop eligibility say nothing to a host.
std::uint16_t vlan_of(std::uint16_t tag) { return tag & 0x0fff; }

FrameKind parse(const rte_mbuf* m, bool verified_before, Frame& out) {
    if (m->nb_segs != 1) return FrameKind::chained;
    const auto* p = rte_pktmbuf_mtod(m, const std::uint8_t*);
    const std::size_t size = m->data_len;
    if (size < ethernet_size) return FrameKind::too_short;
    out.destination_mac = load_mac(p);
    out.source_mac = load_mac(p + 6);
    auto link_size = ethernet_size;
    auto type = load16(p + 12);
    if (type == ethertype_vlan) {
        link_size += vlan_tag_size;
        if (size < link_size) return FrameKind::too_short;
        out.vlan = vlan_of(load16(p + 14));
        type = load16(p + 16);
    } else if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
        out.vlan = vlan_of(m->vlan_tci);
    }
    // Each layer adds its header.
    out.payload_offset = out.link_size = static_cast<std::uint16_t>(link_size);
    const View rest{p + link_size, size - link_size};
    switch (type) {
        case ethertype_ipv4: return parse_ipv4(m, verified_before, rest, out);
        case ethertype_ipv6: return parse_ipv6(m, verified_before, rest, out);
        case ethertype_arp: return check_arp(rest);
        case ethertype_heartbeat:
            out.payload_len = static_cast<std::uint16_t>(rest.size);
            return FrameKind::heartbeat;
        default: return FrameKind::unknown_ethertype;
    }
}

}  // namespace

FrameKind parse_frame(const rte_mbuf* m, bool checksums_verified, Frame& out) {
    out.sum_known = false;
    out.payload_len = 0;
    out.vlan = 0;
    out.source_mac = {};
    out.kind = parse(m, checksums_verified, out);
    return out.kind;
}

Arp parse_arp(const rte_mbuf* m, const Frame& frame) {
    const auto* p = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, frame.payload_offset);
    return {p[7] == 2, load_mac(p + 8), load_mac(p + 18), load_ip(p + 14), load_ip(p + 24)};
}

}  // namespace holdfast::wire
