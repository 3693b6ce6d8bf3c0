#include "cores/proxy/sessions.hpp"

#include <algorithm>

#include "cores/tcp/emit.hpp"
#include "cores/tcp/syn_cookie.hpp"

namespace holdfast::proxy {

using namespace literals;

namespace {

/// Bytes or a FIN that have overtaken the answer to a cookie, as far as their numbers can tell.
bool may_follow_cookie(const wire::Frame& f, const tcp::Secrets& secrets, Instant shared_now) {
    return (f.payload_len > 0 || f.tcp.has(wire::flag::fin)) && f.tcp.has(wire::flag::ack) &&
           tcp::may_be_cookie(secrets, {f.destination, f.tcp.destination_port}, {f.source, f.tcp.source_port},
                              {f.tcp.ack.value - 1}, shared_now);
}

}  // namespace

Sessions::Sessions(const SessionsSettings& settings)
    : s_(settings),
      flows_(settings.name_prefix + "_flows",
             settings.config.limits.sessions + static_cast<std::uint32_t>(settings.lane.backends.size()),
             settings.socket),
      wheel_(settings.config.limits.sessions, settings.now),
      legs_(settings.config.limits.sessions),
      inherited_(settings.config.limits.sessions),
      heard_(settings.config.limits.sessions),
      random_(settings.seed),
      now_(settings.now),
      context_{settings.now, 0, settings.config.tcp, settings.net, settings.tcp_counters},
      admission_(settings.config, settings.name_prefix + "_adm", settings.socket),
      backends_(settings.config, settings.secrets, settings.lane),
      tried_(is_client() ? 0 : settings.config.limits.sessions),
      checks_(is_client() ? std::vector<HealthCheck>() : make_checks(settings.config)),
      payload_(settings.lane.payload ? std::make_unique<Payload>(settings) : nullptr) {
    for (const auto& source : settings.config.snat) sources_[source.is_v4() ? 0 : 1].push_back(source);
    touched_.reserve(legs_.size());
    retry_.reserve(legs_.size());
    retrying_.reserve(legs_.size());
    if (!is_client()) return;
    count_half_open(0);
    storing_.reserve(legs_.size() * 2);
    free_slots_.reserve(legs_.size());
    listed_free_.assign(legs_.size(), true);
    for (auto slot = s_.lane.slots; slot-- > 0;) free_slots_.push_back(slot);
}

Sessions::~Sessions() {
    for (std::uint32_t slot = 0; slot < legs_.size(); ++slot)
        if (legs_[slot].phase != Phase::free) discard_queues(slot);
    drop_messages();
}

/// Messages on their way to us own packets.
void Sessions::drop_messages() {
    Message m;
    const auto drop = [&m](Ring<Message>& ring) {
        while (ring.pop(m))
            if (m.packet != nullptr) rte_pktmbuf_free(m.packet);
    };
    drop(s_.lane.to[index(s_.side)]);
    if (is_client() && s_.lane.application) drop(s_.lane.application->to_client);
}

Instant Sessions::shared_now() const {
    return now_ + Duration{s_.lane.node.clock_offset_ns.load(std::memory_order_relaxed)};
}

/// Takes the duty cycle's one clock reading.
void Sessions::set_now(Instant now) {
    now_ = context_.now = now;
    context_.ts_now = static_cast<std::uint32_t>(shared_now().ns / 1'000'000);
}

Leg* Sessions::leg_of(SessionId id) {
    if (id.slot >= legs_.size()) return nullptr;
    auto& leg = legs_[id.slot];
    const auto& inherited = inherited_[id.slot];
    if (inherited.waiting && inherited.generation == id.generation) wake(id.slot);
    if (leg.phase != Phase::free && leg.generation == id.generation) return &leg;
    s_.counters.add(Counter::stale_message);
    return nullptr;
}

bool Sessions::send_message(Message m) {
    m.retake_epoch = static_cast<std::uint16_t>(retake_epoch_);
    if (far_ring(m.id.slot).push(m)) return true;
    s_.counters.add(Counter::ring_refused);
    try_again(m.id.slot);
    return false;
}

/// Serves the slot again in the next cycle: something had no room in this one.
void Sessions::try_again(std::uint32_t slot) {
    if (legs_[slot].retry) return;
    legs_[slot].retry = true;
    retry_.push_back(slot);
}

/// Sends a message that must not be lost; what the ring refuses is sent again next cycle.
void Sessions::post(std::uint32_t slot, MessageKind kind) {
    // After a reset nothing more comes of the other leg.
    if (kind == MessageKind::reset) legs_[slot].other_over = true;
    legs_[slot].pending = static_cast<std::uint16_t>(legs_[slot].pending | 1u << static_cast<unsigned>(kind));
    send_pending(slot);
}

void Sessions::send_pending(std::uint32_t slot) {
    auto& leg = legs_[slot];
    // In the order of MessageKind, which is the order of a session's life.
    for (unsigned kind = 0; leg.pending >> kind != 0; ++kind) {
        if ((leg.pending >> kind & 1) == 0) continue;
        auto m = Message{static_cast<MessageKind>(kind), 0, 0, id_of(slot), 0, nullptr, 0, 0};
        if (m.kind == MessageKind::resumed) m = resumed_message(slot);
        if (!send_message(m)) return;
        leg.pending = static_cast<std::uint16_t>(leg.pending & ~(1u << kind));
    }
}

void Sessions::service_touched() {
    // service() may touch further slots; they are served in the same pass.
    for (std::size_t i = 0; i < touched_.size(); ++i) {
        const auto slot = touched_[i];
        auto& leg = legs_[slot];
        leg.touched = false;
        if (leg.phase == Phase::terminated) service(slot);
        if (leg.phase != Phase::free) arm(slot);
    }
    touched_.clear();
}

void Sessions::receive(std::span<wire::Frame> frames, std::span<rte_mbuf*> packets, Instant now) {
    set_now(now);
    // A core that did not run for a while may have lost its role meanwhile: what waited at the port opens
    // nothing.
    if (s_.lane.node.role_epoch.load(std::memory_order_acquire) != role_epoch_) follow_role();
    FlowKey keys[32];
    const FlowKey* pointers[32];
    std::uint32_t slots[32];
    rte_mbuf* spent[32];
    for (std::size_t base = 0; base < frames.size(); base += 32) {
        const auto n = std::min<std::size_t>(32, frames.size() - base);
        for (std::size_t i = 0; i < n; ++i) {
            const auto& f = frames[base + i];
            keys[i] = {f.destination, f.source, f.tcp.destination_port, f.tcp.source_port, 0};
            pointers[i] = &keys[i];
        }
        flows_.find_bulk({pointers, n}, {slots, n});
        const auto version = flows_.version();
        unsigned spent_count = 0;
        for (std::size_t i = 0; i < n; ++i) {
            Packet packet(packets[base + i]);
            // An earlier frame of this burst may have opened the flow or ended it.
            if (flows_.version() != version) slots[i] = flows_.find(keys[i]);
            if (!active_) s_.counters.add(Counter::not_active);
            else if (slots[i] < legs_.size()) segment(slots[i], frames[base + i], std::move(packet));
            else if (slots[i] != FlowTable::none) in_check(check_of(slots[i]), frames[base + i]);
            else unknown_segment(frames[base + i], std::move(packet));
            if (packet) spent[spent_count++] = packet.release();
        }
        rte_pktmbuf_free_bulk(spent, spent_count);
    }
    //= rfc9293#3.10.7.4
    //  ACKs leave when the whole burst was processed: one for each session.
    //= rfc5681#4.2
    //  So no segment has more than one.
    service_touched();
}

/// Takes the packet only when its bytes are wanted.
void Sessions::segment(std::uint32_t slot, const wire::Frame& frame, Packet&& packet) {
    auto& leg = legs_[slot];
    switch (leg.phase) {
        case Phase::opening:
        case Phase::storing:
        case Phase::answering:
            if (leg.cookie) in_terminated(slot, frame, std::move(packet));
            else in_handshake(slot, frame, std::move(packet));
            break;
        case Phase::connecting:
        case Phase::accepted: in_connecting(slot, frame); break;
        case Phase::terminated:
            if (leg.prefix_size == 0) in_terminated(slot, frame, std::move(packet));
            else in_terminated(slot, take_prefix_ack(slot, frame), std::move(packet));
            break;
        case Phase::free:
            if (!inherited_[slot].waiting) break;
            wake(slot);
            [[fallthrough]];
        case Phase::installed:
            take_over(slot);
            // Its client repeats what came before the application core has answered.
            if (leg.phase == Phase::resuming) return s_.counters.add(Counter::wrong_phase);
            [[fallthrough]];
        case Phase::translated:
            if (leg.prefix_size == 0) in_translated(slot, frame, std::move(packet));
            else in_translated(slot, take_prefix_ack(slot, frame), std::move(packet));
            break;
        case Phase::resuming: s_.counters.add(Counter::wrong_phase); break;
        case Phase::dead: in_dead(slot, frame, std::move(packet)); break;
    }
    touch(slot);
}

void Sessions::unknown_segment(const wire::Frame& frame, Packet packet) {
    // In the name of an address that is not ours nothing is answered.
    if (!s_.net.is_virtual_address(frame.destination))
        return s_.net.counters().add(net::Counter::frames_not_for_us);
    const bool is_syn = frame.tcp.has(wire::flag::syn) && !frame.tcp.has(wire::flag::ack);
    if (is_client() && is_syn) return open(frame, std::move(packet));
    if (open_by_cookie(frame, std::move(packet))) return;
    s_.counters.add(Counter::unknown_flow);
    //= rfc9293#3.10.7.1
    //  A segment of no connection is answered by RST, but for a RST.
    if (frame.tcp.has(wire::flag::rst)) return;
    // They come again, behind the answer; a RST would end a good connection.
    const bool young_cookies = now_ + tcp::cookie_lifetime < cookies_until_ + tcp::cookie_young;
    if (young_cookies && may_follow_cookie(frame, s_.secrets, shared_now())) return;
    // Just after a takeover an unknown flow may be one whose record is still on its way from the old active's
    // last words to an endpoint's retransmission: silence does no harm, a RST would.
    if (now_ < quiet_until_) {
        s_.counters.add(Counter::unknown_flow_quiet);
        return;
    }
    s_.counters.add(Counter::unknown_flow_reset);
    tcp::emit_reset_reply(frame, context_);
}

std::uint32_t Sessions::advance(Instant now) {
    set_now(now);
    follow_role();
    const auto before = touched_.size();
    take_installs();
    take_messages();
    take_cells();
    run_timers();
    run_checks();
    if (active_) take_over_some();
    follow_mirror();
    const auto stored = follow_stored();
    if (is_client()) answer_stored();
    // What only tries again is no work: whoever is to make room may need the CPU.
    const auto work = static_cast<std::uint32_t>(touched_.size() - before) + stored;
    retrying_.swap(retry_);
    for (const auto slot : retrying_) {
        legs_[slot].retry = false;
        if (legs_[slot].phase == Phase::free) continue;
        send_pending(slot);
        fire(slot);
    }
    retrying_.clear();
    service_touched();
    auto& core = s_.lane.core[index(s_.side)];
    core.sessions.store(used_, std::memory_order_relaxed);
    core.held_mbufs.store(held_, std::memory_order_relaxed);
    core.cycles.store(core.cycles.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    return work;
}

void Sessions::take_messages() {
    take_messages_of(s_.lane.to[index(s_.side)]);
    if (is_client() && s_.lane.application) take_messages_of(s_.lane.application->to_client);
}

void Sessions::take_messages_of(Ring<Message>& ring) {
    for (;;) {
        const auto n = ring.pop(std::span(messages_));
        for (std::uint32_t i = 0; i < n; ++i) take_message(messages_[i]);
        if (n < messages_.size()) return;
    }
}

void Sessions::take_message(const Message& m) {
    Packet packet(m.packet);
    if (m.kind == MessageKind::open) return take_open(m.id);
    if (m.kind == MessageKind::released) {
        if (auto* leg = leg_of(m.id)) {
            leg->other_over = leg->other_released = true;
            quarantine_over(m.id.slot);
        }
        return;
    }
    // The other core may know of a new role before us.
    const auto epoch = s_.lane.node.role_epoch.load(std::memory_order_acquire);
    if (m.kind == MessageKind::resumed && epoch != role_epoch_) follow_role();
    auto* leg = leg_of(m.id);
    if (leg == nullptr) return;
    const bool changes_phase = m.kind == MessageKind::accepted || m.kind == MessageKind::resumed ||
                               m.kind == MessageKind::established || m.kind == MessageKind::anchor;
    if (changes_phase && m.retake_epoch != static_cast<std::uint16_t>(retake_epoch_))
        return s_.counters.add(Counter::stale_message);
    const auto slot = m.id.slot;
    switch (m.kind) {
        case MessageKind::accepted: accepted(slot); break;
        case MessageKind::resumed:
            if (is_entrusted(*leg)) entrusted_resumed(slot, m);
            else resumed(slot, m);
            break;
        case MessageKind::refused: refuse_client(slot); break;
        case MessageKind::established: server_established(slot); break;
        case MessageKind::data: take_data(slot, std::move(packet)); break;
        case MessageKind::fin:
            if (is_entrusted(*leg)) payload_->entrusted[slot].fin = leg->phase == Phase::terminated;
            else tcp::enqueue_fin(leg->tcb);
            cover_payload(slot);
            break;
        case MessageKind::reset: reset_leg(slot); break;
        case MessageKind::translate: forward_translated(slot, std::move(packet)); break;
        case MessageKind::anchor:
            anchor_leg(slot, m.down, m.up, (m.flags & 2) != 0, (m.flags & 1) != 0);
            break;
        case MessageKind::ahead:
            if (leg->phase == Phase::terminated) tcp::send_ahead(leg->tcb, std::move(packet), context_);
            break;
        case MessageKind::sacked: take_sacked(slot, {m.up, m.down}); break;
        case MessageKind::over:
            leg->other_over = true;
            note_closed(slot);
            break;
        case MessageKind::open:
        case MessageKind::resume:
        case MessageKind::released: break;
    }
    touch(slot);
}

void Sessions::take_cells() {
    s_.lane.dirty[index(other(s_.side))].drain([this](std::uint32_t slot) {
        const auto phase = legs_[slot].phase;
        if (phase == Phase::free) return;
        legs_[slot].far_changed = true;
        if (phase == Phase::terminated) touch(slot);
        if (phase == Phase::translated && is_client()) try_anchor(slot);
    });
}

void Sessions::run_timers() {
    wheel_.advance(now_, [this](std::uint32_t slot) { fire(slot); });
    s_.net.advance(now_);
}

void Sessions::fire(std::uint32_t slot) {
    auto& leg = legs_[slot];
    const auto& c = context_;
    if (now_ >= leg.progress_at) journal_progress(slot);
    if (leg.opened_pending) journal_opened(slot);
    switch (leg.phase) {
        case Phase::free: return;
        case Phase::opening:
            if (now_ >= leg.give_up_at) abandon(slot);
            break;
        case Phase::storing: break;
        case Phase::answering:
            if (now_ >= leg.give_up_at || !tcp::run_handshake_timer(leg.tcb, leg.offer, false, c))
                abandon(slot);
            break;
        case Phase::accepted: break;
        case Phase::connecting: run_connecting(slot); break;
        case Phase::terminated:
            if (!tcp::run_send_timer(leg.tcb, c)) {
                s_.tcp_counters.add(tcp::Counter::connections_timed_out);
                s_.counters.add(Counter::sessions_timed_out);
                reset_both(slot);
                break;
            }
            expect_late_ack(leg);
            watch_window(slot);
            run_prefix(slot);
            run_idle(slot);
            end_if_silent(slot);
            break;
        case Phase::installed: break;
        case Phase::resuming:
            if (now_ >= leg.give_up_at) reset_unproven(slot);
            break;
        case Phase::translated:
            if (now_ >= leg.takeover_probe_at) takeover_probe(slot);
            if (leg.phase == Phase::translated && now_ >= leg.heard->payload_at) repeat_held(slot);
            run_prefix(slot);
            end_if_silent(slot);
            if (leg.phase == Phase::translated && is_client()) try_anchor(slot);
            break;
        case Phase::dead:
            if (now_ >= leg.dead_until) quarantine_over(slot);
            break;
    }
    if (legs_[slot].phase != Phase::free) touch(slot);
}

void Sessions::arm(std::uint32_t slot) {
    // Later deadlines wait for the earlier entry to fire: fire() finds nothing due and arms the true one.
    wheel_.arm_earlier(slot, deadline_of(legs_[slot]));
}

Instant Sessions::next_deadline() const {
    if (!retry_.empty() || !touched_.empty() || snapshot_next_ != 0xffffffff || snapshot_end_pending_ ||
        epoch_start_pending_ || takeover_next_ != 0xffffffff)
        return now_;
    auto at = earlier(earlier(wheel_.next_deadline(), s_.net.next_deadline()), checks_at_);
    if (storing_head_ < storing_.size()) at = earlier(at, legs_[storing_[storing_head_]].store_deadline);
    return at;
}

std::uint64_t Sessions::held_mbufs() const { return held_; }

/// A (slot, generation) is never used twice, whoever used it first.
std::uint32_t Sessions::last_generation(std::uint32_t slot) const {
    const auto here = legs_[slot].generation, inherited = inherited_[slot].generation;
    return static_cast<std::int32_t>(inherited - here) > 0 ? inherited : here;
}

std::uint32_t Sessions::allocate_slot() {
    while (!free_slots_.empty()) {
        const auto slot = free_slots_.back();
        free_slots_.pop_back();
        listed_free_[slot] = false;
        // A slot that the mirror has filled meanwhile is not free; it comes back when its session ends.
        if (legs_[slot].phase == Phase::free && !inherited_[slot].waiting) return slot;
    }
    return FlowTable::none;
}

void Sessions::start_leg(std::uint32_t slot, std::uint32_t generation, const LegRecord& r) {
    auto& leg = legs_[slot];
    // It stays in the lists in which it is.
    const bool touched = leg.touched, retry = leg.retry;
    leg.~Leg();
    new (&leg) Leg{};
    leg.touched = touched;
    leg.retry = retry;
    leg.generation = generation;
    leg.tcb.hard.leg = r;
    leg.tcb.soft.rtt.rto = s_.config.tcp.rto_initial;
    leg.tcb.soft.last_heard = now_;
    ++used_;
}

void Sessions::free_leg(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& inherited = inherited_[slot];
    if (leg.phase == Phase::free && !inherited.waiting) return;
    leave_half_open(slot);
    unlist(slot);
    note_over(slot);
    end_payload({slot, inherited.waiting ? inherited.generation : leg.generation});
    if (inherited.waiting) {
        inherited.waiting = false;
        flows_.erase_at(inherited.flow, slot);
    } else {
        // A new connection of the same tuple may have taken the entry over.
        if (flows_.find(key_of(leg)) == slot) flows_.erase(key_of(leg));
        wheel_.disarm(slot);
        discard_queues(slot);
        leg.phase = Phase::free;
        clear_cell(slot);
    }
    set_view(slot, View::none);
    --used_;
    if (!is_client() || listed_free_[slot]) return;
    listed_free_[slot] = true;
    free_slots_.push_back(slot);
}

/// What the next session of the slot and the other core find there.
void Sessions::clear_cell(std::uint32_t slot) {
    auto& c = cell(slot);
    c.acknowledged.store(0, std::memory_order_relaxed);
    c.edge.store(0, std::memory_order_relaxed);
    c.received.store(0, std::memory_order_relaxed);
    c.announced.store(0, std::memory_order_relaxed);
    c.srtt_us.store(0, std::memory_order_relaxed);
    c.held_mbufs.store(0, std::memory_order_relaxed);
    c.room_ahead.store(0, std::memory_order_relaxed);
    c.probe_requests.store(0, std::memory_order_relaxed);
    c.heard.store(0, std::memory_order_relaxed);
    c.fin.store(0, std::memory_order_relaxed);
    c.opened_sequence.store(0, std::memory_order_relaxed);
    c.opened_epoch.store(0, std::memory_order_release);
    if (payload_) payload_->gate.clear(slot);
}

void Sessions::set_view(std::uint32_t slot, View view) {
    if (is_client()) s_.lane.views[slot].store(view, std::memory_order_release);
}

}  // namespace holdfast::proxy
