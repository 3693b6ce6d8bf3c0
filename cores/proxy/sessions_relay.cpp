// Terminated mode: each leg is served by our TCP; payload crosses the lane as mbufs, acknowledgments as
// cells.
#include <algorithm>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;

bool Sessions::over_budget(std::uint32_t slot) const {
    // Budgets count mbufs: many small segments are as dear as large ones.
    const auto& leg = legs_[slot];
    const auto& theirs = s_.lane.cells[index(other(s_.side))][slot];
    const auto session_max = s_.config.limits.session_bytes / 512;
    const auto held = theirs.held_mbufs.load(std::memory_order_relaxed) + leg.tcb.soft.rcv.queue.mbufs();
    const auto lane = s_.lane.held_mbufs();
    // A session holds no more than what is still free: the greedy stop each other long before the lane is
    // full, and whoever holds little finds room.
    // The last eighth is for those who hold next to nothing: a few that hoard shut nobody out.
    constexpr std::uint32_t next_to_nothing = 8;
    const auto lane_max = held < next_to_nothing ? s_.lane_mbufs : s_.lane_mbufs - s_.lane_mbufs / 8;
    return held >= session_max || held + lane >= lane_max;
}

void Sessions::in_terminated(std::uint32_t slot, const wire::Frame& frame, Packet&& packet) {
    auto& leg = legs_[slot];
    if (leg.unproven && contradicts_stored(slot, frame)) return;
    const auto& c = context_;
    auto max = s_.config.limits.session_bytes / 512;
    if (frame.payload_len > 0 && over_budget(slot)) {
        // Dropped before it counts as received; the ACK it carries is still taken.
        s_.counters.add(Counter::payload_over_budget);
        max = 0;
    }
    // With gate peer SACK, too, says what the far end has: news of it comes from there.
    auto& rcv = leg.tcb.soft.rcv;
    rcv.sack_from_far = sack_comes_from_far(leg);
    const bool duplicate_owed = rcv.out_of_order;
    const auto arrival = tcp::segment_arrives(leg.tcb, frame, std::move(packet), max, c);
    if (rcv.sack_from_far) rcv.out_of_order = duplicate_owed;
    for (std::size_t i = 0; i < arrival.ack.ahead_count; ++i) {
        const auto& r = arrival.ack.ahead[i];
        s_.lane.to[index(other(s_.side))].push(
            {MessageKind::sacked, 0, 0, id_of(slot), 0, nullptr, r.begin, r.end});
    }
    leg.established = true;
    leg.idle_probes = 0;
    leg.idle_at = now_ + idle_wait(leg);
    if (arrival.reset && has_forgotten(leg)) return end_forgotten(slot);
    if (arrival.reset) {
        s_.counters.add(Counter::sessions_reset);
        reset_by_endpoint(slot);
        return;
    }
    if (arrival.probe) {
        auto& own = cell(slot);
        own.probe_requests.store(own.probe_requests.load(std::memory_order_relaxed) + 1,
                                 std::memory_order_relaxed);
        mark_changed(slot);
    }
    if (frame.payload_len > 0) note_payload(slot);
    if (leg.phase == Phase::terminated && (arrival.ack.advanced || frame.payload_len > 0))
        note_progress(slot);
}

/// After a takeover a session that looks half closed may be over for good: the FIN that is missing here was
/// acknowledged before it was recorded. Such a one is asked soon whether its ends live.
Duration Sessions::idle_wait(const Leg& leg) const {
    const auto& t = leg.tcb.soft;
    const bool doubtful = leg.heard != nullptr && (t.state != tcp::State::established || t.rcv.fin_known);
    const auto wait = s_.config.tcp.idle_probe;
    return doubtful ? std::min(wait, ask_again_after_takeover) : wait;
}

bool Sessions::sack_comes_from_far(const Leg& leg) const {
    return s_.config.tcp.hold_sack && leg.tcb.hard.sack && has_peer_gate(leg);
}

