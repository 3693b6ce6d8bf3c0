#include "cores/proxy/stored_gate.hpp"

#include <algorithm>

namespace holdfast::proxy {

StoredGate::StoredGate(ZeroedArray<std::atomic<Position>>& stored) : stored_(stored), legs_(stored.size()) {
    // A leg waits in it once, and a slot may have gone on to another session twice before the front is taken.
    queue_.reserve(std::size_t{legs_.size()} * 4);
}

bool StoredGate::follow(std::uint32_t epoch, bool in_sync) {
    in_sync = in_sync && epoch != 0;
    if (epoch == epoch_ && in_sync == in_sync_) return false;
    queue_.clear();
    head_ = 0;
    for (auto& leg : legs_) {
        if (leg.point != 0) leg.point = 0;
        // The new standby was told of nothing.
        if (epoch != epoch_ && leg.told != 0) leg.told = 0;
    }
    epoch_ = epoch;
    in_sync_ = in_sync;
    return true;
}

StoredGate::Leg& StoredGate::leg_of(SessionId id) {
    if (legs_[id.slot].generation != id.generation) clear(id.slot);
    legs_[id.slot].generation = id.generation;
    return legs_[id.slot];
}

bool StoredGate::store(std::uint32_t slot, Position position) {
    auto& stored = stored_[slot];
    if (stored.load(std::memory_order_relaxed) >= position) return false;
    stored.store(position, std::memory_order_release);
    return true;
}

bool StoredGate::cover(SessionId id, Position end, std::uint64_t told, const Records& records) {
    auto& leg = leg_of(id);
    leg.end = std::max(leg.end, end);
    leg.told = std::max(leg.told, told);
    return in_sync_ && settle(id.slot, records);
}

/// The next point of the leg: stored already, or to wait for.
bool StoredGate::settle(std::uint32_t slot, const Records& records) {
    auto& leg = legs_[slot];
    if (leg.point != 0 || stored_[slot].load(std::memory_order_relaxed) >= leg.end) return false;
    if (leg.told <= records.stored) return store(slot, leg.end);
    // Its own record is not the last one, but so the list stays in order.
    if (queue_.size() == queue_.capacity()) return false;
    leg.point = leg.end;
    queue_.push_back({{slot, leg.generation}, records.written});
    return false;
}

void StoredGate::pass(SessionId id, Position end) {
    auto& leg = leg_of(id);
    leg.end = std::max(leg.end, end);
    store(id.slot, end);
}

bool StoredGate::note_waiting(SessionId id, bool waits) {
    auto& leg = leg_of(id);
    if (leg.waits == waits) return false;
    leg.waits = waits;
    waiting_ += waits ? 1u : 0xffffffffu;
    return true;
}

void StoredGate::clear(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.generation == 0) return;
    if (leg.waits) --waiting_;
    leg = Leg{};
    stored_[slot].store(0, std::memory_order_relaxed);
}

}  // namespace holdfast::proxy
