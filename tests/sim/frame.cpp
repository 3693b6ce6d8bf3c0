#include "tests/sim/frame.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast::sim {
namespace {

constexpr std::size_t eth_size = 14, ip_size = 20, ip6_size = 40, tcp_size = 20, minimum_frame = 60;

std::uint16_t read16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
std::uint32_t read32(const std::uint8_t* p) {
    return static_cast<std::uint32_t>(read16(p)) << 16 | read16(p + 2);
}
void put16(Bytes& out, std::uint32_t v) {
    out.push_back(static_cast<std::uint8_t>(v >> 8));
    out.push_back(static_cast<std::uint8_t>(v));
}
void put32(Bytes& out, std::uint32_t v) {
    put16(out, v >> 16);
    put16(out, v);
}
void patch16(Bytes& out, std::size_t at, std::uint16_t v) {
    out[at] = static_cast<std::uint8_t>(v >> 8);
    out[at + 1] = static_cast<std::uint8_t>(v);
}
void put_mac(Bytes& out, const MacAddress& m) { out.insert(out.end(), m.bytes.begin(), m.bytes.end()); }
void put_v4(Bytes& out, const IpAddress& a) { out.insert(out.end(), a.bytes.begin() + 12, a.bytes.end()); }

MacAddress read_mac(const std::uint8_t* p) {
    MacAddress m;
    std::memcpy(m.bytes.data(), p, 6);
    return m;
}
void put_v6(Bytes& out, const IpAddress& a) { out.insert(out.end(), a.bytes.begin(), a.bytes.end()); }

IpAddress read_v6(const std::uint8_t* p) {
    IpAddress a;
    std::memcpy(a.bytes.data(), p, 16);
    return a;
}
IpAddress read_v4(const std::uint8_t* p) {
    std::uint32_t be;
    std::memcpy(&be, p, 4);
    return IpAddress::from_v4(be);
}

void put_ethernet(Bytes& out, const MacAddress& to, const MacAddress& from, std::uint16_t type) {
    put_mac(out, to);
    put_mac(out, from);
    put16(out, type);
}

void put_v4_header(Bytes& out, const Segment& s, std::size_t tcp_length) {
    const auto begin = out.size();
    out.push_back(0x45);
    out.push_back(s.ecn);
    put16(out, static_cast<std::uint32_t>(ip_size + tcp_length));
    put32(out, 0x4000);  // identification 0, don't fragment
    out.push_back(s.ttl);
    out.push_back(6);
    put16(out, 0);
    put_v4(out, s.from.address);
    put_v4(out, s.to.address);
    patch16(out, begin + 10, fold(ones_sum({out.data() + begin, ip_size})));
}

void put_v6_header(Bytes& out, const IpAddress& from, const IpAddress& to, std::size_t length,
                   std::uint8_t protocol, std::uint8_t hops, std::uint8_t traffic_class = 0) {
    put32(out, 0x60000000 | static_cast<std::uint32_t>(traffic_class) << 20);
    put16(out, static_cast<std::uint32_t>(length));
    out.push_back(protocol);
    out.push_back(hops);
    put_v6(out, from);
    put_v6(out, to);
}

Bytes option_bytes(const TcpOptions& o) {
    Bytes out;
    if (o.mss) {
        out.insert(out.end(), {2, 4});
        put16(out, *o.mss);
    }
    if (o.sack_permitted) out.insert(out.end(), {4, 2});
    if (o.timestamps) {
        while (!o.mss && out.size() % 4 != 2) out.push_back(1);
        out.insert(out.end(), {8, 10});
        put32(out, o.timestamps->value);
        put32(out, o.timestamps->echo);
    }
    if (o.window_scale) out.insert(out.end(), {3, 3, *o.window_scale});
    if (o.unknown_kind != 0) out.insert(out.end(), {o.unknown_kind, 2});
    if (o.sack_count > 0) {
        while (out.size() % 4 != 2) out.push_back(1);
        out.insert(out.end(), {5, static_cast<std::uint8_t>(2 + 8 * o.sack_count)});
        for (const auto& r : o.ranges()) {
            put32(out, r.begin.value);
            put32(out, r.end.value);
        }
    }
    while (out.size() % 4 != 0) out.push_back(1);
    return out;
}

/// Pseudo header and everything behind the IP header at `ip`.
std::uint32_t upper_sum(const std::uint8_t* ip, std::uint8_t protocol, std::span<const std::uint8_t> upper) {
    const bool v6 = ip[0] >> 4 == 6;
    std::uint32_t sum = v6 ? ones_sum({ip + 8, 32}) : ones_sum({ip + 12, 8});
    sum += protocol + static_cast<std::uint32_t>(upper.size());
    return ones_sum(upper, sum);
}

/// Reads one option at `p`, at most `left` bytes; returns its length, 0 when it is malformed.
std::size_t read_option(const std::uint8_t* p, std::size_t left, TcpOptions& o) {
    const std::uint8_t kind = p[0];
    if (kind == 1) return 1;
    if (left < 2 || p[1] < 2 || p[1] > left) return 0;
    const std::uint8_t length = p[1];
    if (kind == 2 && length == 4) {
        o.mss = read16(p + 2);
    } else if (kind == 3 && length == 3) {
        o.window_scale = p[2];
    } else if (kind == 4 && length == 2) {
        o.sack_permitted = true;
    } else if (kind == 8 && length == 10) {
        o.timestamps = Timestamps{read32(p + 2), read32(p + 6)};
    } else if (kind == 5 && length > 2 && length % 8 == 2) {
        for (std::size_t i = 2; i < length && o.sack_count < 4; i += 8)
            o.sack[o.sack_count++] = {{read32(p + i)}, {read32(p + i + 4)}};
    } else {
        o.unknown_kind = kind;
    }
    return length;
}

bool read_options(std::span<const std::uint8_t> bytes, TcpOptions& o) {
    o.length = static_cast<std::uint8_t>(bytes.size());
    for (std::size_t i = 0; i < bytes.size();) {
        if (bytes[i] == 0) break;
        const auto n = read_option(bytes.data() + i, bytes.size() - i, o);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

/// What an IP packet carries, without padding.
struct Carried {
    const std::uint8_t* ip = nullptr;
    std::uint8_t protocol = 0;
    std::span<const std::uint8_t> upper;
};

/// The IP packet of `frame`; nullopt and `fault` set when it is malformed, or not set when it is no IP
/// packet.
std::optional<Carried> ip_packet(const Bytes& frame, std::string& fault) {
    if (frame.size() < eth_size) return std::nullopt;
    const std::uint8_t* ip = frame.data() + eth_size;
    const auto room = frame.size() - eth_size;
    if (ethertype(frame) == ethertype_ipv6) {
        if (room < ip6_size || ip[0] >> 4 != 6) return fault = "short or not IPv6", std::nullopt;
        const std::size_t length = read16(ip + 4);
        if (ip6_size + length > room) return fault = "IP lengths do not fit the frame", std::nullopt;
        return Carried{ip, ip[6], {ip + ip6_size, length}};
    }
    if (ethertype(frame) != ethertype_ipv4) return std::nullopt;
    if (room < ip_size || ip[0] >> 4 != 4) return fault = "short or not IPv4", std::nullopt;
    const std::size_t header = (ip[0] & 15) * 4u, total = read16(ip + 2);
    if (header < ip_size || total < header || total > room)
        return fault = "IP lengths do not fit the frame", std::nullopt;
    if (fold(ones_sum({ip, header})) != 0) return fault = "wrong IP header checksum", std::nullopt;
    return Carried{ip, ip[9], {ip + header, total - header}};
}

// ---- neighbour discovery ----

constexpr std::uint8_t solicitation = 135, advertisement = 136, icmpv6 = 58;

IpAddress group(std::initializer_list<std::uint8_t> tail) {
    IpAddress a;
    a.bytes[0] = 0xff;
    a.bytes[1] = 2;
    std::copy(tail.begin(), tail.end(), a.bytes.end() - static_cast<std::ptrdiff_t>(tail.size()));
    return a;
}

Bytes write_discovery(const Resolution& r, MacAddress to) {
    const auto& t = r.operation == 1 ? r.target.bytes : r.sender.bytes;
    auto destination = r.target;
    if (to.is_multicast()) {
        destination = r.operation == 1 ? group({1, 0xff, t[13], t[14], t[15]}) : group({1});
        to = {{0x33, 0x33, destination.bytes[12], destination.bytes[13], destination.bytes[14],
               destination.bytes[15]}};
    }
    const bool anonymous = r.sender.is_unspecified();
    Bytes out;
    put_ethernet(out, to, r.from_mac, ethertype_ipv6);
    put_v6_header(out, r.sender, destination, anonymous ? 24 : 32, icmpv6, 255);
    const auto begin = out.size();
    out.push_back(r.operation == 1 ? solicitation : advertisement);
    out.push_back(0);
    put16(out, 0);
    // An answer to somebody is solicited; it overrides what was known.
    put32(out, r.operation == 1 ? 0 : destination.is_multicast() ? 0x20000000 : 0x60000000);
    out.insert(out.end(), t.begin(), t.end());
    if (!anonymous) {
        out.push_back(r.operation == 1 ? 1 : 2);
        out.push_back(1);
        put_mac(out, r.sender_mac);
    }
    patch16(out, begin + 2, fold(upper_sum(out.data() + eth_size, icmpv6, std::span(out).subspan(begin))));
    return out;
}

std::optional<Resolution> read_discovery(const Bytes& frame) {
    std::string fault;
    const auto packet = ip_packet(frame, fault);
    if (!packet || packet->protocol != icmpv6 || packet->upper.size() < 24) return std::nullopt;
    const auto& m = packet->upper;
    if ((m[0] != solicitation && m[0] != advertisement) || packet->ip[7] != 255) return std::nullopt;
    if (fold(upper_sum(packet->ip, icmpv6, m)) != 0) return std::nullopt;
    Resolution r;
    r.operation = m[0] == solicitation ? 1 : 2;
    r.from_mac = source_mac(frame);
    r.target = r.operation == 1 ? read_v6(&m[8]) : read_v6(packet->ip + 24);
    r.sender = r.operation == 1 ? read_v6(packet->ip + 8) : read_v6(&m[8]);
    const bool has_option = m.size() >= 32 && m[24] == (r.operation == 1 ? 1 : 2) && m[25] == 1;
    if (has_option) r.sender_mac = read_mac(&m[26]);
    // Like a gratuitous ARP: who tells all gives his own address as the target.
    if (r.target.is_multicast()) r.target = r.sender;
    return r;
}

}  // namespace

std::uint32_t ones_sum(std::span<const std::uint8_t> bytes, std::uint32_t sum) {
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2) sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    if (i < bytes.size()) sum += static_cast<std::uint32_t>(bytes[i] << 8);
    return sum;
}

std::uint16_t fold(std::uint32_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

MacAddress destination_mac(const Bytes& frame) { return read_mac(frame.data()); }
MacAddress source_mac(const Bytes& frame) { return read_mac(frame.data() + 6); }
std::uint16_t ethertype(const Bytes& frame) { return read16(frame.data() + 12); }

Bytes tagged(const Bytes& frame, std::uint16_t tag) {
    Bytes out(frame.begin(), frame.begin() + 12);
    put16(out, ethertype_vlan);
    put16(out, tag);
    out.insert(out.end(), frame.begin() + 12, frame.end());
    return out;
}

std::optional<std::uint16_t> vlan(const Bytes& frame) {
    if (ethertype(frame) != ethertype_vlan || frame.size() < eth_size + 4) return std::nullopt;
    return read16(frame.data() + 14) & 0xfff;
}

Bytes untagged(const Bytes& frame) {
    Bytes out = frame;
    out.erase(out.begin() + 12, out.begin() + 16);
    return out;
}

std::optional<IpAddress> source_address(const Bytes& frame) {
    std::string fault;
    if (const auto packet = ip_packet(frame, fault))
        return ethertype(frame) == ethertype_ipv6 ? read_v6(packet->ip + 8) : read_v4(packet->ip + 12);
    if (const auto arp = read_resolution(frame)) return arp->sender;
    return std::nullopt;
}

Bytes write_segment(const Segment& s) {
    const auto options = option_bytes(s.options);
    const auto tcp_length = tcp_size + options.size() + s.payload.size();
    Bytes out;
    const bool v6 = !s.from.address.is_v4();
    const auto tcp_at = eth_size + (v6 ? ip6_size : ip_size);
    out.reserve(std::max(minimum_frame, tcp_at + tcp_length));
    put_ethernet(out, s.to_mac, s.from_mac, v6 ? ethertype_ipv6 : ethertype_ipv4);
    if (v6) put_v6_header(out, s.from.address, s.to.address, tcp_length, 6, s.ttl, s.ecn);
    else put_v4_header(out, s, tcp_length);
    put16(out, s.from.port);
    put16(out, s.to.port);
    put32(out, s.seq.value);
    put32(out, s.ack.value);
    out.push_back(static_cast<std::uint8_t>((tcp_size + options.size()) / 4 << 4));
    out.push_back(s.flags);
    put16(out, s.window);
    put32(out, 0);  // checksum, urgent pointer
    out.insert(out.end(), options.begin(), options.end());
    out.insert(out.end(), s.payload.begin(), s.payload.end());
    patch16(out, tcp_at + 16, fold(upper_sum(out.data() + eth_size, 6, {out.data() + tcp_at, tcp_length})));
    // A wire pads; not with zeros, so that padding taken for payload is noticed.
    while (out.size() < minimum_frame) out.push_back(0xa5);
    return out;
}

std::optional<Segment> read_segment(const Bytes& frame, std::string& fault) {
    fault.clear();
    const auto packet = ip_packet(frame, fault);
    if (!packet || packet->protocol != 6) return std::nullopt;
    const auto tcp = packet->upper;
    if (tcp.size() < tcp_size) return fault = "short TCP header", std::nullopt;
    const std::size_t offset = (tcp[12] >> 4) * 4u;
    if (offset < tcp_size || offset > tcp.size()) return fault = "wrong TCP data offset", std::nullopt;
    if (fold(upper_sum(packet->ip, 6, tcp)) != 0) return fault = "wrong TCP checksum", std::nullopt;
    Segment s;
    s.to_mac = destination_mac(frame);
    s.from_mac = source_mac(frame);
    const bool v6 = packet->ip[0] >> 4 == 6;
    s.from = {v6 ? read_v6(packet->ip + 8) : read_v4(packet->ip + 12), read16(&tcp[0])};
    s.to = {v6 ? read_v6(packet->ip + 24) : read_v4(packet->ip + 16), read16(&tcp[2])};
    s.seq = {read32(&tcp[4])};
    s.ack = {read32(&tcp[8])};
    s.flags = tcp[13];
    s.window = read16(&tcp[14]);
    s.ttl = packet->ip[v6 ? 7 : 8];
    const auto traffic_class = static_cast<std::uint8_t>(v6 ? read16(packet->ip) >> 4 : packet->ip[1]);
    if (traffic_class > ecn::ce) return fault = "DSCP is not 0", std::nullopt;
    s.ecn = traffic_class;
    s.payload = tcp.subspan(offset);
    if (!read_options(tcp.subspan(tcp_size, offset - tcp_size), s.options))
        return fault = "malformed TCP options", std::nullopt;
    return s;
}

Bytes write_resolution(const Resolution& a, MacAddress to) {
    if (!a.target.is_v4()) return write_discovery(a, to);
    Bytes out;
    put_ethernet(out, to, a.from_mac, ethertype_arp);
    put32(out, 0x00010800);
    put32(out, 0x06040000u | a.operation);
    put_mac(out, a.sender_mac);
    put_v4(out, a.sender);
    put_mac(out, a.target_mac);
    put_v4(out, a.target);
    while (out.size() < minimum_frame) out.push_back(0);
    return out;
}

std::optional<Resolution> read_resolution(const Bytes& frame) {
    if (frame.size() >= eth_size && ethertype(frame) == ethertype_ipv6) return read_discovery(frame);
    if (frame.size() < eth_size + 28 || ethertype(frame) != ethertype_arp) return std::nullopt;
    const std::uint8_t* p = frame.data() + eth_size;
    if (read32(p) != 0x00010800 || read16(p + 4) != 0x0604) return std::nullopt;
    return Resolution{read16(p + 6),    source_mac(frame), read_mac(p + 8),
                      read_mac(p + 18), read_v4(p + 14),   read_v4(p + 24)};
}

std::optional<Bytes> echo_reply(const Bytes& frame) {
    std::string fault;
    const auto packet = ip_packet(frame, fault);
    const bool v6 = packet && packet->ip[0] >> 4 == 6;
    if (!packet || packet->upper.size() < 8 || packet->protocol != (v6 ? icmpv6 : 1) ||
        packet->upper[0] != (v6 ? 128 : 8))
        return std::nullopt;
    Bytes out = frame;
    std::swap_ranges(out.begin(), out.begin() + 6, out.begin() + 6);
    const auto width = v6 ? 16 : 4;
    const auto addresses = out.begin() + static_cast<std::ptrdiff_t>(eth_size + (v6 ? 8 : 12));
    std::swap_ranges(addresses, addresses + width, addresses + width);
    const auto icmp = static_cast<std::size_t>(packet->upper.data() - frame.data());
    out[icmp] = v6 ? 129 : 0;
    patch16(out, icmp + 2, 0);
    const std::span message(out.data() + icmp, packet->upper.size());
    patch16(out, icmp + 2, fold(v6 ? upper_sum(out.data() + eth_size, icmpv6, message) : ones_sum(message)));
    return out;
}

std::string describe(const Segment& s, SeqNum seq_base, SeqNum ack_base) {
    std::string text;
    const char* names = "FSRPAUEC";
    for (int i = 0; i < 8; ++i)
        if ((s.flags >> i & 1) != 0) text += names[i];
    const auto relative = [](SeqNum n, SeqNum base) { return std::to_string(n - base); };
    text += " " + relative(s.seq, seq_base);
    if (s.length() > 0) text += ":" + relative(s.seq + s.length(), seq_base);
    if (s.has(flag::ack)) text += " ack " + relative(s.ack, ack_base);
    text += " win " + std::to_string(s.window);
    if (s.options.mss) text += " mss " + std::to_string(*s.options.mss);
    if (s.options.window_scale) text += " ws " + std::to_string(*s.options.window_scale);
    if (s.options.sack_permitted) text += " sackok";
    if (const auto& ts = s.options.timestamps)
        text += " ts " + std::to_string(ts->value) + " " + std::to_string(ts->echo);
    for (const auto& r : s.options.ranges())
        text += " sack " + relative(r.begin, ack_base) + "-" + relative(r.end, ack_base);
    return text;
}

}  // namespace holdfast::sim
