#include "lib/wire/neighbour.hpp"

#include <cstring>

#include "lib/wire/checksum.hpp"

namespace holdfast::wire {
namespace {

constexpr std::uint8_t type_solicitation = 135, type_advertisement = 136;
constexpr std::uint8_t option_source = 1, option_target = 2;
constexpr std::uint8_t flag_solicited = 0x40, flag_override = 0x20;
constexpr std::uint8_t hop_limit = 255;
constexpr std::size_t message_size = 24;

/// Reads the link-layer address of option `kind`. False when an option has no length or passes the end.
bool read_options(const std::uint8_t* p, std::size_t size, std::uint8_t kind, MacAddress& mac) {
    while (size > 0) {
        if (size < 2 || p[1] == 0 || p[1] * 8u > size) return false;
        if (p[0] == kind && p[1] == 1) std::memcpy(mac.bytes.data(), p + 2, 6);
        size -= p[1] * 8u;
        p += p[1] * 8u;
    }
    return true;
}

}  // namespace

IpAddress all_nodes() {
    IpAddress a;
    a.bytes[0] = 0xff;
    a.bytes[1] = 0x02;
    a.bytes[15] = 1;
    return a;
}

IpAddress solicited_node(const IpAddress& address) {
    IpAddress a = all_nodes();
    a.bytes[11] = 1;
    a.bytes[12] = 0xff;
    std::memcpy(&a.bytes[13], &address.bytes[13], 3);
    return a;
}

MacAddress multicast_mac(const IpAddress& group) {
    MacAddress mac{{0x33, 0x33}};
    std::memcpy(&mac.bytes[2], &group.bytes[12], 4);
    return mac;
}

bool icmpv6_sum_right(const std::uint8_t* message, const Frame& f) {
    return fold(pseudo_header_sum(f.source, f.destination, f.payload_len, protocol::icmpv6) +
                sum_bytes(message, f.payload_len)) == 0xffff;
}

std::optional<NeighbourMessage> parse_neighbour(const std::uint8_t* p, const Frame& f) {
    if (f.payload_len < message_size || f.ttl != hop_limit || p[1] != 0) return std::nullopt;
    if (p[0] != type_solicitation && p[0] != type_advertisement) return std::nullopt;
    NeighbourMessage m;
    m.advertisement = p[0] == type_advertisement;
    std::memcpy(m.target.bytes.data(), p + 8, 16);
    if (m.target.is_multicast() || m.target.is_any() || m.target.is_v4()) return std::nullopt;
    const auto option = m.advertisement ? option_target : option_source;
    if (!read_options(p + message_size, f.payload_len - message_size, option, m.link_address))
        return std::nullopt;
    if (m.link_address.is_multicast()) return std::nullopt;
    if (m.advertisement) {
        m.solicited = (p[4] & flag_solicited) != 0;
        m.override = (p[4] & flag_override) != 0;
        //= rfc4861#7.1.2
        //  What goes to a group answers nobody; and somebody without an address advertises nothing.
        if ((m.solicited && f.destination.is_multicast()) || f.source.is_unspecified()) return std::nullopt;
    } else if (f.source.is_unspecified()) {
        //= rfc4861#7.1.1
        //  Who has no address yet asks the group, and says no link-layer address.
        if (f.destination != solicited_node(m.target) || !m.link_address.is_zero()) return std::nullopt;
    }
    return m;
}

IpAddress all_mld_routers() {
    IpAddress a = all_nodes();
    a.bytes[15] = 0x16;
    return a;
}

bool is_group_query(const std::uint8_t* p, const Frame& f) {
    constexpr std::uint8_t type_query = 130;
    constexpr std::size_t query_size = 24;
    // RFC 3810 section 5.1.14: from a router of this link, or from nobody.
    return f.payload_len >= query_size && p[0] == type_query && f.source.is_link_local_v6() && f.ttl == 1;
}

std::size_t write_group_report(std::uint8_t* out, std::span<const IpAddress> groups, bool joined) {
    constexpr std::uint8_t type_report = 143, mode_is_exclude = 2, change_to_exclude = 4;
    // Router alert (RFC 2711), padded: without it nobody on the way looks at a report.
    constexpr std::uint8_t alert[] = {protocol::icmpv6, 0, 5, 2, 0, 0, 1, 0};
    const auto length = static_cast<std::uint16_t>(8 + 20 * groups.size());
    const auto to = all_mld_routers();
    store32(out, 0x60000000u);
    store16(out + 4, static_cast<std::uint16_t>(sizeof alert + length));
    out[6] = 0;
    out[7] = 1;
    std::memset(out + 8, 0, 16);
    std::memcpy(out + 24, to.bytes.data(), 16);
    std::memcpy(out + ipv6_size, alert, sizeof alert);
    auto* p = out + ipv6_size + sizeof alert;
    store32(p, static_cast<std::uint32_t>(type_report) << 24);
    store32(p + 4, static_cast<std::uint32_t>(groups.size()));
    auto* row = p + 8;
    for (const auto& group : groups) {
        store32(row, static_cast<std::uint32_t>(joined ? change_to_exclude : mode_is_exclude) << 24);
        std::memcpy(row + 4, group.bytes.data(), 16);
        row += 20;
    }
    const auto sum = static_cast<std::uint16_t>(
        ~fold(pseudo_header_sum({}, to, length, protocol::icmpv6) + sum_bytes(p, length)));
    std::memcpy(p + 2, &sum, 2);
    return ipv6_size + sizeof alert + length;
}

std::size_t write_neighbour(std::uint8_t* out, const NeighbourMessage& m, const IpAddress& source,
                            const IpAddress& destination) {
    const bool has_option = !m.link_address.is_zero();
    const auto length = static_cast<std::uint16_t>(message_size + (has_option ? 8 : 0));
    store32(out, 0x60000000u);
    store16(out + 4, length);
    out[6] = protocol::icmpv6;
    out[7] = hop_limit;
    std::memcpy(out + 8, source.bytes.data(), 16);
    std::memcpy(out + 24, destination.bytes.data(), 16);
    auto* p = out + ipv6_size;
    store32(p, 0);
    p[0] = m.advertisement ? type_advertisement : type_solicitation;
    store32(p + 4, 0);
    if (m.advertisement)
        p[4] =
            static_cast<std::uint8_t>((m.solicited ? flag_solicited : 0) | (m.override ? flag_override : 0));
    std::memcpy(p + 8, m.target.bytes.data(), 16);
    if (has_option) {
        p[24] = m.advertisement ? option_target : option_source;
        p[25] = 1;
        std::memcpy(p + 26, m.link_address.bytes.data(), 6);
    }
    const auto sum = static_cast<std::uint16_t>(
        ~fold(pseudo_header_sum(source, destination, length, protocol::icmpv6) + sum_bytes(p, length)));
    std::memcpy(p + 2, &sum, 2);
    return ipv6_size + length;
}

}  // namespace holdfast::wire
