// Payload for the mirror: bytes on their way to an endpoint, so that after a takeover the standby can send
// them itself. The core that sends them tells of them: it alone knows what is acknowledged.
#include <algorithm>

#include "cores/proxy/sessions.hpp"

namespace holdfast::proxy {

Sessions::Payload::Payload(const SessionsSettings& s)
    : journal(s.side, s.config.limits, s.lane.payload->journal[index(s.side)], s.counters, s.lane.slots),
      store(s.config.limits, s.counters),
      gate(s.lane.payload->stored[index(s.side)]),
      entrusted(s.lane.slots) {}

/// Payload of a full segment from the other leg's endpoint.
std::uint32_t Sessions::full_size(std::uint32_t slot) const {
    const auto& r = s_.lane.records[slot];
    const auto& from = r.leg[index(other(s_.side))];
    return std::min(from.mss_receive, from.mss_send) - (r.timestamps ? 12u : 0u);
}

/// The leg as its records tell of it.
PayloadContext Sessions::payload_context(std::uint32_t slot) {
    const auto& leg = legs_[slot];
    const auto& t = leg.tcb.soft;
    // Before anything has left on it a leg has granted nothing.
    const auto window = std::max(t.rcv.edge_sent, Position{1});
    const bool entrusted = is_entrusted(leg);
    // One that is over says the same as long as its session lives.
    if (leg.phase == Phase::terminated || entrusted)
        // An endpoint may not have said its window yet.
        return {id_of(slot),
                std::max(t.snd.una, Position{1}),
                std::max(t.snd.edge, Position{1}),
                t.rcv.ledger.acknowledged(),
                window,
                entrusted};
    const auto& theirs = other_cell(slot);
    const auto una = known_una(slot);
    // Until the endpoint was heard, what the other one sends tells of its window.
    auto edge = std::max(leg.heard->edge, una);
    if (!leg.heard->any) edge = std::max(edge, theirs.received.load(std::memory_order_acquire));
    const auto acknowledged = theirs.acknowledged.load(std::memory_order_acquire);
    PayloadContext context{id_of(slot), una, edge,
                           std::max(leg.hints->ack, std::min(leg.heard->seq_edge, acknowledged)), window};
    if (const auto* held = payload_->store.find(context.id); held != nullptr) {
        context.edge = std::max(context.edge, held->edge);
        context.ack = std::max(context.ack, held->ack);
        context.window = std::max(context.window, held->window);
    }
    return context;
}

/// The bytes from `begin` on are on their way to the endpoint. Of a segment that is not full nothing that
/// follows would tell that it was lost: those are the tails.
void Sessions::mirror_payload(std::uint32_t slot, Position begin, std::span<const std::uint8_t> bytes) {
    if (!payload_ || mirror_epoch_ == 0) return;
    const auto* service = service_of(legs_[slot]);
    const auto kind = service == nullptr ? MirrorPayload::none : service->mirror_payload;
    if (kind == MirrorPayload::none || (kind == MirrorPayload::tails && bytes.size() >= full_size(slot)))
        return;
    count_told(payload_->journal.add(payload_context(slot), begin, bytes));
    note_progress(slot);
}

/// What is not told stays unmirrored.
void Sessions::count_told(PayloadJournal::Verdict verdict) {
    switch (verdict) {
        case PayloadJournal::Verdict::told: break;
        case PayloadJournal::Verdict::limit: s_.counters.add(Counter::payload_over_limit); break;
        case PayloadJournal::Verdict::refused: s_.counters.add(Counter::payload_refused); break;
    }
}

/// For a standby that has joined: what the leg holds, or what a standby held when it took the session over.
/// False when it is to be asked again: of an entrusted leg nothing may be left out.
bool Sessions::mirror_queue(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!payload_) return true;
    if (is_entrusted(leg)) return tell_entrusted(slot);
    if (!is_served(leg)) return true;
    for (auto* m = leg.tcb.soft.snd.head; m != nullptr; m = meta(m).next)
        mirror_payload(slot, meta(m).begin, {holdfast::payload(m), meta(m).payload_len});
    if (const auto* held = payload_->store.find(id_of(slot)); held != nullptr) {
        std::array<std::uint8_t, payload_record_max> piece;
        for (auto at = held->bytes.begin(); at < held->bytes.end(); at += piece.size()) {
            const auto size = std::min<std::size_t>(held->bytes.end() - at, piece.size());
            payload_->store.copy(*held, at, {piece.data(), size});
            count_told(payload_->journal.add(payload_context(slot), at, {piece.data(), size}));
        }
    }
    cover_payload(slot);
    return true;
}

/// What has been acknowledged meanwhile the standby need not hold. False when there is no room to say so.
bool Sessions::release_payload(std::uint32_t slot) {
    if (!payload_ || !is_served(legs_[slot])) return true;
    return payload_->journal.release(payload_context(slot));
}

/// The leg is over, here or on the node that had it.
void Sessions::end_payload(SessionId id) {
    if (!payload_) return;
    payload_->journal.end(id);
    payload_->store.forget(id);
}

}  // namespace holdfast::proxy
