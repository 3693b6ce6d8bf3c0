#include "cores/tcp/emit.hpp"

#include <cstring>

#include "lib/wire/checksum.hpp"

namespace holdfast::tcp {
namespace {

using wire::ethernet_size;
using wire::ipv4_size;
using wire::ipv6_size;

/// A segment on its way to the wire.
struct Outgoing {
    const LegRecord& leg;
    const wire::TcpHeader& header;
    std::uint16_t payload;
    std::uint32_t payload_sum;  ///< needed only where the port fills in no checksum
    wire::Ecn ecn = wire::Ecn::not_ect;
};

//= rfc9293#3.9.2
//  What the configuration says.
std::uint8_t time_to_live(const Context& c) { return static_cast<std::uint8_t>(c.config.ttl); }

void write_ipv4(std::uint8_t* ip, const Outgoing& o, std::uint32_t total, const Context& c) {
    const std::uint32_t from = o.leg.local.address.v4(), to = o.leg.remote.address.v4();
    //= rfc9293#3.9.2
    //  The DiffServ field is 0 throughout: what one network means by a value says nothing to the other one.
    wire::store32(ip, 0x45000000u | static_cast<std::uint32_t>(o.ecn) << 16 | total);
    //= rfc1191#3
    //  No router on the path cuts our packets.
    wire::store32(ip + 4, 0x00004000u);  // don't fragment: RFC 1191
    wire::store32(ip + 8, static_cast<std::uint32_t>(time_to_live(c)) << 24 | 6u << 16);
    std::memcpy(ip + 12, &from, 4);
    std::memcpy(ip + 16, &to, 4);
    if (c.net.settings().tx_ip_checksum) return;
    const auto sum = static_cast<std::uint16_t>(~wire::sum_bytes(ip, ipv4_size));
    std::memcpy(ip + 10, &sum, 2);
}

void write_ipv6(std::uint8_t* ip, const Outgoing& o, std::uint16_t length, const Context& c) {
    wire::store32(ip, 0x60000000u | static_cast<std::uint32_t>(o.ecn) << 20);
    wire::store16(ip + 4, length);
    ip[6] = wire::protocol::tcp;
    ip[7] = time_to_live(c);
    std::memcpy(ip + 8, o.leg.local.address.bytes.data(), 16);
    std::memcpy(ip + 24, o.leg.remote.address.bytes.data(), 16);
}

/// What the port is to do with the checksums.
std::uint64_t offload_flags(const net::InterfaceSettings& port, bool v4) {
    std::uint64_t flags = 0;
    if (v4 && port.tx_ip_checksum) flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
    if (port.tx_tcp_checksum)
        flags |= (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) | RTE_MBUF_F_TX_TCP_CKSUM;
    return flags;
}

/// Writes TCP, IP and room for Ethernet in front of the data of `m`.
void write(rte_mbuf* m, const Outgoing& o, const Context& c) {
    const auto& port = c.net.settings();
    const auto header = wire::tcp_size + wire::tcp_options_size(o.header.options);
    const auto length = static_cast<std::uint16_t>(header + o.payload);
    const bool v4 = o.leg.remote.address.is_v4();
    const auto ip_size = v4 ? ipv4_size : ipv6_size;
    auto* ip = reinterpret_cast<std::uint8_t*>(
                   rte_pktmbuf_prepend(m, static_cast<std::uint16_t>(ethernet_size + ip_size + header))) +
               ethernet_size;
    auto* tcp = ip + ip_size;
    if (v4) write_ipv4(ip, o, static_cast<std::uint32_t>(ipv4_size) + length, c);
    else write_ipv6(ip, o, length, c);
    wire::write_tcp_header(tcp, o.header);
    //= rfc9293#3.1
    //  No segment leaves without a checksum: the port adds it where it can, we do where not.
    const auto pseudo = wire::pseudo_header_sum(o.leg.local.address, o.leg.remote.address, length);
    // The port adds the rest, or nobody does.
    const auto sum =
        port.tx_tcp_checksum
            ? wire::fold(pseudo)
            : static_cast<std::uint16_t>(~wire::fold(pseudo + wire::sum_bytes(tcp, header) + o.payload_sum));
    std::memcpy(tcp + 16, &sum, 2);
    set_offloads(m, offload_flags(port, v4));
    m->tx_offload = rte_mbuf_tx_offload(ethernet_size, ip_size, header, 0, 0, 0, 0);
    c.counters.add(Counter::segments_sent);
}

/// Writes the segment and hands it to the port.
bool send(rte_mbuf* m, Tcb& t, const Outgoing& o, const Context& c) {
    write(m, o, c);
    auto& hop = t.soft.next_hop;
    if (!c.net.is_current(hop)) hop = c.net.route(t.hard.leg.remote.address, c.now);
    return c.net.send_to(m, hop, c.self, c.now);
}

Packet fresh(const Context& c) {
    auto packet = c.net.pool().allocate();
    if (!packet) c.counters.add(Counter::no_buffer);
    return packet;
}

/// Adds what has arrived twice, and what waits above a hole. True if there is more to say.
bool add_sack(Tcb& t, wire::TcpHeader& h, const Context& c) {
    auto& rcv = t.soft.rcv;
    auto& o = h.options;
    const std::size_t room = t.hard.timestamps ? 3 : 4;
    //= rfc2883#4
    //  A duplicate is reported once, as the first block of the first ACK after it.
    if (rcv.duplicate_count > 0 && rcv.duplicates[0].end <= rcv.ledger.ack_number()) {
        const auto d = rcv.duplicates[0];
        rcv.duplicates[0] = rcv.duplicates[1];
        --rcv.duplicate_count;
        o.sack[o.sack_count++] = {receive_seq(t, d.begin), receive_seq(t, d.end)};
        c.counters.add(Counter::dsack_sent);
    }
    const bool withheld = rcv.ledger.releasable() != rcv.next;
    if (withheld && c.config.hold_sack && !(rcv.out_of_order && rcv.hold_until <= c.now)) return false;
    //= rfc2018#4
    //  The newest block first, then others while they fit; none without permission.
    const auto found = rcv.queue.ranges(rcv.newest_out_of_order);
    std::size_t told = 0;
    for (; told < found.count && o.sack_count < room; ++told) {
        const auto& r = found.range[told];
        //= rfc2018#3
        //  A block is its first number and the one behind its last.
        rcv.queue.mark_reported(r);
        o.sack[o.sack_count++] = {receive_seq(t, r.begin), receive_seq(t, r.end)};
    }
    return found.more || told < found.fresh;
}

/// The next ACK answers several segments, while the endpoint repairs a loss: it then has no tail loss probe
/// (RFC 8985 section 7.2), so if this one ACK is lost it stands still until its retransmission timeout.
bool deserves_repetition(const Tcb& t) {
    const auto& r = t.soft.rcv;
    return t.hard.sack && r.unanswered > 1 && r.ledger.acknowledged() < r.repaired_at;
}

}  // namespace

bool emit_control(Tcb& t, const wire::TcpHeader& header, const Context& c, wire::Ecn ecn) {
    auto packet = fresh(c);
    if (!packet) return false;
    return send(packet.release(), t, {t.hard.leg, header, 0, 0, ecn}, c);
}

bool emit_in_place(Tcb& t, const wire::TcpHeader& header, rte_mbuf* m, const Context& c, wire::Ecn ecn) {
    auto& d = meta(m);
    if (!d.sum_known && !c.net.settings().tx_tcp_checksum) {
        d.payload_sum = wire::sum_bytes(payload(m), d.payload_len);
        d.sum_known = true;
    }
    m->data_off = d.payload_offset;
    m->data_len = d.payload_len;
    m->pkt_len = d.payload_len;
    return send(m, t, {t.hard.leg, header, d.payload_len, d.payload_sum, ecn}, c);
}

bool emit_part(Tcb& t, const wire::TcpHeader& header, rte_mbuf* m, Position begin, std::uint16_t size,
               const Context& c, wire::Ecn ecn) {
    const auto* bytes = payload(m) + (begin - meta(m).begin);
    // A short copy costs less than a second descriptor.
    constexpr std::uint16_t worth_chaining = 128;
    if (!c.net.settings().multi_segs || size < worth_chaining)
        return emit_copy(t, header, bytes, size, c, ecn);
    auto head = fresh(c), body = fresh(c);
    if (!head || !body) return false;
    auto* b = body.release();
    rte_pktmbuf_attach(b, m);
    b->data_off = static_cast<std::uint16_t>(bytes - static_cast<const std::uint8_t*>(b->buf_addr));
    b->data_len = size;
    b->pkt_len = size;
    b->next = nullptr;
    b->nb_segs = 1;
    auto* h = head.release();
    h->next = b;
    h->nb_segs = 2;
    h->pkt_len = size;
    c.counters.add(Counter::chained);
    const auto sum = c.net.settings().tx_tcp_checksum ? 0u : wire::sum_bytes(bytes, size);
    return send(h, t, {t.hard.leg, header, size, sum, ecn}, c);
}

bool emit_copy(Tcb& t, const wire::TcpHeader& header, const std::uint8_t* bytes, std::uint16_t size,
               const Context& c, wire::Ecn ecn) {
    auto packet = fresh(c);
    if (!packet) return false;
    auto* to = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(packet.get(), size));
    std::memcpy(to, bytes, size);
    const auto sum = c.net.settings().tx_tcp_checksum ? 0u : wire::sum_bytes(to, size);
    return send(packet.release(), t, {t.hard.leg, header, size, sum, ecn}, c);
}

