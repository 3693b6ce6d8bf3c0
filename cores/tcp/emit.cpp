#include "cores/tcp/emit.hpp"

#include <cstring>

#include "lib/wire/checksum.hpp"

namespace holdfast::tcp {
namespace {

using wire::ethernet_size;
using wire::ipv4_size;

constexpr std::uint8_t time_to_live = 64;

struct Lengths {
    std::uint16_t tcp_header, payload;
};

void write_ipv4(std::uint8_t* ip, const LegRecord& leg, std::uint16_t total, bool offloaded) {
    const std::uint32_t from = leg.local.address.v4(), to = leg.remote.address.v4();
    wire::store32(ip, 0x45000000u | total);
    wire::store32(ip + 4, 0x00004000u);  // don't fragment: RFC 1191
    wire::store32(ip + 8, static_cast<std::uint32_t>(time_to_live) << 24 | 6u << 16);
    std::memcpy(ip + 12, &from, 4);
    std::memcpy(ip + 16, &to, 4);
    if (offloaded) return;
    const auto sum = static_cast<std::uint16_t>(~wire::sum_bytes(ip, ipv4_size));
    std::memcpy(ip + 10, &sum, 2);
}

void set_checksums(rte_mbuf* m, const LegRecord& leg, std::uint8_t* tcp, Lengths size,
                   std::uint32_t payload_sum, const net::InterfaceSettings& port) {
    const auto length = static_cast<std::uint16_t>(size.tcp_header + size.payload);
    const auto pseudo = wire::pseudo_header_sum(leg.local.address, leg.remote.address, length);
    m->ol_flags = 0;
    m->l2_len = ethernet_size;
    m->l3_len = ipv4_size;
    m->l4_len = size.tcp_header;
    if (port.tx_ip_checksum) m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
    std::uint16_t sum = 0;
    if (port.tx_tcp_checksum) {
        m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
        sum = wire::fold(pseudo);  // the port adds the rest
    } else {
        sum = static_cast<std::uint16_t>(
            ~wire::fold(pseudo + wire::sum_bytes(tcp, size.tcp_header) + payload_sum));
    }
    std::memcpy(tcp + 16, &sum, 2);
}

/// Writes TCP, IPv4 and room for Ethernet in front of the data of `m` and hands it to the port.
bool send(rte_mbuf* m, const LegRecord& leg, const wire::TcpHeader& h, std::uint16_t payload,
          std::uint32_t payload_sum, const Context& c) {
    const auto& port = c.net.settings();
    const auto header = static_cast<std::uint16_t>(wire::tcp_size + wire::tcp_options_size(h.options));
    auto* tcp = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(m, header));
    wire::write_tcp_header(tcp, h);
    auto* ip = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(m, ipv4_size));
    write_ipv4(ip, leg, static_cast<std::uint16_t>(ipv4_size + header + payload), port.tx_ip_checksum);
    set_checksums(m, leg, tcp, {header, payload}, payload_sum, port);
    rte_pktmbuf_prepend(m, ethernet_size);
    c.counters.add(Counter::segments_sent);
    return c.net.send_ip(m, leg.remote.address, c.self, c.now);
}

Packet fresh(const Context& c) {
    auto packet = c.net.pool().allocate();
    if (!packet) c.counters.add(Counter::no_buffer);
    return packet;
}

void add_sack(Tcb& t, wire::TcpHeader& h, const Context& c) {
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
    if (withheld && c.config.hold_sack && !(rcv.out_of_order && rcv.hold_until <= c.now)) return;
    std::array<PositionRange, 4> ranges;
    const auto n = rcv.queue.ranges(rcv.next + 1, rcv.newest_out_of_order, ranges);
    for (std::size_t i = 0; i < n && o.sack_count < room; ++i) {
        if (!rcv.ledger.note_sacked(ranges[i])) break;
        o.sack[o.sack_count++] = {receive_seq(t, ranges[i].begin), receive_seq(t, ranges[i].end)};
    }
}

}  // namespace

