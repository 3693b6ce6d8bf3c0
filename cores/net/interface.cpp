#include "cores/net/interface.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/wire/neighbour.hpp"

namespace holdfast::net {
namespace {

using namespace literals;
using wire::ethernet_size;

constexpr Duration query_interval = 200_ms;
constexpr Duration refresh_after = 30_s;
constexpr unsigned questions_at_once = 32;
constexpr Duration question_pause = 5_ms;
/// A neighbour that was known and is not heard for long is asked alone so often, then so often in all, and
/// then is no longer there.
constexpr unsigned questions_alone = 3, questions_max = 6;
/// Unanswered queries after which waiting frames are dropped: 3 s.
constexpr unsigned forget_pending_queries = 15;

/// All next hops that are configured.
std::vector<IpAddress> gateways(const InterfaceSettings& s) {
    std::vector<IpAddress> all{s.gateway, s.gateway6};
    for (const auto& route : s.routes) all.push_back(route.via);
    return all;
}

}  // namespace

Interface::Interface(InterfaceSettings settings, PacketPool& pool, NetCounters& counters)
    : settings_(std::move(settings)),
      own_mac_(settings_.own_mac.as_integer()),
      virtual_mac_(settings_.virtual_mac.as_integer()),
      pool_(pool),
      counters_(counters),
      virtual_queue_(settings_.queue),
      own_queue_(256),
      routes_(settings_.name, settings_.routes),
      fragments_(pool, counters),
      neighbours_(settings_.neighbours, gateways(settings_), counters) {}

bool Interface::is_virtual_address(const IpAddress& a) const {
    for (const auto& v : settings_.virtual_addresses)
        if (v == a) return true;
    return false;
}

std::optional<Self> Interface::self_of(const IpAddress& a) const {
    if (is_own_address(a)) return Self::own;
    if (speaking_ && is_virtual_address(a)) return Self::virtual_self;
    return std::nullopt;
}

bool Interface::is_on_link(const IpAddress& a) const {
    const auto& own = a.is_v4() ? settings_.own_address : settings_.own_address6;
    return !own.address.is_unspecified() && (own.contains(a) || a.is_link_local_v6());
}

const IpAddress& Interface::next_hop_of(const IpAddress& destination) const {
    const auto* route = routes_.find(destination);
    if (is_on_link(destination)) {
        // A route may lead to a part of our own network.
        const auto& own = destination.is_v4() ? settings_.own_address : settings_.own_address6;
        return route != nullptr && route->to.length > own.length ? route->via : destination;
    }
    if (route != nullptr) return route->via;
    return destination.is_v4() ? settings_.gateway : settings_.gateway6;
}

void Interface::learn(const IpAddress& address, const MacAddress& mac, bool solicited, Instant now) {
    // RFC 826: an entry that exists is always updated; a new one only when the packet was meant for us.
    // What it is told costs nobody: an entry counts as used when frames are sent to it.
    auto* n = solicited && is_on_link(address) ? neighbours_.find_or_create(address, Instant{})
                                               : neighbours_.find(address);
    if (n == nullptr) return;
    n->mac = mac;
    n->resolved = true;
    n->queries = 0;
    n->confirmed = now;
    n->fresh_until = now + refresh_after;
    flush_pending(*n);
}

bool Interface::queue(rte_mbuf* m, Self self) {
    auto& q = self == Self::virtual_self ? virtual_queue_ : own_queue_;
    if (q.push(m)) return true;
    counters_.add(Counter::tx_queue_full);
    rte_pktmbuf_free(m);
    return false;
}

void Interface::put_link(std::uint8_t* p, const MacAddress& to, const MacAddress& from,
                         std::uint16_t type) const {
    std::memcpy(p, to.bytes.data(), 6);
    std::memcpy(p + 6, from.bytes.data(), 6);
    p += 12;
    if (settings_.vlan != 0) {
        wire::store16(p, wire::ethertype_vlan);
        wire::store16(p + 2, settings_.vlan);
        p += wire::vlan_tag_size;
    }
    wire::store16(p, type);
}

/// The frame comes with room for an Ethernet header without a tag: nobody else knows of tags.
bool Interface::finish(rte_mbuf* m, const MacAddress& to, Self self) {
    const bool v6 = *rte_pktmbuf_mtod_offset(m, std::uint8_t*, ethernet_size) >> 4 == 6;
    if (settings_.vlan != 0) {
        rte_pktmbuf_prepend(m, wire::vlan_tag_size);
        m->l2_len = link_size();
    }
    put_link(rte_pktmbuf_mtod(m, std::uint8_t*), to, mac_of(self),
             v6 ? wire::ethertype_ipv6 : wire::ethertype_ipv4);
    return queue(m, self);
}

void Interface::flush_pending(Neighbour& n) {
    neighbours_.take_pending(n, [&](rte_mbuf* m, bool as_virtual_self) {
        finish(m, n.mac, as_virtual_self ? Self::virtual_self : Self::own);
    });
}

NextHop Interface::route(const IpAddress& destination, Instant now) {
    const auto& hop = next_hop_of(destination);
    if (hop.is_unspecified()) {
        counters_.add(Counter::no_route);
        return no_next_hop;
    }
    const auto* n = neighbours_.find_or_create(hop, now);
    return n == nullptr ? no_next_hop : neighbours_.hop_of(*n);
}

bool Interface::send_ip(rte_mbuf* m, const IpAddress& destination, Self self, Instant now) {
    return send_to(m, route(destination, now), self, now);
}

bool Interface::send_to(rte_mbuf* m, NextHop hop, Self self, Instant now) {
    if (hop == no_next_hop) {
        rte_pktmbuf_free(m);
        return false;
    }
    auto& n = neighbours_.at(hop);
    n.used = now;
    return now <= n.fresh_until ? finish(m, n.mac, self) : send_unconfirmed(m, n, self, now);
}

bool Interface::send_back(rte_mbuf* m, const wire::Frame& frame, Self self, Instant now) {
    if (!is_on_link(frame.source)) return send_ip(m, frame.source, self, now);
    if (!frame.source_mac.is_multicast()) return finish(m, frame.source_mac, self);
    counters_.add(Counter::sender_is_group);
    rte_pktmbuf_free(m);
    return false;
}

/// The neighbour was never heard, or not for long.
bool Interface::send_unconfirmed(rte_mbuf* m, Neighbour& n, Self self, Instant now) {
    if (n.resolved) {
        if (now - n.asked > 1_s) ask(n, now);
        return finish(m, n.mac, self);
    }
    if (!neighbours_.add_pending(n, m, self == Self::virtual_self)) {
        counters_.add(Counter::neighbour_pending_full);
        rte_pktmbuf_free(m);
        return false;
    }
    if (now - n.asked >= query_interval) ask(n, now);
    return true;
}

std::uint8_t* Interface::start_frame(Packet& packet, const MacAddress& to, const MacAddress& from,
                                     std::uint16_t ethertype, std::size_t size) {
    packet = pool_.allocate();
    if (!packet) {
        counters_.add(Counter::pool_empty);
        return nullptr;
    }
    auto* p = reinterpret_cast<std::uint8_t*>(
        rte_pktmbuf_append(packet.get(), static_cast<std::uint16_t>(link_size() + size)));
    if (p == nullptr) return nullptr;
    put_link(p, to, from, ethertype);
    return p + link_size();
}

bool Interface::send_raw(std::span<const std::uint8_t> body, std::uint16_t ethertype, MacAddress to) {
    Packet packet;
    auto* p = start_frame(packet, to, settings_.own_mac, ethertype, body.size());
    if (p == nullptr) return false;
    std::memcpy(p, body.data(), body.size());
    return queue(packet.release(), Self::own);
}

void Interface::note_question(Neighbour& n, Instant now) {
    n.asked = now;
    if (n.queries < 255) ++n.queries;
    next_tick_ = earlier(next_tick_, now + query_interval);
}

//= rfc4861#7.3.3
//  Who is known is asked alone whether he still is there; others only when he does not answer. ARP alike
//  (RFC 1122 section 2.3.2.1).
void Interface::ask(Neighbour& n, Instant now) {
    if (!n.resolved || n.queries >= questions_alone) return query(n.address, now);
    note_question(n, now);
    if (!n.address.is_v4()) return solicit(n.address, settings_.own_address6.address, n.mac);
    counters_.add(Counter::arp_requests_sent);
    send_arp(false, settings_.own_mac, settings_.own_address.address, {}, n.address, n.mac, Self::own);
}

/// From now on frames to it wait for an answer, as in the beginning.
void Interface::give_up(Neighbour& n) {
    counters_.add(Counter::neighbours_lost);
    n.resolved = false;
    n.fresh_until = Instant{-1};
}

void Interface::query(const IpAddress& target, Instant now) {
    if (auto* n = neighbours_.find_or_create(target, now)) note_question(*n, now);
    if (!target.is_v4()) return solicit(target, settings_.own_address6.address);
    counters_.add(Counter::arp_requests_sent);
    send_arp(false, settings_.own_mac, settings_.own_address.address, {}, target, MacAddress::broadcast(),
             Self::own);
}

void Interface::probe(const IpAddress& target) {
    if (!target.is_v4()) return solicit(target, {});
    counters_.add(Counter::arp_requests_sent);
    send_arp(false, settings_.own_mac, IpAddress::from_v4(0), {}, target, MacAddress::broadcast(), Self::own);
}

void Interface::prepare(const IpAddress& target, Instant now) {
    const auto& hop = next_hop_of(target);
    if (hop.is_unspecified()) return;
    auto* n = neighbours_.find_or_create(hop, now);
    if (n == nullptr) return;
    n->used = now;
    if (!n->resolved && now - n->asked >= query_interval) ask(*n, now);
}

void Interface::announce() {
    for (const auto& v : settings_.virtual_addresses) {
        counters_.add(Counter::announcements_sent);
        if (!v.is_v4()) {
            const auto group = wire::all_nodes();
            advertise(v, Self::virtual_self, group, wire::multicast_mac(group));
        } else {
            send_arp(false, settings_.virtual_mac, v, {}, v, MacAddress::broadcast(), Self::virtual_self);
        }
    }
}

Heard Interface::receive(rte_mbuf* m, const wire::Frame& frame, Instant now) {
    if (frame.kind == wire::FrameKind::arp) return {receive_arp(m, frame, now), {}};
    return receive_icmp(m, frame, now);
}

Packet Interface::reassemble(Packet fragment, const wire::Frame& frame, Instant now) {
    if (is_virtual_address(frame.destination)) return fragments_.take(std::move(fragment), frame, now);
    counters_.add(Counter::fragments_refused);
    return {};
}

void Interface::advance(Instant now) {
    if (now >= report_at_) report_groups(now);
    fragments_.advance(now);
    if (now < next_tick_) return;
    next_tick_ = Instant::never();
    unsigned asked = 0;
    for (auto& n : neighbours_.entries()) {
        if (n.queries == 0) continue;
        const bool due = now - n.asked >= query_interval;
        if (n.resolved && n.queries >= questions_max && due) give_up(n);
        if (n.pending_count > 0 && n.queries > forget_pending_queries) neighbours_.drop_pending(n);
        // Ask again while frames wait or the entry is in use; a neighbour that stays silent is asked ever
        // slower.
        const bool wanted = n.pending_count > 0 || (now - n.used < 10_s && n.queries < 20);
        if (!wanted) {
            n.queries = 0;
            continue;
        }
        // A few at a time: what is sent for the node itself shares the queue, heartbeats for one.
        if (due && asked < questions_at_once) {
            ask(n, now);
            ++asked;
        } else {
            next_tick_ = earlier(next_tick_, std::max(n.asked + query_interval, now + question_pause));
        }
    }
}

std::uint32_t Interface::transmit(std::span<rte_mbuf*> out, bool may_speak) {
    auto n = own_queue_.pop(out);
    if (may_speak) n += virtual_queue_.pop(out.subspan(n));
    else if (!virtual_queue_.empty()) counters_.add(Counter::lease_expired_dropped, virtual_queue_.clear());
    counters_.add(Counter::frames_sent, n);
    return n;
}

std::uint64_t Interface::held_mbufs() const {
    std::uint64_t n = virtual_queue_.size() + own_queue_.size() + fragments_.held_mbufs();
    for (const auto& e : neighbours_.entries()) n += e.pending_count;
    return n;
}

}  // namespace holdfast::net
