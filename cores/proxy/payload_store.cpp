#include "cores/proxy/payload_store.hpp"

#include <algorithm>

namespace holdfast::proxy {

PayloadStore::PayloadStore(const LimitsConfig& limits, ProxyCounters& counters)
    : pool_(std::uint64_t{payload_blocks(limits)} * BlockPool::block_size),
      slots_(limits.sessions),
      counters_(counters) {}

void PayloadStore::drop(HeldPayload& h) {
    if (!h.held) return;
    h.bytes.clear(pool_);
    h.held = h.fin = false;
}

void PayloadStore::clear() {
    for (auto& h : slots_) drop(h);
}

void PayloadStore::store(const PayloadRecord& r) {
    auto& h = slots_[r.id.slot];
    if (h.generation != r.id.generation) drop(h);
    h.generation = r.id.generation;
    if (r.over) return drop(h);
    h.entrusted = r.entrusted;
    if (h.held) drop_until(h, r.una);
    const bool says_where = r.size > 0 || r.entrusted;
    // Behind a hole it takes the place of what lies before the hole.
    if (h.held && says_where && r.begin != h.bytes.end()) drop(h);
    h.una = r.una;
    h.edge = r.edge;
    h.ack = r.ack;
    h.window = r.window;
    if (!says_where) return;
    if (!h.held) h.bytes.start(r.begin);
    h.held = true;
    h.fin = r.fin;
    if (r.size == 0) return;
    const auto taken = h.bytes.append(pool_, {r.bytes.data(), r.size});
    counters_.add(taken == r.size ? Counter::payload_stored : Counter::payload_no_room);
}

HeldPayload* PayloadStore::find(SessionId id) {
    auto& h = slots_[id.slot];
    return h.held && h.generation == id.generation ? &h : nullptr;
}

void PayloadStore::drop_until(HeldPayload& h, Position una) {
    h.bytes.drop_until(pool_, std::clamp(una, h.bytes.begin(), h.bytes.end()));
    if (h.bytes.begin() == h.bytes.end() && !h.entrusted) drop(h);
}

}  // namespace holdfast::proxy