void Sessions::take_data(std::uint32_t slot, Packet packet) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    // What went ahead may have been acknowledged before it came again.
    const auto queue_end = given_end(slot);
    if (leg.phase == Phase::terminated && meta(packet.get()).begin < queue_end) {
        if (meta(packet.get()).end() <= queue_end) return;
        tcp::trim_front(packet.get(), queue_end);
    }
    // Data for a leg that is over has nowhere to go; the endpoint that sent it gets a RST from its own leg.
    if (leg.phase != Phase::terminated || meta(packet.get()).begin != queue_end || given_fin(slot)) {
        s_.counters.add(Counter::payload_for_ended_leg);
        return;
    }
    if (is_entrusted(leg)) {
        entrust(slot, std::move(packet));
        note_progress(slot);
    } else {
        mirror_payload(slot, queue_end, {payload(packet.get()), meta(packet.get()).payload_len});
        tcp::enqueue(t, std::move(packet), context_);
    }
    cover_payload(slot);
    note_payload(slot);
}

/// Moves what is in order to the other core. It counts as received only when the ring has it.
void Sessions::pass_on(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    const auto& c = context_;
    auto& ring = far_ring(slot);
    while (tcp::next_in_order(t) != nullptr) {
        // We are the ring's only producer: room that is there now stays until we use it.
        if (ring.free_count() == 0) {
            s_.counters.add(Counter::relay_refused);
            try_again(slot);
            return;
        }
        auto packet = tcp::take_in_order(t, c);
        ring.push({MessageKind::data, 0, 0, id_of(slot), 0, packet.release(), 0, 0});
    }
}

/// Gates and windows that the other leg has moved.
void Sessions::apply_other_cell(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    auto& rcv = t.soft.rcv;
    const auto& theirs = other_cell(slot);
    const auto edge = theirs.edge.load(std::memory_order_acquire);
    const auto acknowledged = theirs.acknowledged.load(std::memory_order_acquire);
    auto passed = acknowledged;
    if (is_entrusted(leg)) passed = stored_by_standby(slot);
    else if (has_stored_gate(leg)) passed = std::min(acknowledged, stored_by_standby(slot));
    // What was clamped is released when the bytes themselves have come: look again then.
    leg.far_changed = !rcv.ledger.release_until(waits_for_far(leg) ? passed : rcv.ledger.received());
    if (leg.far_changed) s_.tcp_counters.add(tcp::Counter::release_clamped);
    // Windows are tied: never past what the far end granted, but for a lead that was asked for, nor past what
    // we are willing to hold.
    const auto limit = std::min<Position>(edge + s_.config.tcp.window_lead,
                                          std::min(acknowledged, passed) + s_.config.limits.session_bytes);
    rcv.edge_limit = std::max(rcv.edge_limit, limit);
    const auto requests = theirs.probe_requests.load(std::memory_order_relaxed);
    if (requests != leg.probe_requests_seen) {
        leg.probe_requests_seen = requests;
        if (window_is_tight(leg)) {
            s_.tcp_counters.add(tcp::Counter::window_probes);
            tcp::send_probe(t, context_);
        }
    }
}

/// The far end has acknowledged this endpoint's FIN, so it will hardly be sent again: the standby must know
/// of it. Before that it must not: no position would tell whether what both ends agree on includes the FIN.
void Sessions::note_fin(std::uint32_t slot) {
    auto& leg = legs_[slot];
    const auto& rcv = leg.tcb.soft.rcv;
    if (leg.fin_received) return;
    if (other_cell(slot).acknowledged.load(std::memory_order_acquire) <= rcv.fin) return;
    leg.fin_received = true;
    note_progress(slot);
}

/// One ACK per service at most, and only one that says something new (R1, and section 4 of the design on
/// SACK).
void Sessions::acknowledge(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    auto& rcv = t.soft.rcv;
    const auto& c = context_;
    const bool withheld = rcv.ledger.releasable() != rcv.next;
    bool wanted = rcv.ack_now || rcv.ledger.ack_number() > rcv.ledger.acknowledged();
    if (rcv.out_of_order && !wanted) {
        const bool held = s_.config.tcp.hold_sack && withheld && now_ < rcv.hold_until;
        if (held && rcv.hold_until.is_never()) {
            const auto far_rtt = microseconds(other_cell(slot).srtt_us.load(std::memory_order_relaxed));
            rcv.hold_until = now_ + std::clamp(far_rtt * 2, 1_ms, 200_ms);
            s_.tcp_counters.add(tcp::Counter::sack_held);
        }
        if (!held && withheld) s_.tcp_counters.add(tcp::Counter::sack_hold_expired);
        wanted = !held;
    }
    //= rfc9293#3.8.6.2.2
    //  Small openings wait until they are worth two segments.
    // A window update: the other leg's endpoint has already kept us from silly ones.
    if (const auto fresh = tcp::fresh_window(t); !wanted && fresh >= tcp::window_step(t)) {
        const auto two_segments = 2 * static_cast<std::int64_t>(tcp::effective_mss(t));
        wanted = fresh >= two_segments || distance(rcv.ledger.acknowledged(), rcv.edge_sent) < two_segments;
    }
    // More blocks than one ACK holds go in several, like those that each segment would have brought by
    // itself.
    constexpr int acks_max = 8;
    for (int i = 0; wanted && i < acks_max; ++i, wanted = rcv.out_of_order)
        if (!tcp::emit_ack(t, c)) return try_again(slot);
}

