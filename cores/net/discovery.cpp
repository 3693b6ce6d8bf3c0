// Neighbour discovery for IPv6 (RFC 4861): solicitations, advertisements. Our addresses are configured, so
// there is no duplicate address detection, and routers' advertisements are not listened to.
#include "cores/net/interface.hpp"
#include "lib/wire/neighbour.hpp"

namespace holdfast::net {

void Interface::solicit(const IpAddress& target, const IpAddress& source) {
    counters_.add(Counter::solicitations_sent);
    wire::NeighbourMessage message;
    message.target = target;
    // Who gives no address gives no Ethernet address either.
    if (!source.is_unspecified()) message.link_address = settings_.own_mac;
    const auto group = wire::solicited_node(target);
    std::uint8_t bytes[wire::neighbour_packet_max];
    const auto size = wire::write_neighbour(bytes, message, source, group);
    send_raw({bytes, size}, wire::ethertype_ipv6, wire::multicast_mac(group));
}

/// Says that `address` is `self`'s: to somebody who asked, or to a group.
void Interface::advertise(const IpAddress& address, Self self, const IpAddress& to,
                          const MacAddress& to_mac) {
    wire::NeighbourMessage message;
    message.advertisement = true;
    message.solicited = !to.is_multicast();
    message.override = true;
    message.target = address;
    message.link_address = mac_of(self);
    std::uint8_t bytes[wire::neighbour_packet_max];
    const auto size = wire::write_neighbour(bytes, message, address, to);
    Packet packet;
    auto* p = start_frame(packet, to_mac, mac_of(self), wire::ethertype_ipv6, size);
    if (p == nullptr) return;
    std::copy(bytes, bytes + size, p);
    queue(packet.release(), self);
}

std::optional<NeighbourHeard> Interface::receive_discovery(const std::uint8_t* bytes,
                                                           const wire::Frame& frame, Instant now) {
    const auto message = wire::parse_neighbour(bytes, frame);
    if (!message) {
        counters_.add(Counter::icmp_ignored);
        return std::nullopt;
    }
    const auto& m = *message;
    const auto& mac = m.link_address.is_zero() ? frame.source_mac : m.link_address;
    const bool sender_is_us = mac == settings_.own_mac || mac == settings_.virtual_mac;
    if (m.advertisement) {
        //= rfc4861#7.2.5
        //  Without the option an advertisement gives no address, and without override it replaces none.
        const auto* known = neighbours_.find(m.target);
        const bool replaces = known != nullptr && known->resolved && known->mac != mac;
        if (!sender_is_us && !m.link_address.is_zero() && (m.override || !replaces))
            learn(m.target, mac, m.solicited, now);
        return NeighbourHeard{m.target, m.target, mac, true};
    }
    const auto asked = self_of(m.target);
    if (!sender_is_us && !m.link_address.is_zero()) learn(frame.source, mac, asked.has_value(), now);
    if (!sender_is_us && asked) {
        counters_.add(Counter::solicitations_answered);
        //= rfc4861#7.2.4
        //  Somebody without an address is answered by telling all.
        const auto to = frame.source.is_unspecified() ? wire::all_nodes() : frame.source;
        advertise(m.target, *asked, to, to.is_multicast() ? wire::multicast_mac(to) : mac);
    }
    return NeighbourHeard{frame.source, m.target, mac, false};
}

}  // namespace holdfast::net
