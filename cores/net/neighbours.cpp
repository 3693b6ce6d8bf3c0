#include "cores/net/neighbours.hpp"

#include <algorithm>
#include <utility>

#include "lib/packet/packet.hpp"

namespace holdfast::net {
namespace {

std::uint64_t hash_of(const IpAddress& a) {
    // Next hops are few and mostly differ in the last bytes; the table is probed, not trusted.
    return (a.half(0) ^ a.half(1)) * 0x9e3779b97f4a7c15ULL >> 32;
}

}  // namespace

Neighbours::Neighbours(std::uint32_t size, const std::vector<IpAddress>& pinned, NetCounters& counters)
    : counters_(counters) {
    std::uint32_t places = 64;
    while (places < size * 2) places *= 2;
    entries_.resize(size);
    index_.resize(places);
    for (const auto& address : pinned)
        if (!address.is_unspecified()) find_or_create(address, Instant{});
    pinned_ = room_hand_ = count_;
}

Neighbours::~Neighbours() {
    for (auto& n : entries_) drop_pending(n);
}

/// Where the index has the address, or would have it.
std::uint32_t* Neighbours::index_of(const IpAddress& address) {
    const auto mask = index_.size() - 1;
    auto i = hash_of(address) & mask;
    while (index_[i] != 0 && entries_[index_[i] - 1].address != address) i = (i + 1) & mask;
    return &index_[i];
}

Neighbour* Neighbours::find(const IpAddress& address) {
    const auto place = *index_of(address);
    return place == 0 ? nullptr : &entries_[place - 1];
}

Neighbour* Neighbours::find_or_create(const IpAddress& address, Instant now) {
    if (auto* n = find(address)) return n;
    auto* n = count_ < entries_.size() ? &entries_[count_++] : make_room();
    if (n == nullptr) {
        counters_.add(Counter::neighbour_table_full);
        return nullptr;
    }
    *index_of(address) = static_cast<std::uint32_t>(n - entries_.data()) + 1;
    n->address = address;
    n->used = now;
    return n;
}

/// Of a few entries in turn, the one that was not used for longest goes; one that frames wait for only if all
/// are.
Neighbour* Neighbours::make_room() {
    if (pinned_ == entries_.size()) return nullptr;
    constexpr std::uint32_t looked_at = 16;
    Neighbour* oldest = nullptr;
    for (std::uint32_t i = 0; i < looked_at; ++i) {
        auto& n = entries_[room_hand_];
        room_hand_ = room_hand_ + 1 < entries_.size() ? room_hand_ + 1 : pinned_;
        const auto worth = [](const Neighbour& each) { return std::pair(each.pending_count > 0, each.used); };
        if (oldest == nullptr || worth(n) < worth(*oldest)) oldest = &n;
    }
    drop_pending(*oldest);
    counters_.add(Counter::neighbours_forgotten);
    forget(*oldest);
    const auto generation = static_cast<std::uint16_t>(oldest->generation + 1);
    *oldest = Neighbour{};
    oldest->generation = generation;
    return oldest;
}

/// Takes an entry out of the index; what follows it in its run moves up, so that no search ends too early.
void Neighbours::forget(const Neighbour& n) {
    const auto mask = index_.size() - 1;
    auto hole = static_cast<std::size_t>(index_of(n.address) - index_.data());
    index_[hole] = 0;
    for (auto i = (hole + 1) & mask; index_[i] != 0; i = (i + 1) & mask) {
        const auto home = hash_of(entries_[index_[i] - 1].address) & mask;
        // It may stay if its home lies between the hole and itself.
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        index_[hole] = std::exchange(index_[i], 0);
        hole = i;
    }
}

void Neighbours::drop_pending(Neighbour& n) {
    counters_.add(Counter::neighbour_unresolved, n.pending_count);
    take_pending(n, [](rte_mbuf* m, bool) { rte_pktmbuf_free(m); });
}

/// The frames of some other neighbour make room. In turn: whoever looks for many addresses that nobody has
/// mostly meets those that he looked for before.
void Neighbours::drop_others(const Neighbour& n) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        auto& other = entries_[drop_hand_];
        drop_hand_ = drop_hand_ + 1 < entries_.size() ? drop_hand_ + 1 : 0;
        if (&other != &n && other.pending_count > 0) return drop_pending(other);
    }
}

bool Neighbours::add_pending(Neighbour& n, rte_mbuf* m, bool as_virtual_self) {
    if (n.pending_count == Neighbour::pending_max) return false;
    if (pending_ == all_pending_max) drop_others(n);
    if (pending_ == all_pending_max) return false;
    if (as_virtual_self) n.pending_self = static_cast<std::uint8_t>(n.pending_self | 1u << n.pending_count);
    n.pending[n.pending_count++] = m;
    ++pending_;
    return true;
}

}  // namespace holdfast::net
