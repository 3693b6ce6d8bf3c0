#include "cores/net/interface.hpp"

#include <rte_byteorder.h>

#include <cstring>
#include <utility>

#include "lib/base/random.hpp"
#include "lib/wire/checksum.hpp"

namespace holdfast::net {
namespace {

using namespace literals;
using wire::ethernet_size;

constexpr Duration query_interval = 200_ms;
constexpr Duration refresh_after = 30_s;
/// Unanswered queries after which waiting frames are dropped: 3 s.
constexpr unsigned forget_pending_queries = 15;

std::uint64_t hash_of(const IpAddress& a) {
    // Next hops are few and mostly differ in the last bytes; the table is probed, not trusted.
    return (a.half(0) ^ a.half(1)) * 0x9e3779b97f4a7c15ULL >> 32;
}

void put_ethernet(std::uint8_t* p, const MacAddress& to, const MacAddress& from, std::uint16_t type) {
    std::memcpy(p, to.bytes.data(), 6);
    std::memcpy(p + 6, from.bytes.data(), 6);
    wire::store16(p + 12, type);
}

}  // namespace

Interface::Interface(InterfaceSettings settings, PacketPool& pool, NetCounters& counters)
    : settings_(std::move(settings)),
      own_mac_(settings_.own_mac.as_integer()),
      virtual_mac_(settings_.virtual_mac.as_integer()),
      pool_(pool),
      counters_(counters),
      virtual_queue_(settings_.queue),
      own_queue_(256) {
    std::uint32_t size = 64;
    while (size < settings_.neighbours * 2) size *= 2;
    neighbours_.resize(settings_.neighbours);
    neighbour_index_.resize(size);
    const auto length = settings_.own_address.length;
    mask_ = length == 0 ? 0 : rte_cpu_to_be_32(~std::uint32_t{0} << (32 - length));
    network_ = settings_.own_address.address.v4() & mask_;
}

bool Interface::is_on_link(const IpAddress& a) const { return (a.v4() & mask_) == network_; }

Interface::~Interface() {
    for (auto& n : neighbours_) drop_pending(n);
}

bool Interface::is_virtual_address(const IpAddress& a) const {
    for (const auto& v : settings_.virtual_addresses)
        if (v == a) return true;
    return false;
}

/// Where the index has the address, or would have it.
std::uint32_t* Interface::index_of(const IpAddress& address) {
    const auto mask = neighbour_index_.size() - 1;
    auto i = hash_of(address) & mask;
    while (neighbour_index_[i] != 0 && neighbours_[neighbour_index_[i] - 1].address != address)
        i = (i + 1) & mask;
    return &neighbour_index_[i];
}

Interface::Neighbour* Interface::find(const IpAddress& address) {
    const auto place = *index_of(address);
    return place == 0 ? nullptr : &neighbours_[place - 1];
}

Interface::Neighbour* Interface::find_or_create(const IpAddress& address, Instant now) {
    if (auto* n = find(address)) return n;
    auto* n = neighbour_count_ < neighbours_.size() ? &neighbours_[neighbour_count_++] : make_room();
    if (n == nullptr) {
        counters_.add(Counter::neighbour_table_full);
        return nullptr;
    }
    *index_of(address) = static_cast<std::uint32_t>(n - neighbours_.data()) + 1;
    n->address = address;
    n->used = now;
    return n;
}

/// Of a few entries in turn, the one that was not used for longest goes. Not the gateway's, and none that
/// frames wait for.
Interface::Neighbour* Interface::make_room() {
    constexpr std::uint32_t looked_at = 16;
    Neighbour* oldest = nullptr;
    for (std::uint32_t i = 0; i < looked_at; ++i) {
        auto& n = neighbours_[room_hand_];
        room_hand_ = room_hand_ + 1 < neighbours_.size() ? room_hand_ + 1 : 0;
        if (n.pending_count > 0 || n.address == settings_.gateway) continue;
        if (oldest == nullptr || n.used < oldest->used) oldest = &n;
    }
    if (oldest == nullptr) return nullptr;
    counters_.add(Counter::neighbours_forgotten);
    forget(*oldest);
    const auto generation = static_cast<std::uint16_t>(oldest->generation + 1);
    *oldest = Neighbour{};
    oldest->generation = generation;
    return oldest;
}

/// Takes an entry out of the index; what follows it in its run moves up, so that no search ends too early.
void Interface::forget(const Neighbour& n) {
    const auto mask = neighbour_index_.size() - 1;
    auto hole = static_cast<std::size_t>(index_of(n.address) - neighbour_index_.data());
    neighbour_index_[hole] = 0;
    for (auto i = (hole + 1) & mask; neighbour_index_[i] != 0; i = (i + 1) & mask) {
        const auto home = hash_of(neighbours_[neighbour_index_[i] - 1].address) & mask;
        // It may stay if its home lies between the hole and itself.
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        neighbour_index_[hole] = std::exchange(neighbour_index_[i], 0);
        hole = i;
    }
}

void Interface::learn(const IpAddress& address, const MacAddress& mac, bool solicited, Instant now) {
    // RFC 826: an entry that exists is always updated; a new one only when the packet was meant for us.
    // What it is told costs nobody: an entry counts as used when frames are sent to it.
    auto* n = solicited && is_on_link(address) ? find_or_create(address, Instant{}) : find(address);
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

bool Interface::finish(rte_mbuf* m, const MacAddress& to, Self self) {
    const auto& from = self == Self::virtual_self ? settings_.virtual_mac : settings_.own_mac;
    put_ethernet(rte_pktmbuf_mtod(m, std::uint8_t*), to, from, wire::ethertype_ipv4);
    return queue(m, self);
}

void Interface::flush_pending(Neighbour& n) {
    for (std::uint32_t i = 0; i < n.pending_count; ++i)
        finish(n.pending[i], n.mac, (n.pending_self >> i & 1) != 0 ? Self::virtual_self : Self::own);
    n.pending_count = 0;
    n.pending_self = 0;
}

void Interface::drop_pending(Neighbour& n) {
    for (std::uint32_t i = 0; i < n.pending_count; ++i) rte_pktmbuf_free(n.pending[i]);
    counters_.add(Counter::neighbour_unresolved, n.pending_count);
    n.pending_count = 0;
    n.pending_self = 0;
}

NextHop Interface::route(const IpAddress& destination, Instant now) {
    const auto& hop = is_on_link(destination) ? destination : settings_.gateway;
    if (hop.is_unspecified()) {
        counters_.add(Counter::no_route);
        return no_next_hop;
    }
    const auto* n = find_or_create(hop, now);
    if (n == nullptr) return no_next_hop;
    return static_cast<NextHop>(n - neighbours_.data()) | NextHop{n->generation} << 16;
}

bool Interface::send_ip(rte_mbuf* m, const IpAddress& destination, Self self, Instant now) {
    return send_to(m, route(destination, now), self, now);
}

bool Interface::send_to(rte_mbuf* m, NextHop hop, Self self, Instant now) {
    if (hop == no_next_hop) {
        rte_pktmbuf_free(m);
        return false;
    }
    auto& n = neighbours_[hop & 0xffff];
    n.used = now;
    return now <= n.fresh_until ? finish(m, n.mac, self) : send_unconfirmed(m, n, self, now);
}

/// The neighbour was never heard, or not for long.
bool Interface::send_unconfirmed(rte_mbuf* m, Neighbour& n, Self self, Instant now) {
    if (n.resolved) {
        if (now - n.asked > 1_s) query(n.address, now);
        return finish(m, n.mac, self);
    }
    if (n.pending_count == pending_max) {
        counters_.add(Counter::neighbour_pending_full);
        rte_pktmbuf_free(m);
        return false;
    }
    if (self == Self::virtual_self)
        n.pending_self = static_cast<std::uint8_t>(n.pending_self | 1u << n.pending_count);
    n.pending[n.pending_count++] = m;
    if (now - n.asked >= query_interval) query(n.address, now);
    return true;
}

bool Interface::send_raw(std::span<const std::uint8_t> body, std::uint16_t ethertype, MacAddress to) {
    auto packet = pool_.allocate();
    if (!packet) {
        counters_.add(Counter::pool_empty);
        return false;
    }
    auto* p = reinterpret_cast<std::uint8_t*>(
        rte_pktmbuf_append(packet.get(), static_cast<std::uint16_t>(ethernet_size + body.size())));
    if (p == nullptr) return false;
    put_ethernet(p, to, settings_.own_mac, ethertype);
    std::memcpy(p + ethernet_size, body.data(), body.size());
    return queue(packet.release(), Self::own);
}

void Interface::send_arp(bool reply, const MacAddress& from_mac, const IpAddress& from,
                         const MacAddress& to_mac, const IpAddress& to, const MacAddress& ethernet_to,
                         Self self) {
    auto packet = pool_.allocate();
    if (!packet) {
        counters_.add(Counter::pool_empty);
        return;
    }
    auto* p = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(packet.get(), ethernet_size + 28));
    if (p == nullptr) return;
    put_ethernet(p, ethernet_to, from_mac, wire::ethertype_arp);
    p += ethernet_size;
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

void Interface::query(const IpAddress& target, Instant now) {
    if (auto* n = find_or_create(target, now)) {
        n->asked = now;
        if (n->queries < 255) ++n->queries;
        next_tick_ = earlier(next_tick_, now + query_interval);
    }
    counters_.add(Counter::arp_requests_sent);
    send_arp(false, settings_.own_mac, settings_.own_address.address, {}, target, MacAddress::broadcast(),
             Self::own);
}

void Interface::probe(const IpAddress& target) {
    counters_.add(Counter::arp_requests_sent);
    send_arp(false, settings_.own_mac, IpAddress::from_v4(0), {}, target, MacAddress::broadcast(), Self::own);
}

void Interface::prepare(const IpAddress& target, Instant now) {
    const auto& hop = is_on_link(target) ? target : settings_.gateway;
    if (hop.is_unspecified()) return;
    auto* n = find_or_create(hop, now);
    if (n == nullptr) return;
    n->used = now;
    if (!n->resolved && now - n->asked >= query_interval) query(hop, now);
}

void Interface::announce() {
    for (const auto& v : settings_.virtual_addresses) {
        counters_.add(Counter::arp_announcements_sent);
        send_arp(false, settings_.virtual_mac, v, {}, v, MacAddress::broadcast(), Self::virtual_self);
    }
}

std::optional<ArpHeard> Interface::receive(rte_mbuf* m, const wire::Frame& frame, Instant now) {
    if (frame.kind == wire::FrameKind::arp) return receive_arp(m, now);
    receive_icmp(m, frame, now);
    return std::nullopt;
}

std::optional<ArpHeard> Interface::receive_arp(rte_mbuf* m, Instant now) {
    const auto arp = wire::parse_arp(m);
    rte_pktmbuf_free(m);
    const bool for_own = is_own_address(arp.target),
               for_virtual = speaking_ && is_virtual_address(arp.target);
    const bool sender_is_us = arp.sender_mac == settings_.own_mac || arp.sender_mac == settings_.virtual_mac;
    // RFC 5227: a probe gives no address.
    const bool gives_address = arp.sender.v4() != 0;
    if (!sender_is_us && gives_address) learn(arp.sender, arp.sender_mac, for_own || for_virtual, now);
    if (!arp.is_reply && !sender_is_us && (for_own || for_virtual)) {
        counters_.add(Counter::arp_requests_answered);
        send_arp(true, for_own ? settings_.own_mac : settings_.virtual_mac, arp.target, arp.sender_mac,
                 arp.sender, arp.sender_mac, for_own ? Self::own : Self::virtual_self);
    }
    return ArpHeard{arp.sender, arp.target, arp.sender_mac, arp.is_reply};
}

void Interface::receive_icmp(rte_mbuf* m, const wire::Frame& frame, Instant now) {
    auto* icmp = rte_pktmbuf_mtod_offset(m, std::uint8_t*, frame.payload_offset);
    const bool to_own = is_own_address(frame.destination);
    const bool to_virtual = speaking_ && is_virtual_address(frame.destination);
    const bool is_echo = frame.payload_len >= 8 && icmp[0] == 8 && icmp[1] == 0 &&
                         wire::sum_bytes(icmp, frame.payload_len) == 0xffff;
    if (!is_echo || !(to_own || to_virtual)) {
        counters_.add(Counter::icmp_ignored);
        rte_pktmbuf_free(m);
        return;
    }
    // RFC 1122 section 3.2.2.6: the answer is the request with addresses exchanged; IP options are not
    // returned.
    icmp[0] = 0;
    icmp[2] = icmp[3] = 0;
    const auto sum = static_cast<std::uint16_t>(~wire::sum_bytes(icmp, frame.payload_len));
    std::memcpy(icmp + 2, &sum, 2);
    rte_pktmbuf_trim(m, static_cast<std::uint16_t>(m->pkt_len - frame.payload_offset - frame.payload_len));
    rte_pktmbuf_adj(m, frame.payload_offset);
    auto* ip = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(m, wire::ipv4_size));
    set_offloads(m, 0);
    const std::uint32_t from = frame.destination.v4(), to = frame.source.v4();
    wire::store32(ip, 0x45000000u | (frame.payload_len + static_cast<std::uint32_t>(wire::ipv4_size)));
    wire::store32(ip + 4, 0);
    wire::store32(ip + 8, 0x40010000);
    std::memcpy(ip + 12, &from, 4);
    std::memcpy(ip + 16, &to, 4);
    const auto ip_sum = static_cast<std::uint16_t>(~wire::sum_bytes(ip, wire::ipv4_size));
    std::memcpy(ip + 10, &ip_sum, 2);
    rte_pktmbuf_prepend(m, ethernet_size);
    counters_.add(Counter::icmp_echo_answered);
    send_ip(m, frame.source, to_own ? Self::own : Self::virtual_self, now);
}

void Interface::advance(Instant now) {
    if (now < next_tick_) return;
    next_tick_ = Instant::never();
    for (auto& n : neighbours_) {
        if (n.queries == 0) continue;
        if (n.pending_count > 0 && n.queries > forget_pending_queries) drop_pending(n);
        // Ask again while frames wait or the entry is in use; a neighbour that stays silent is asked ever
        // slower.
        const bool wanted = n.pending_count > 0 || (now - n.used < 10_s && n.queries < 20);
        if (!wanted) {
            n.queries = 0;
            continue;
        }
        if (now - n.asked >= query_interval) query(n.address, now);
        else next_tick_ = earlier(next_tick_, n.asked + query_interval);
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
    std::uint64_t n = virtual_queue_.size() + own_queue_.size();
    for (const auto& e : neighbours_) n += e.pending_count;
    return n;
}

}  // namespace holdfast::net
