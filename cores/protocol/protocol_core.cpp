#include "cores/protocol/protocol_core.hpp"

#include <algorithm>
#include <cstring>

#include "cores/protocol/lane_budget.hpp"

namespace holdfast::protocol {
namespace {

/// A segment that no connection needs to be known for, or one from its own destination.
bool may_open(const wire::Frame& f) { return f.tcp.has(wire::flag::syn) || f.source == f.destination; }

}  // namespace

ProtocolCore::ProtocolCore(Side side, const Config& config, const net::InterfaceSettings& port,
                           rte_mempool* pool, proxy::Lane& lane, ControlRings& control,
                           const tcp::Secrets& secrets, const std::string& prefix, int socket,
                           std::uint64_t seed, Instant now)
    : side_(side),
      lane_(lane),
      control_(control),
      pool_(pool),
      net_(port, pool_, net_counters_),
      sessions_({side, config, lane, net_, tcp_counters_, proxy_counters_, secrets, prefix, socket, seed,
                 lane_budget(config), now}) {}

void ProtocolCore::receive(std::span<rte_mbuf* const> burst, Instant now) {
    net_counters_.add(net::Counter::frames_received, burst.size());
    for (std::size_t i = 0; i < burst.size(); ++i) {
        if (i + 2 < burst.size()) __builtin_prefetch(rte_pktmbuf_mtod(burst[i + 2], void*));
        dispatch(burst[i], now);
        if (gathered_ == batch) flush(now);
    }
    flush(now);
}

void ProtocolCore::flush(Instant now) {
    if (gathered_ == 0) return;
    sessions_.receive({frames_.data(), gathered_}, {packets_.data(), gathered_}, now);
    gathered_ = 0;
}

void ProtocolCore::tell_node(const Control& c) {
    if (!control_.to_node.push(c)) net_counters_.add(net::Counter::control_refused);
}

void ProtocolCore::icmp_error(const wire::IcmpError& error, Instant now) {
    // What came before it is taken before it.
    flush(now);
    sessions_.icmp_error(error, now);
}

/// Another node speaks under our virtual MAC: the switches may have learned its port.
void ProtocolCore::own_mac_heard(Instant now) {
    net_counters_.add(net::Counter::own_virtual_mac_heard);
    if (now < own_mac_told_ + milliseconds(100)) return;
    own_mac_told_ = now;
    Control c;
    c.kind = ControlKind::own_mac_heard;
    tell_node(c);
}

void ProtocolCore::dispatch(rte_mbuf* m, Instant now) {
    auto& f = frames_[gathered_];
    const auto kind = wire::parse_frame(m, false, f);
    frame_counters_.add(kind);
    if (!net_.is_of_our_vlan(f)) return rte_pktmbuf_free(m);
    if (f.source_mac == net_.settings().virtual_mac) own_mac_heard(now);
    switch (kind) {
        case wire::FrameKind::tcp:
            if (!net_.is_for_us(f) || f.destination_mac.is_multicast()) break;
            if (may_open(f) && net_.is_forged(f)) return rte_pktmbuf_free(m);
            packets_[gathered_++] = m;
            return;
        case wire::FrameKind::ip_fragment:
            if (!net_.is_for_us(f) || f.destination_mac.is_multicast()) break;
            if (auto whole = net_.reassemble(Packet(m), f, now)) dispatch(whole.release(), now);
            return;
        case wire::FrameKind::icmp:
        case wire::FrameKind::icmpv6:
            if (!net_.is_for_us(f)) break;
            if (net_.is_forged(f)) return rte_pktmbuf_free(m);
            [[fallthrough]];
        case wire::FrameKind::arp: {
            const auto [heard, error] = net_.receive(m, f, now);
            if (error) icmp_error(*error, now);
            if (!heard) return;
            Control c;
            c.kind = ControlKind::neighbour_heard;
            c.is_reply = heard->is_reply;
            c.is_probe = heard->is_probe();
            c.address = heard->sender;
            c.target = heard->target;
            c.mac = heard->mac;
            tell_node(c);
            return;
        }
        case wire::FrameKind::heartbeat: {
            Control c;
            c.kind = ControlKind::heartbeat_heard;
            c.size = static_cast<std::uint8_t>(std::min<std::size_t>(f.payload_len, heartbeat_max));
            std::memcpy(c.bytes.data(), rte_pktmbuf_mtod_offset(m, std::uint8_t*, f.payload_offset), c.size);
            tell_node(c);
            rte_pktmbuf_free(m);
            return;
        }
        default: rte_pktmbuf_free(m); return;
    }
    net_counters_.add(net::Counter::frames_not_for_us);
    rte_pktmbuf_free(m);
}

std::uint32_t ProtocolCore::take_control(Instant now) {
    Control c;
    std::uint32_t n = 0;
    for (; control_.to_core.pop(c); ++n) switch (c.kind) {
            case ControlKind::send_heartbeat:
                net_.send_raw({c.bytes.data(), c.size}, wire::ethertype_heartbeat, MacAddress::broadcast());
                break;
            case ControlKind::query: net_.query(c.address, now); break;
            case ControlKind::probe: net_.probe(c.address); break;
            case ControlKind::announce: net_.announce(); break;
            case ControlKind::heartbeat_heard:
            case ControlKind::neighbour_heard:
            case ControlKind::own_mac_heard: break;
        }
    return n;
}

std::uint32_t ProtocolCore::advance(Instant now) {
    const auto control = take_control(now);
    return control + sessions_.advance(now);
}

std::uint32_t ProtocolCore::transmit(std::span<rte_mbuf*> out, Instant now) {
    // The lease is read and compared here, directly before the burst (R4).
    const bool may_speak = now.ns < lane_.node.speak_until_ns.load(std::memory_order_acquire);
    return net_.transmit(out, may_speak);
}

Instant ProtocolCore::next_deadline() const { return sessions_.next_deadline(); }

std::uint64_t ProtocolCore::held_mbufs() const { return sessions_.held_mbufs() + net_.held_mbufs(); }

}  // namespace holdfast::protocol