std::uint16_t take_window(Tcb& t, Position ack) {
    auto& rcv = t.soft.rcv;
    const auto open = distance(ack, rcv.edge_limit);
    auto window = open <= 0 ? 0 : static_cast<std::uint64_t>(open) >> t.hard.receive_scale;
    if (window > 0xffff) window = 0xffff;
    rcv.edge_sent = std::max(rcv.edge_sent, ack + (window << t.hard.receive_scale));
    return static_cast<std::uint16_t>(window);
}

wire::TcpHeader make_header(const Tcb& t, const Context& c, Position seq, std::uint8_t flags) {
    const auto& leg = t.hard.leg;
    wire::TcpHeader h;
    h.source_port = leg.local.port;
    h.destination_port = leg.remote.port;
    h.seq = send_seq(t, seq);
    h.ack = receive_seq(t, t.soft.rcv.ledger.ack_number());
    h.flags = flags;
    if (t.hard.timestamps) {
        h.options.has_timestamps = true;
        h.options.ts_value = c.ts_now + leg.ts_offset;
        h.options.ts_echo = t.soft.rcv.ts_recent;
    }
    return h;
}

bool emit_control(const LegRecord& leg, const wire::TcpHeader& header, const Context& c) {
    auto packet = fresh(c);
    if (!packet) return false;
    packet.get()->data_off = RTE_PKTMBUF_HEADROOM;
    return send(packet.release(), leg, header, 0, 0, c);
}

bool emit_in_place(const LegRecord& leg, const wire::TcpHeader& header, rte_mbuf* m, const Context& c) {
    auto& d = meta(m);
    if (!d.sum_known && !c.net.settings().tx_tcp_checksum) {
        d.payload_sum = wire::sum_bytes(payload(m), d.payload_len);
        d.sum_known = true;
    }
    m->data_off = d.payload_offset;
    m->data_len = d.payload_len;
    m->pkt_len = d.payload_len;
    return send(m, leg, header, d.payload_len, d.payload_sum, c);
}

bool emit_copy(const LegRecord& leg, const wire::TcpHeader& header, const std::uint8_t* bytes,
               std::uint16_t size, const Context& c) {
    auto packet = fresh(c);
    if (!packet) return false;
    auto* to = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(packet.get(), size));
    std::memcpy(to, bytes, size);
    const auto sum = c.net.settings().tx_tcp_checksum ? 0u : wire::sum_bytes(to, size);
    return send(packet.release(), leg, header, size, sum, c);
}

bool emit_ack(Tcb& t, const Context& c) {
    auto& rcv = t.soft.rcv;
    auto h = make_header(t, c, t.soft.snd.nxt, wire::flag::ack);
    const auto ack = rcv.ledger.ack_number();
    if (t.hard.sack) add_sack(t, h, c);
    h.window = take_window(t, ack);
    if (!emit_control(t.hard.leg, h, c)) return false;
    if (rcv.ledger.is_clamped()) c.counters.add(Counter::ack_clamped_by_sack);
    rcv.ledger.note_ack_sent();
    rcv.ack_now = rcv.out_of_order = rcv.hold_counted = false;
    rcv.hold_until = Instant::never();
    c.counters.add(Counter::acks_sent);
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
    emit_ack(t, c);
}

void emit_reset(const Tcb& t, const Context& c) {
    auto h = make_header(t, c, t.soft.snd.nxt, wire::flag::rst | wire::flag::ack);
    h.window = 0;
    emit_control(t.hard.leg, h, c);
}

void emit_reset_reply(const wire::Frame& f, const Context& c) {
    LegRecord leg;
    leg.local = {f.destination, f.tcp.destination_port};
    leg.remote = {f.source, f.tcp.source_port};
    wire::TcpHeader h;
    h.source_port = leg.local.port;
    h.destination_port = leg.remote.port;
    h.flags = wire::flag::rst;
    if (f.tcp.has(wire::flag::ack)) {
        h.seq = f.tcp.ack;
    } else {
        h.flags |= wire::flag::ack;
        h.ack = f.tcp.seq + f.payload_len + (f.tcp.has(wire::flag::syn) ? 1u : 0u) +
                (f.tcp.has(wire::flag::fin) ? 1u : 0u);
    }
    emit_control(leg, h, c);
}

}  // namespace holdfast::tcp
