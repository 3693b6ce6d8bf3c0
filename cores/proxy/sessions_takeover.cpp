// A standby's table, and what happens to it when the node becomes active or loses that role.
#include <algorithm>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"
#include "cores/tcp/syn_cookie.hpp"

namespace holdfast::proxy {

using namespace literals;
namespace flag = wire::flag;

namespace {
constexpr std::uint32_t none = FlowTable::none;
constexpr Duration first_probe_wait = milliseconds(100), last_probe_wait = seconds(60);
constexpr std::uint8_t probes_max = 16;
constexpr Duration quiet_after_takeover = seconds(3);
constexpr std::uint32_t takeovers_per_cycle = 64;
}  // namespace

void Sessions::take_installs() {
    take_payload();
    auto& ring = s_.lane.install[index(s_.side)];
    for (;;) {
        const auto n = ring.pop(std::span(installs_));
        for (std::uint32_t i = 0; i < n; ++i) take_install(installs_[i]);
        if (n < installs_.size()) return;
    }
}

void Sessions::take_install(const InstallEntry& entry) {
    switch (entry.kind) {
        case InstallKind::install: install(entry.id); break;
        case InstallKind::progress: update_hints(entry.progress); break;
        case InstallKind::remove: remove(entry.id); break;
    }
}

void Sessions::install(SessionId id) {
    if (id.slot >= legs_.size()) return;
    auto& inherited = inherited_[id.slot];
    // The record was only refreshed.
    if (inherited.waiting && inherited.generation == id.generation) return;
    if (legs_[id.slot].phase != Phase::free && legs_[id.slot].generation == id.generation) return;
    free_leg(id.slot);
    const auto key = key_of(record(id.slot).leg[index(s_.side)]);
    inherited = Inherited{};
    inherited.generation = id.generation;
    if (!flows_.insert(key, id.slot)) {
        s_.counters.add(Counter::install_refused);
        return;
    }
    inherited.flow = flows_.place_of(key);
    inherited.waiting = true;
    ++used_;
    set_view(id.slot, View::installed);
    // Whatever was agreed on, the backend has accepted.
    const auto& r = record(id.slot);
    const tcp::HandshakeOffer agreed{536, r.sack, r.timestamps, r.window_scaling, 0, 0};
    if (!is_client()) s_.lane.backend_options.note(r.service, r.backend, agreed, agreed);
    list_newest(id.slot);
    s_.counters.add(Counter::sessions_installed);
    s_.net.prepare(key.remote, now_);
}

/// Makes the leg of an installed session from its record.
void Sessions::wake(std::uint32_t slot) {
    auto& inherited = inherited_[slot];
    const auto& r = record(slot);
    inherited.waiting = false;
    --used_;  // start_leg() counts it again
    start_leg(slot, inherited.generation, r.leg[index(s_.side)]);
    auto& leg = legs_[slot];
    leg.service = r.service;
    leg.gates = r.gates;
    leg.hints = &inherited.hints;
    leg.heard = &heard_[slot];
    leg.established = inherited.hints.established;
    leg.fin_received = inherited.hints.fin_received;
    const auto send_scale = is_client() ? r.scale_client : r.scale_server;
    const auto receive_scale = is_client() ? r.scale_to_client : r.scale_client;
    leg.tcb.hard = {r.leg[index(s_.side)], r.sack,     r.timestamps,
                    r.ecn[index(s_.side)], send_scale, receive_scale};
    tcp::start_receiving(leg.tcb, 1);
    leg.tcb.soft.snd.una = leg.tcb.soft.snd.nxt = 1;
    leg.offer = {r.leg[index(Side::client)].mss_receive,
                 r.sack,
                 r.timestamps,
                 r.window_scaling,
                 r.scale_to_client,
                 r.syn_window,
                 r.ecn[index(Side::client)]};
    leg.phase = Phase::installed;
    leg.backend = r.backend;
    if (!is_client()) leg.prefix_size = prefix_size(r);
    if (const auto* service = service_of(leg);
        is_client() && service != nullptr && service->idle_timeout > Duration{}) {
        // Its time goes on from the last payload that the mirror told of.
        const auto active = std::max(in_seconds(r.opened_at), inherited.hints.last_active_s);
        leg.silent_at = now_ + service->idle_timeout - (shared_now() - (Instant{} + seconds(active)));
    }
    note_live(slot);
}

void Sessions::update_hints(const ProgressRecord& p) {
    if (p.id.slot >= legs_.size()) return;
    auto& inherited = inherited_[p.id.slot];
    if (!inherited.waiting || inherited.generation != p.id.generation || p.version <= inherited.hints.version)
        return;
    inherited.hints = {p.una,          p.ack,      p.last_byte, p.has_last_byte, p.established,
                       p.fin_received, p.fin_sent, p.version,   p.ts_recent,     in_seconds(p.last_active)};
    list_newest(p.id.slot);
}

void Sessions::remove(SessionId id) {
    if (id.slot >= legs_.size()) return;
    const auto& inherited = inherited_[id.slot];
    const auto& leg = legs_[id.slot];
    const bool known = inherited.waiting ? inherited.generation == id.generation
                                         : leg.phase != Phase::free && leg.generation == id.generation;
    if (!known) return;
    s_.counters.add(Counter::sessions_removed);
    free_leg(id.slot);
}

void Sessions::list_newest(std::uint32_t slot) {
    unlist(slot);
    auto& entry = inherited_[slot];
    entry.listed = true;
    entry.newer = none;
    entry.older = newest_;
    if (newest_ != none) inherited_[newest_].newer = slot;
    newest_ = slot;
    if (oldest_ == none) oldest_ = slot;
}

void Sessions::unlist(std::uint32_t slot) {
    auto& entry = inherited_[slot];
    if (!entry.listed) return;
    if (takeover_next_ == slot) takeover_next_ = entry.older;
    (entry.newer != none ? inherited_[entry.newer].older : newest_) = entry.older;
    (entry.older != none ? inherited_[entry.older].newer : oldest_) = entry.newer;
    entry.listed = false;
}

void Sessions::follow_role() {
    auto& node = s_.lane.node;
    const auto epoch = node.role_epoch.load(std::memory_order_acquire);
    const bool active = node.role.load(std::memory_order_acquire) == Role::active;
    if (epoch != role_epoch_) {
        role_epoch_ = epoch;
        // What the mirror handed over before the change is part of the table.
        take_installs();
        const auto table = node.table_epoch.load(std::memory_order_acquire);
        if (table != table_epoch_) drop_table();
        table_epoch_ = table;
        const auto retake = node.retake_epoch.load(std::memory_order_acquire);
        if (retake != retake_epoch_) retake_all();
        retake_epoch_ = retake;
        if (active && !active_) become_active();
        active_ = active;
        s_.lane.core[index(s_.side)].role_epoch_done.store(epoch, std::memory_order_release);
    }
    s_.net.set_speaking(active_ && now_.ns < node.speak_until_ns.load(std::memory_order_acquire));
}

void Sessions::become_active() {
    if (used_ > 0) quiet_until_ = now_ + quiet_after_takeover;
    takeover_next_ = newest_;
    // The old active may have given some; they are young no more, quiet_until_ is there for those.
    cookies_until_ = now_ + (tcp::cookie_lifetime - tcp::cookie_young);
    start_checks();
}

void Sessions::drop_table() {
    s_.counters.add(Counter::sessions_dropped, used_);
    for (std::uint32_t slot = 0; slot < legs_.size(); ++slot) free_leg(slot);
    if (payload_) payload_->store.clear();
    drop_messages();
    storing_.clear();
    storing_head_ = 0;
    snapshot_next_ = none;
}

/// The node was silent for a while and the peer may have served its sessions meanwhile: they start over as
/// after a takeover. What was held was never acknowledged (gate peer), so its senders still have it.
void Sessions::retake_all() {
    for (std::uint32_t slot = 0; slot < legs_.size(); ++slot) retake(slot);
    active_ = false;  // become_active() starts the probes
}

void Sessions::retake(std::uint32_t slot) {
    auto& leg = legs_[slot];
    // The peer may have gone on with it from what it had stored; its application would have said other things
    // than ours.
    const bool begun = leg.phase != Phase::opening && leg.phase != Phase::connecting;
    if ((has_app_gate(leg) || is_entrusted(leg)) && begun && leg.phase != Phase::installed)
        return reset_unproven(slot);
    switch (leg.phase) {
        // Where a handshake was under way, nothing is known beyond the record; both cores see it so.
        case Phase::storing:
        case Phase::answering:
        case Phase::accepted: inherited_[slot].hints = Hints{}; break;
        case Phase::terminated: remember_terminated(slot); break;
        case Phase::translated: remember_heard(slot); break;
        default: return;
    }
    leg.hints = &inherited_[slot].hints;
    leg.heard = &heard_[slot];
    *leg.heard = Heard{};
    auto& t = leg.tcb.soft;
    leave_half_open(slot);
    discard_queues(slot);
    t.rcv.ts_recent_valid = false;
    t.snd.timer = tcp::SendTimer::none;
    t.snd.timer_at = Instant::never();
    // What the ring still refuses belongs to the time before.
    leg.pending = 0;
    leg.phase = Phase::installed;
    list_newest(slot);
}

void Sessions::remember_terminated(std::uint32_t slot) {
    const auto& leg = legs_[slot];
    const auto& t = leg.tcb.soft;
    auto& hints = inherited_[slot].hints;
    hints.una = t.snd.una;
    hints.ack = t.rcv.ledger.acknowledged();
    hints.last_byte = t.snd.last_byte;
    hints.has_last_byte = t.snd.has_last_byte && !t.snd.fin_acknowledged;
    hints.established = leg.established;
    hints.fin_received = leg.fin_received;
    hints.fin_sent = t.snd.fin_acknowledged;
    hints.ts_recent = t.rcv.ts_recent;
    hints.last_active_s = in_seconds(shared_now());
    hints.version = leg.progress_version + 1;
}

/// What was heard since the takeover is at least as new as the hints.
void Sessions::remember_heard(std::uint32_t slot) {
    auto& leg = legs_[slot];
    const auto& heard = *leg.heard;
    auto& hints = *leg.hints;
    if (!heard.any) return;
    const auto acknowledged = other_cell(slot).acknowledged.load(std::memory_order_acquire);
    hints.ack = std::max(hints.ack, std::min(heard.seq_edge, acknowledged));
    if (leg.tcb.soft.rcv.ts_recent_valid) {
        hints.ts_recent = leg.tcb.soft.rcv.ts_recent;
        hints.last_active_s = in_seconds(shared_now());
    }
    const auto una = known_una(slot);
    if (una <= hints.una) return;
    hints.una = una;
    hints.has_last_byte = heard.tail_end == una;
    hints.last_byte = heard.tail_byte;
}

/// What the endpoint is known to have acknowledged: an ACK of what the far end was not heard to send may be
/// anybody's.
Position Sessions::known_una(std::uint32_t slot) const {
    const auto& leg = legs_[slot];
    const auto sent = s_.lane.cells[index(other(s_.side))][slot].received.load(std::memory_order_acquire);
    return std::max(leg.hints->una, std::min(leg.heard->ack, sent));
}

/// Wakes the table a few sessions at a time, the most recently active first.
void Sessions::take_over_some() {
    for (std::uint32_t i = 0; i < takeovers_per_cycle && takeover_next_ != none; ++i) {
        const auto slot = takeover_next_;
        takeover_next_ = inherited_[slot].older;
        if (inherited_[slot].waiting) wake(slot);
        if (legs_[slot].phase == Phase::installed) take_over(slot);
        touch(slot);
    }
}

void Sessions::take_over(std::uint32_t slot) {
    auto& leg = legs_[slot];
    *leg.heard = Heard{};
    // TSval grows by a guard of 10 s for every term since the session opened: it never goes back across a
    // takeover, and a late segment of the old node fails PAWS.
    const auto terms = s_.lane.node.term.load(std::memory_order_relaxed) - record(slot).term;
    leg.tcb.hard.leg.ts_offset =
        record(slot).leg[index(s_.side)].ts_offset + static_cast<std::uint32_t>(terms * 10'000);
    leg.tcb.hard.leg.iss = record(slot).leg[index(s_.side)].iss;
    if (has_app_gate(leg)) return resume(slot);
    if (is_entrusted(leg)) return resume_entrusted(slot);
    leg.phase = Phase::translated;
    // A server that has a byte of the client's has the header, too.
    leg.prefix_pending = leg.prefix_size > 0 && leg.hints->una <= 1;
    leg.prefix_at = Instant::never();
    leg.tcb.soft.state = tcp::State::established;
    leg.takeover_probe_at = now_;
    cell(slot).heard.store(heard_mark(not_heard), std::memory_order_relaxed);
    cell(slot).fin.store(leg.fin_received ? 1 : 0, std::memory_order_relaxed);
    set_view(slot, View::translated);
    takeover_probe(slot);
    send_held(slot);
    touch(slot);
}

/// Asks an endpoint that was not heard yet; ever slower, and in the end it counts as gone.
void Sessions::takeover_probe(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& h = *leg.heard;
    leg.takeover_probe_at = Instant::never();
    if (now_ >= h.prove_until && !quiescent(slot)) {
        s_.counters.add(Counter::sessions_unproven_reset);
        return reset_both(slot);
    }
    if (h.any && !h.reset_seen) {
        // Heard and not quiescent: nothing to ask, but a session that has fallen silent is not to stay for
        // ever.
        const auto ask_at = earlier(
            h.prove_until, h.last_segment + std::min(s_.config.tcp.idle_probe, ask_again_after_takeover));
        if (now_ < ask_at) {
            leg.takeover_probe_at = ask_at;
            return;
        }
    }
    // An endpoint that lives answers. What was heard may have been a stranger's guess, far off what the
    // endpoint says: it is heard anew.
    constexpr std::uint8_t doubtful = 3;
    if (h.any && h.probes >= doubtful) {
        remember_heard(slot);
        // A FIN that the far end has acknowledged is not said again.
        const auto taken = other_cell(slot).acknowledged.load(std::memory_order_acquire);
        leg.fin_received = leg.fin_received || (h.closed() && taken > h.fin_position);
        const auto probes = h.probes;
        const auto prove_until = h.prove_until;
        h = Heard{};
        h.probes = probes;
        h.prove_until = prove_until;
        cell(slot).heard.store(heard_mark(not_heard), std::memory_order_release);
    }
    if (h.probes >= probes_max) {
        s_.counters.add(Counter::sessions_timed_out);
        return reset_both(slot);
    }
    if (!leg.established) {
        // A server that may be in SYN-RECEIVED is never probed: the client's answer completes its handshake.
        if (!is_client()) return;
        const auto* service = service_of(leg);
        const bool late = service != nullptr && service->handshake_timeout > Duration{} && h.probes > 0 &&
                          shared_now() - record(slot).opened_at > service->handshake_timeout;
        if (late || h.probes >= s_.config.tcp.syn_retries) {
            s_.counters.add(Counter::sessions_handshake_failed);
            return reset_both(slot);
        }
        ++h.probes;
        repeat_syn_ack(slot);
    } else {
        send_takeover_probe(slot);
    }
    auto wait = first_probe_wait;
    for (unsigned i = 1; i < h.probes && wait < last_probe_wait; ++i) wait = wait * 2;
    leg.takeover_probe_at = now_ + std::min(wait, last_probe_wait);
}

/// One true byte below the hint, ACK field one below the hint: the only segment whose ACK comes from a hint,
/// and it can acknowledge nothing.
void Sessions::send_takeover_probe(std::uint32_t slot) {
    auto& leg = legs_[slot];
    const auto& l = leg.tcb.hard.leg;
    const auto& c = context_;
    if (leg.heard->probes < 255) ++leg.heard->probes;
    s_.counters.add(Counter::takeover_probes);
    remember_heard(slot);
    if (leg.prefix_pending) return send_prefix(slot);
    wire::TcpHeader h;
    h.source_port = l.local.port;
    h.destination_port = l.remote.port;
    h.seq = to_seq(l.iss, leg.hints->una - 1);
    h.ack = to_seq(l.irs, leg.hints->ack - 1);
    h.flags = flag::ack;
    if (leg.tcb.hard.timestamps) {
        h.options.has_timestamps = true;
        h.options.ts_value = c.ts_now + l.ts_offset;
        h.options.ts_echo = leg.tcb.soft.rcv.ts_recent_valid ? leg.tcb.soft.rcv.ts_recent : 0;
    }
    if (leg.hints->has_last_byte) tcp::emit_copy(leg.tcb, h, &leg.hints->last_byte, 1, c);
    else tcp::emit_control(leg.tcb, h, c);
}

void Sessions::repeat_syn_ack(std::uint32_t slot) {
    auto& leg = legs_[slot];
    s_.counters.add(Counter::takeover_syn_acks);
    const auto state = leg.tcb.soft.state;
    tcp::send_syn_ack(leg.tcb, leg.offer, context_);
    leg.tcb.soft.state = state;
    // takeover_probe() repeats it: a handshake timer left behind would fire in every tick once the session is
    // anchored, and keep the leg from ever noticing that it waits for the port.
    leg.tcb.soft.snd.timer = tcp::SendTimer::none;
    leg.tcb.soft.snd.timer_at = Instant::never();
}

}  // namespace holdfast::proxy
