#include "lib/wire/icmp_error.hpp"

#include <cstring>

namespace holdfast::wire {
namespace {

using Kind = IcmpError::Kind;

constexpr std::size_t error_header = 8;
/// Of the segment's TCP header an error holds at least the ports and the sequence number (RFC 792).
constexpr std::size_t tcp_quoted = 8;

std::optional<Kind> kind_of_v4(std::uint8_t type, std::uint8_t code) {
    constexpr std::uint8_t unreachable = 3, time_exceeded = 11;
    if (type == time_exceeded) return Kind::lost;
    //= rfc9293#3.9.2.2
    //  Other kinds, source quench among them, ask for nothing.
    if (type != unreachable) return std::nullopt;
    switch (code) {
        case 4: return Kind::too_big;
        case 2:
        case 3:
        case 9:
        case 10:
        case 13: return Kind::refused;  // protocol, port, prohibited
        default: return Kind::lost;
    }
}

std::optional<Kind> kind_of_v6(std::uint8_t type, std::uint8_t code) {
    constexpr std::uint8_t unreachable = 1, packet_too_big = 2, time_exceeded = 3;
    if (type == packet_too_big) return Kind::too_big;
    if (type == time_exceeded) return Kind::lost;
    if (type != unreachable) return std::nullopt;
    return code == 1 || code == 4 ? Kind::refused : Kind::lost;  // prohibited, port
}

/// Ports and number of the quoted segment.
void read_tcp(const std::uint8_t* tcp, IcmpError& e) {
    e.local.port = load16(tcp);
    e.remote.port = load16(tcp + 2);
    e.seq = {load32(tcp + 4)};
}

bool read_quoted_v4(const std::uint8_t* p, std::size_t size, IcmpError& e) {
    if (size < ipv4_size) return false;
    const std::size_t header = (p[0] & 0x0f) * 4u;
    const bool first_fragment = (load16(p + 6) & 0x1fff) == 0;
    if (p[0] >> 4 != 4 || header < ipv4_size || size < header + tcp_quoted || p[9] != protocol::tcp ||
        !first_fragment)
        return false;
    std::uint32_t from, to;
    std::memcpy(&from, p + 12, 4);
    std::memcpy(&to, p + 16, 4);
    e.local.address = IpAddress::from_v4(from);
    e.remote.address = IpAddress::from_v4(to);
    e.packet_size = load16(p + 2);
    read_tcp(p + header, e);
    return true;
}

bool read_quoted_v6(const std::uint8_t* p, std::size_t size, IcmpError& e) {
    // Our segments have no extension headers.
    if (size < ipv6_size + tcp_quoted || p[0] >> 4 != 6 || p[6] != protocol::tcp) return false;
    std::memcpy(e.local.address.bytes.data(), p + 8, 16);
    std::memcpy(e.remote.address.bytes.data(), p + 24, 16);
    e.packet_size = static_cast<std::uint16_t>(ipv6_size + load16(p + 4));
    read_tcp(p + ipv6_size, e);
    return true;
}

}  // namespace

std::optional<IcmpError> read_icmp_error(const std::uint8_t* p, const Frame& f) {
    if (f.payload_len < error_header) return std::nullopt;
    const bool v6 = f.kind == FrameKind::icmpv6;
    const auto kind = v6 ? kind_of_v6(p[0], p[1]) : kind_of_v4(p[0], p[1]);
    if (!kind) return std::nullopt;
    IcmpError e;
    e.kind = *kind;
    const auto size = f.payload_len - error_header;
    if (!(v6 ? read_quoted_v6(p + error_header, size, e) : read_quoted_v4(p + error_header, size, e)))
        return std::nullopt;
    if (e.local.address != f.destination) return std::nullopt;
    if (e.kind == Kind::too_big) e.mtu = v6 ? load32(p + 4) : load16(p + 6);
    return e;
}

}  // namespace holdfast::wire
