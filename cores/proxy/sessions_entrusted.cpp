// Gate standby alone, of sessions with a backend: their bytes are entrusted to the pair. What the standby has
// stored is acknowledged, whatever the far end says; and only what it has stored goes on to the far end, so
// that after a takeover no endpoint knows of anything that this node does not.
//
//     endpoint           its core                 core of the far leg              standby     far end
//       | bytes ----------> | data ------------------> | record --------------------> |           |
//       |                   |                          | <-------------- confirmation |           |
//       | <------------ ACK | <---------------- stored | bytes ------------------------------------> |
#include <algorithm>

#include "cores/proxy/sessions.hpp"

namespace holdfast::proxy {

/// Behind the last byte that the leg was given to send.
Position Sessions::given_end(std::uint32_t slot) const {
    const auto& snd = legs_[slot].tcb.soft.snd;
    if (!payload_) return snd.queue_end;
    const auto& queue = payload_->entrusted[slot];
    if (!queue.empty()) return queue.end();
    return queue.resuming ? payload_->store.find(id_of(slot))->bytes.end() : snd.queue_end;
}

/// The far end's FIN stands behind that.
bool Sessions::given_fin(std::uint32_t slot) const {
    return legs_[slot].tcb.soft.snd.fin_queued || (payload_ && payload_->entrusted[slot].fin);
}

/// What is to be sent, once the standby has it.
void Sessions::entrust(std::uint32_t slot, Packet packet) {
    payload_->entrusted[slot].push(std::move(packet));
}

/// Tells of what has left: for a standby that has joined.
PayloadJournal::Verdict Sessions::tell_sent(std::uint32_t slot) {
    using Verdict = PayloadJournal::Verdict;
    auto& journal = payload_->journal;
    const auto context = payload_context(slot);
    const auto& snd = legs_[slot].tcb.soft.snd;
    const auto begin = std::min(snd.una, snd.queue_end);
    if (!journal.is_told(context.id) && begin > 1 && !journal.begin_leg(context, begin))
        return Verdict::refused;
    auto verdict = Verdict::told;
    if (journal.told_end(context.id) < snd.queue_end)
        for (auto* m = snd.head; m != nullptr && verdict == Verdict::told; m = meta(m).next)
            verdict = journal.add(context, meta(m).begin, {holdfast::payload(m), meta(m).payload_len});
    if (!payload_->entrusted[slot].resuming) return verdict;
    const auto& held = *payload_->store.find(context.id);
    std::array<std::uint8_t, payload_record_max> piece;
    for (auto at = held.bytes.begin(); at < held.bytes.end() && verdict == Verdict::told;
         at += piece.size()) {
        const auto size = std::min<std::size_t>(held.bytes.end() - at, piece.size());
        payload_->store.copy(held, at, {piece.data(), size});
        verdict = journal.add(context, at, {piece.data(), size});
    }
    return verdict;
}

/// Tells of what waits, as far as there is room, and of the FIN behind it.
PayloadJournal::Verdict Sessions::tell_waiting(std::uint32_t slot) {
    using Verdict = PayloadJournal::Verdict;
    auto& journal = payload_->journal;
    auto& queue = payload_->entrusted[slot];
    // A standby that joins first learns what was acknowledged: that has room, as it had at the one before.
    while (payload_->gate.in_sync() && queue.untold() != nullptr) {
        auto* m = queue.untold();
        const auto verdict =
            journal.add(payload_context(slot), meta(m).begin, {holdfast::payload(m), meta(m).payload_len});
        if (verdict != Verdict::told) return verdict;
        queue.note_told();
    }
    if (!given_fin(slot) || queue.untold() != nullptr) return Verdict::told;
    const auto context = payload_context(slot);
    if (!journal.is_told(context.id) && !journal.begin_leg(context, given_end(slot))) return Verdict::refused;
    return journal.add_fin(context) ? Verdict::told : Verdict::refused;
}

/// False when the ring to the mirror was full: more is to be said.
bool Sessions::tell_entrusted(std::uint32_t slot) {
    using Verdict = PayloadJournal::Verdict;
    if (mirror_epoch_ == 0) return true;
    auto& queue = payload_->entrusted[slot];
    auto verdict = tell_sent(slot);
    if (verdict == Verdict::told) verdict = tell_waiting(slot);
    const bool full = verdict == Verdict::limit;
    if (full && !queue.full) s_.counters.add(Counter::gate_full);
    queue.full = full;
    // Room comes with this endpoint's ACKs, or with another one's: the next progress tries again.
    if (full) note_progress(slot);
    return verdict != Verdict::refused;
}

/// After a takeover: what the store holds becomes segments, some at a time. True when that is done.
bool Sessions::send_entrusted(std::uint32_t slot) {
    constexpr std::uint32_t segments_max = 64;
    auto& t = legs_[slot].tcb;
    auto& queue = payload_->entrusted[slot];
    auto& held = *payload_->store.find(id_of(slot));
    // The endpoint may have acknowledged more than this node has sent it.
    auto& snd = t.soft.snd;
    if (snd.queue_end > held.bytes.begin()) {
        snd.queue_end = std::min(snd.queue_end, held.bytes.end());
        payload_->store.drop_until(held, snd.queue_end);
    }
    while (held.bytes.begin() < held.bytes.end()) {
        // The rest follows when the endpoint has acknowledged some.
        if (snd.mbufs >= segments_max) return false;
        auto packet = s_.net.pool().allocate();
        if (!packet) {
            try_again(slot);
            return false;
        }
        auto* m = packet.get();
        const auto at = held.bytes.begin();
        const auto size =
            std::min<Position>({held.bytes.end() - at, tcp::effective_mss(t), rte_pktmbuf_tailroom(m)});
        auto& d = meta(m);
        d = PacketMeta{};
        d.begin = at;
        d.payload_offset = m->data_off;
        d.payload_len = static_cast<std::uint16_t>(size);
        payload_->store.copy(held, at, {holdfast::payload(m), d.payload_len});
        payload_->store.drop_until(held, d.end());
        tcp::enqueue(t, std::move(packet), context_);
        s_.counters.add(Counter::payload_sent);
    }
    queue.resuming = false;
    payload_->store.forget(id_of(slot));
    return true;
}

/// What the standby has stored may leave.
void Sessions::pass_entrusted(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& queue = payload_->entrusted[slot];
    if (leg.phase != Phase::terminated || (queue.resuming && !send_entrusted(slot))) return;
    const auto stored = s_.lane.payload->stored[index(s_.side)][slot].load(std::memory_order_relaxed);
    auto& t = leg.tcb;
    while (!queue.empty() && meta(queue.head()).end() <= stored) tcp::enqueue(t, queue.pop(), context_);
    if (!queue.fin || !queue.empty() || stored <= t.soft.snd.queue_end) return;
    queue.fin = false;
    tcp::enqueue_fin(t);
    auto& snd = t.soft.snd;
    if (snd.una <= snd.fin) return;
    snd.fin_sent = snd.fin_acknowledged = true;
    t.soft.state = tcp::next_state(t.soft.state, tcp::StateEvent::fin_sent);
    t.soft.state = tcp::next_state(t.soft.state, tcp::StateEvent::fin_acknowledged);
}

/// Nothing of the leg is to be sent any more.
void Sessions::discard_queues(std::uint32_t slot) {
    tcp::discard_queue(legs_[slot].tcb);
    if (payload_) payload_->entrusted[slot].clear();
    recount(slot);
}

/// The leg is over, and its session may go on: a node that takes over still has to know how far it came.
void Sessions::end_entrusted(std::uint32_t slot) {
    payload_->journal.release(payload_context(slot));
    payload_->store.forget(id_of(slot));
}

}  // namespace holdfast::proxy
