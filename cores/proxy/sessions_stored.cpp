// Gate ["peer", "standby"]: an endpoint's bytes are acknowledged when the far end has them and
// the standby has stored what it is to hold of them.
//
//     endpoint           its core                 core of the far leg              standby
//       | bytes ----------> | data ------------------> | record --------------------> |
//       |                   |                          | <-------------- confirmation |
//       | <------------ ACK | <----- acknowledged, stored |
//
// Translated sessions hold nothing here: what the far end acknowledges passes to the endpoint as it comes.
#include <algorithm>

#include "cores/proxy/sessions.hpp"

namespace holdfast::proxy {

StoredGate::Records Sessions::payload_records() const {
    const auto journal = payload_journal_of(s_.side);
    const auto stored = s_.lane.node.confirmed[index(journal)].load(std::memory_order_acquire);
    // A number of another epoch would say nothing of this one's.
    const bool current = s_.lane.node.mirror_epoch.load(std::memory_order_acquire) == mirror_epoch_;
    return {payload_->journal.written(), current ? stored : 0};
}

/// Of what the leg has taken to send, its FIN counts.
Position Sessions::taken_end(std::uint32_t slot) const { return given_end(slot) + (given_fin(slot) ? 1 : 0); }

/// The other leg is alive, and what it may acknowledge this one is still to say: its endpoint would never
/// have its ACK if this one were forgotten before.
bool Sessions::awaits_stored(std::uint32_t slot) const {
    const auto& leg = legs_[slot];
    if (!payload_ || !has_stored_gate(leg) ||
        s_.lane.views[slot].load(std::memory_order_acquire) != View::terminated)
        return false;
    const auto stored = s_.lane.payload->stored[index(s_.side)][slot].load(std::memory_order_relaxed);
    return std::max(stored, Position{1}) < taken_end(slot);
}

/// What the leg has taken until now has been told of, as far as it is to be. A leg may be over before the
/// other one's ACK may leave.
void Sessions::cover_payload(std::uint32_t slot) {
    const auto& leg = legs_[slot];
    const bool ended = leg.phase == Phase::dead && !(is_entrusted(leg) && leg.reset_sent);
    if (!payload_ || !has_stored_gate(leg) || (leg.phase != Phase::terminated && !ended)) return;
    auto& gate = payload_->gate;
    const bool entrusted = is_entrusted(leg);
    if (entrusted && !tell_entrusted(slot)) try_again(slot);
    const auto end = taken_end(slot);
    const auto id = id_of(slot);
    const auto* service = service_of(leg);
    const auto stored = s_.lane.payload->stored[index(s_.side)][slot].load(std::memory_order_relaxed);
    const bool behind = std::max(stored, Position{1}) < end;
    const bool degrade = behind && !gate.in_sync() && service != nullptr && service->degrade;
    const bool waits = behind && !gate.in_sync() && !degrade;
    if (gate.note_waiting(id, waits) && waits) s_.counters.add(Counter::gate_waits);
    // What is entrusted is stored as far as the records go; of other bytes only some are to be stored.
    const auto covered = entrusted ? payload_->journal.told_end(id) : end;
    bool moved = gate.cover(id, covered, payload_->journal.told(id), payload_records());
    if (degrade) {
        s_.counters.add(Counter::gate_degraded);
        gate.pass(id, end);
        moved = true;
    }
    if (moved) mark_changed(slot);
    if (entrusted) pass_entrusted(slot);
}

/// The leg begins with this position: both ends have agreed on what lies below.
void Sessions::begin_stored(std::uint32_t slot, Position position) {
    if (!payload_ || !has_stored_gate(legs_[slot])) return;
    payload_->gate.pass(id_of(slot), position);
    mark_changed(slot);
}

/// Of the bytes from this leg's endpoint.
Position Sessions::stored_by_standby(std::uint32_t slot) const {
    return s_.lane.payload->stored[index(other(s_.side))][slot].load(std::memory_order_acquire);
}

/// A standby that came, or went, or has confirmed. Returns how much there was to do.
std::uint32_t Sessions::follow_stored() {
    if (!payload_) return 0;
    auto& gate = payload_->gate;
    std::uint32_t n = 0;
    if (gate.follow(mirror_epoch_, s_.lane.node.in_sync.load(std::memory_order_acquire)))
        for (; n < legs_.size(); ++n) {
            payload_->entrusted[n].tell_anew();
            cover_payload(n);
            if (is_entrusted(legs_[n]) && legs_[n].phase == Phase::terminated) touch(n);
        }
    gate.take(payload_records(), [&](std::uint32_t slot) {
        mark_changed(slot);
        if (is_entrusted(legs_[slot])) touch(slot);
        ++n;
    });
    s_.lane.core[index(s_.side)].waiting.store(gate.waiting(), std::memory_order_relaxed);
    return n;
}

}  // namespace holdfast::proxy