bool emit_ack(Tcb& t, const Context& c) {
    auto& rcv = t.soft.rcv;
    auto h = make_header(t, c, t.soft.snd.nxt, wire::flag::ack);
    const auto ack = rcv.ledger.ack_number();
    const bool precious = deserves_repetition(t);
    const auto duplicates = rcv.duplicate_count;
    const bool more = t.hard.sack && (rcv.duplicate_count > 0 || !rcv.queue.empty()) && add_sack(t, h, c);
    h.window = take_window(t, ack);
    if (!emit_control(t, h, c)) {
        // What it was to say, a wider window for one, is still owed.
        rcv.ack_now = true;
        return false;
    }
    if (rcv.ledger.is_clamped()) c.counters.add(Counter::ack_clamped_by_sack);
    rcv.ledger.note_ack_sent();
    rcv.ack_now = rcv.hold_counted = false;
    rcv.unanswered = 0;
    rcv.out_of_order = more;
    if (!more) rcv.hold_until = Instant::never();
    c.counters.add(Counter::acks_sent);
    //= rfc5681#4.2
    //  Two at most, and only of two segments or more. More blocks follow in an ACK of their own, and a
    //  duplicate is reported once.
    if (precious && !more && rcv.duplicate_count == duplicates && emit_control(t, h, c))
        c.counters.add(Counter::acks_repeated);
    return true;
}

