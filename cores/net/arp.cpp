// ARP (RFC 826, RFC 5227): questions, answers, announcements.
#include <cstring>

#include "cores/net/interface.hpp"

namespace holdfast::net {

void Interface::send_arp(bool reply, const MacAddress& from_mac, const IpAddress& from,
                         const MacAddress& to_mac, const IpAddress& to, const MacAddress& ethernet_to,
                         Self self) {
    Packet packet;
    auto* p = start_frame(packet, ethernet_to, from_mac, wire::ethertype_arp, 28);
    if (p == nullptr) return;
    wire::store32(p, 0x00010800);
    wire::store16(p + 4, 0x0604);
    wire::store16(p + 6, reply ? 2 : 1);
    const std::uint32_t sender = from.v4(), target = to.v4();
    std::memcpy(p + 8, from_mac.bytes.data(), 6);
    std::memcpy(p + 14, &sender, 4);
    std::memcpy(p + 18, to_mac.bytes.data(), 6);
    std::memcpy(p + 24, &target, 4);
    queue(packet.release(), self);
}

std::optional<NeighbourHeard> Interface::receive_arp(rte_mbuf* m, const wire::Frame& frame, Instant now) {
    const auto arp = wire::parse_arp(m, frame);
    rte_pktmbuf_free(m);
    const auto asked = self_of(arp.target);
    const bool sender_is_us = arp.sender_mac == settings_.own_mac || arp.sender_mac == settings_.virtual_mac;
    // RFC 5227: a probe gives no address.
    if (!sender_is_us && !arp.sender.is_any()) learn(arp.sender, arp.sender_mac, asked.has_value(), now);
    if (!arp.is_reply && !sender_is_us && asked) {
        counters_.add(Counter::arp_requests_answered);
        send_arp(true, mac_of(*asked), arp.target, arp.sender_mac, arp.sender, arp.sender_mac, *asked);
    }
    return NeighbourHeard{arp.sender, arp.target, arp.sender_mac, arp.is_reply};
}

}  // namespace holdfast::net