/// A relayed segment and its ACK bring each leg here twice: steps whose inputs are as they were are skipped.
void Sessions::service(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    // What the ring refused goes before the payload that follows it.
    if (leg.pending == 0 && tcp::next_in_order(t) != nullptr) pass_on(slot);
    if (leg.pending == 0 && tcp::fin_is_next(t) &&
        send_message({MessageKind::fin, 0, 0, id_of(slot), 0, nullptr, 0, 0})) {
        tcp::take_fin(t);
        cell(slot).fin.store(1, std::memory_order_relaxed);
        note_progress(slot);
    }
    if (t.soft.rcv.sack_from_far && t.soft.rcv.queue.next_offer() != nullptr) offer_ahead(slot);
    if (leg.far_changed || !waits_for_far(leg)) apply_other_cell(slot);
    if (t.soft.rcv.fin_taken) note_fin(slot);
    if (is_entrusted(leg)) cover_payload(slot);
    if (tcp::may_send(t)) send(slot);
    if (tcp::may_owe_ack(t)) acknowledge(slot);
    publish(slot);
    recount(slot);
    if (window_may_stall(leg)) watch_window(slot);
    if (t.soft.state == tcp::State::closed || t.soft.state == tcp::State::time_wait) finish_if_closed(slot);
}

void Sessions::send(std::uint32_t slot) {
    const auto& t = legs_[slot].tcb;
    tcp::send_ready(legs_[slot].tcb, context_);
    // Nothing in flight and no timer although something waits: the port's queue or the pool was full. No ACK
    // would ever bring us back here.
    const auto& snd = t.soft.snd;
    const bool waits = snd.unsent != nullptr || (snd.fin_queued && !snd.fin_sent);
    if (waits && snd.timer == tcp::SendTimer::none) {
        s_.net.counters().add(net::Counter::tx_queue_full);
        try_again(slot);
    }
}

void Sessions::publish(std::uint32_t slot) {
    const auto& leg = legs_[slot];
    const auto& t = leg.tcb;
    auto& own = cell(slot);
    const auto& s = t.soft.snd;
    own.received.store(t.soft.rcv.ledger.received(), std::memory_order_relaxed);
    own.announced.store(t.soft.rcv.ledger.acknowledged(), std::memory_order_relaxed);
    own.held_mbufs.store(sending_mbufs(slot), std::memory_order_relaxed);
    own.room_ahead.store(tcp::room_ahead(s), std::memory_order_relaxed);
    const auto edge_before = own.edge.load(std::memory_order_relaxed);
    if (own.acknowledged.load(std::memory_order_relaxed) == s.una && edge_before >= s.edge) return;
    own.srtt_us.store(static_cast<std::uint32_t>(t.soft.rtt.srtt.to_us()), std::memory_order_relaxed);
    // The edge goes first: a reader that sees the new acknowledgment sees its window, too.
    own.edge.store(std::max(edge_before, s.edge), std::memory_order_release);
    own.acknowledged.store(s.una, std::memory_order_release);
    mark_changed(slot);
}

/// The other leg's window depends on this one's: a lost window update must not stall both for ever.
void Sessions::watch_window(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!has_nothing_to_send(leg) || !window_is_tight(leg)) {
        leg.window_probe_at = Instant::never();
        return;
    }
    if (leg.window_probe_at.is_never()) {
        leg.window_probe_wait = s_.config.tcp.window_probe_min;
        leg.window_probe_at = now_ + leg.window_probe_wait;
        return;
    }
    if (now_ < leg.window_probe_at) return;
    s_.tcp_counters.add(tcp::Counter::window_probes);
    tcp::send_probe(leg.tcb, context_);
    leg.window_probe_wait = std::min(leg.window_probe_wait * 2, s_.config.tcp.window_probe_max);
    leg.window_probe_at = now_ + leg.window_probe_wait;
}

}  // namespace holdfast::proxy