void emit_challenge_ack(Tcb& t, const Context& c) {
    //= rfc5961#7
    //  At most ten a second and connection.
    auto& s = t.soft;
    if (c.now - s.challenge_window >= seconds(1)) {
        s.challenge_window = c.now;
        s.challenges = 0;
    }
    if (s.challenges >= 10) {
        c.counters.add(Counter::challenge_acks_limited);
        return;
    }
    ++s.challenges;
    c.counters.add(Counter::challenge_acks_sent);
    s.rcv.unanswered = 0;  // it goes once, whatever it answers besides
    emit_ack(t, c);
}

void emit_reset(Tcb& t, const Context& c) {
    auto h = make_header(t, c, t.soft.snd.nxt, wire::flag::rst | wire::flag::ack);
    h.window = 0;
    emit_control(t, h, c);
}

void emit_reply(const wire::Frame& f, wire::TcpHeader h, const Context& c) {
    LegRecord leg;
    leg.local = {f.destination, f.tcp.destination_port};
    leg.remote = {f.source, f.tcp.source_port};
    h.source_port = leg.local.port;
    h.destination_port = leg.remote.port;
    auto packet = fresh(c);
    if (!packet) return;
    auto* m = packet.release();
    write(m, {leg, h, 0, 0}, c);
    c.net.send_back(m, f, c.self, c.now);
}

void emit_reset_reply(const wire::Frame& f, const Context& c) {
    wire::TcpHeader h;
    h.flags = wire::flag::rst;
    if (f.tcp.has(wire::flag::ack)) {
        h.seq = f.tcp.ack;
    } else {
        h.flags |= wire::flag::ack;
        h.ack = f.tcp.seq + f.payload_len + (f.tcp.has(wire::flag::syn) ? 1u : 0u) +
                (f.tcp.has(wire::flag::fin) ? 1u : 0u);
    }
    emit_reply(f, h, c);
}

}  // namespace holdfast::tcp
