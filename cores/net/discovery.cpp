// Neighbour discovery for IPv6 (RFC 4861): solicitations, advertisements. Our addresses are configured, and
// two nodes share the virtual ones: by choice we do not look for duplicates (RFC 4862 section 5.4), the guard
// does. Routers' advertisements are not listened to.
#include <algorithm>
#include <array>

#include "cores/net/interface.hpp"
#include "lib/wire/neighbour.hpp"

namespace holdfast::net {

void Interface::solicit(const IpAddress& target, const IpAddress& source, const MacAddress& at) {
    counters_.add(Counter::solicitations_sent);
    wire::NeighbourMessage message;
    message.target = target;
    // Who gives no address gives no Ethernet address either.
    if (!source.is_unspecified()) message.link_address = settings_.own_mac;
    const auto to = at.is_zero() ? wire::solicited_node(target) : target;
    std::uint8_t bytes[wire::neighbour_packet_max];
    const auto size = wire::write_neighbour(bytes, message, source, to);
    send_raw({bytes, size}, wire::ethertype_ipv6, at.is_zero() ? wire::multicast_mac(to) : at);
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

/// Says in which groups our addresses are asked for, or a switch that looks at such reports lets no question
/// through to us. Both nodes say it, at all times: the standby's port must be open when it takes over.
void Interface::report_groups(Instant now) {
    std::array<IpAddress, wire::report_groups_max> groups;
    std::size_t count = 0;
    const auto add = [&](const IpAddress& address) {
        if (address.is_unspecified() || address.is_v4()) return;
        const auto group = wire::solicited_node(address);
        const auto end = groups.begin() + static_cast<std::ptrdiff_t>(count);
        if (std::find(groups.begin(), end, group) != end) return;
        if (count == groups.size()) return counters_.add(Counter::groups_not_reported);
        groups[count++] = group;
    };
    add(settings_.own_address6.address);
    for (const auto& address : settings_.virtual_addresses) add(address);
    constexpr int joins = 2;  // the first one may be lost
    const bool joined = reports_ < joins;
    reports_ += joined ? 1 : 0;
    report_at_ = count == 0 ? Instant::never() : now + (reports_ < joins ? seconds(1) : seconds(60));
    if (count == 0) return;
    std::uint8_t bytes[wire::report_packet_max];
    const auto size = wire::write_group_report(bytes, {groups.data(), count}, joined);
    send_raw({bytes, size}, wire::ethertype_ipv6, wire::multicast_mac(wire::all_mld_routers()));
    counters_.add(Counter::group_reports_sent);
}

std::optional<NeighbourHeard> Interface::receive_discovery(const std::uint8_t* bytes,
                                                           const wire::Frame& frame, Instant now) {
    const auto message = wire::parse_neighbour(bytes, frame);
    if (!message || frame.source_mac.is_multicast() || frame.source_mac.is_zero()) {
        counters_.add(Counter::icmp_ignored);
        return std::nullopt;
    }
    const auto& m = *message;
    const auto& mac = m.link_address.is_zero() ? frame.source_mac : m.link_address;
    const bool sender_is_us = mac == settings_.own_mac || mac == settings_.virtual_mac;
    if (m.advertisement) {
        //= rfc4861#7.2.5
        //  Without the option an advertisement gives no address, without override it replaces none, and who
        //  was not asked for is not known: query() has made the entry.
        const auto* known = neighbours_.find(m.target);
        const bool resolved = known != nullptr && known->resolved;
        const bool replaces = resolved && known->mac != mac;
        // Who was asked alone may leave his address out.
        const bool confirms = resolved && !replaces && m.solicited;
        if (known == nullptr || (m.link_address.is_zero() && !confirms) || (replaces && !m.override))
            counters_.add(Counter::advertisements_ignored);
        else if (!sender_is_us) learn(m.target, mac, false, now);
        // Who tells all has answered nobody.
        return NeighbourHeard{m.target, m.target, mac, m.solicited && is_own_address(frame.destination)};
    }
    const auto asked = self_of(m.target);
    if (sender_is_us || !asked) return NeighbourHeard{frame.source, m.target, mac, false};
    if (!m.link_address.is_zero()) learn(frame.source, mac, true, now);
    counters_.add(Counter::solicitations_answered);
    //= rfc4861#7.2.4
    //  Somebody without an address is answered by telling all.
    const auto to = frame.source.is_unspecified() ? wire::all_nodes() : frame.source;
    advertise(m.target, *asked, to, to.is_multicast() ? wire::multicast_mac(to) : mac);
    return NeighbourHeard{frame.source, m.target, mac, false};
}

}  // namespace holdfast::net
