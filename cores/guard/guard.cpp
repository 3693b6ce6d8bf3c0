// The frame of the guard: construction, the duty cycle, and what it hands out.
#include "cores/guard/guard.hpp"

#include <algorithm>

#include "lib/base/check.hpp"

namespace holdfast::guard {

Guard::Guard(const Settings& settings, Instant now)
    : settings_(settings),
      times_(settings.times()),
      hmac_(settings.key),
      terms_(settings.node_id, settings.stored_term),
      booted_at_(now),
      last_advance_(now),
      own_progress_at_(now),
      next_heartbeat_(now),
      next_reference_(now),
      next_vip_(now) {
    HF_CHECK(settings_error(settings).empty());
    settings_.key = {};
    if (settings_.core_stall <= Duration{}) settings_.core_stall = settings_.lease;
}

const Outputs& Guard::advance(Instant now) {
    begin(now);
    watch_paths(now);
    switch (role_) {
        case Role::booting:
        case Role::standby: advance_waiting(now); break;
        case Role::active: advance_active(now); break;
        case Role::resigned: advance_resigned(now); break;
    }
    ask(now);
    announce(now);
    send_heartbeats(now);
    static_cast<News&>(out_) = news_;
    news_ = {};
    out_.term_to_persist = terms_.to_persist();
    out_.next_deadline = deadline(now);
    return out_;
}

void Guard::begin(Instant now) {
    out_.heartbeat_count = 0;
    out_.query_references = out_.query_vip = out_.announce = false;
    settle_last_cycle(now);
    note_gaps(now);
    if (role_ != Role::active || suspended_) terms_.reserve();
    if (settings_.references == 0 && (inputs_.link[0] || inputs_.link[1])) search_.take_as_proof(now);
}

/// Time in which this node, or its client core, did not run proves nothing about the peer.
void Guard::note_gaps(Instant now) {
    const bool moved = inputs_.progress[0] != own_progress_;
    const Instant last_ran = moved ? own_progress_at_ : last_advance_;
    if (now - last_ran > idle_max()) {
        count(Counter::gaps);
        search_.note_gap(earlier(last_ran, own_progress_at_));
        settled_at_ = now + settings_.heartbeat;
    }
    own_progress_ = inputs_.progress[0];
    if (moved) own_progress_at_ = now;
    last_advance_ = now;
}

/// A frame was polled before this reading of the clock; perhaps long after the reading before (lease.hpp, 1).
void Guard::settle_last_cycle(Instant now) {
    if (!heard_in_last_cycle_ || now <= peer_.heard_at()) return;
    heard_in_last_cycle_ = false;
    if (now - peer_.heard_at() <= times_.cycle_max()) return;
    peer_.heard_as_late_as(now);
    if (granted_counter_ == peer_.claim().counter) promise_until_ = later(promise_until_, times_.over(now));
}

void Guard::watch_paths(Instant now) {
    for (std::size_t i = 0; i < path_count; ++i) {
        const Path path = static_cast<Path>(i);
        const bool heard = peer_.path_heard_within(path, settings_.lease, now);
        if (heard == path_heard_[i]) continue;
        path_heard_[i] = heard;
        if (heard) event(EventKind::peer_heard, i, 0, now);
        else
            event(EventKind::peer_silent, i,
                  static_cast<std::uint64_t>((now - peer_.path_heard_at(path)).to_us()), now);
    }
}

void Guard::ask(Instant now) {
    if (settings_.references != 0 && now >= next_reference_) {
        out_.query_references = true;
        search_.references_queried(now);
        count(Counter::reference_queries);
        next_reference_ = now + std::max(settings_.heartbeat, settings_.lease / 6);
    }
    if (!searching(now)) {
        search_.restart();
        next_vip_ = now;
    } else if (now >= next_vip_) {
        out_.query_vip = true;
        search_.vip_queried(now);
        count(Counter::vip_queries);
        next_vip_ = now + settings_.heartbeat;
    }
}

void Guard::start_announcing(Instant now) {
    next_announce_ = now;
    announce_until_ = now + settings_.announce_for;
}

void Guard::announce(Instant now) {
    if (now < next_announce_ || now >= speak_until()) return;
    out_.announce = true;
    next_announce_ = now + settings_.announce_every;
    if (next_announce_ > announce_until_) next_announce_ = Instant::never();
}

void Guard::send_heartbeats(Instant now) {
    const bool urgent = urgent_ && now >= last_heartbeat_ + settings_.heartbeat / 4;
    if (now < next_heartbeat_ && !urgent) return;
    if (now >= next_heartbeat_) next_heartbeat_ = later(next_heartbeat_ + settings_.heartbeat, now);
    if (next_heartbeat_ == now) next_heartbeat_ = now + settings_.heartbeat;
    urgent_ = false;
    last_heartbeat_ = now;
    sent_.note(++counter_, now);
    Heartbeat h = compose(now);
    for (std::size_t i = 0; i < path_count; ++i) {
        h.path = static_cast<Path>(i);
        out_.heartbeats[i].path = h.path;
        encode(h, hmac_, out_.heartbeats[i].payload);
    }
    out_.heartbeat_count = path_count;
    count(Counter::heartbeats_sent, path_count);
}

Heartbeat Guard::compose(Instant now) {
    Heartbeat h;
    h.node_id = static_cast<std::uint8_t>(settings_.node_id);
    h.role = role_;
    h.state = state(now);
    h.able = able(now);
    for (std::size_t i = 0; i < path_count; ++i)
        if (inputs_.link[i]) h.links = static_cast<std::uint8_t>(h.links | 1u << i);
    h.term = term_;
    h.known_term = terms_.known();
    h.boot_nonce = settings_.boot_nonce;
    h.lease_us = static_cast<std::uint32_t>(settings_.lease.to_us());
    h.margin_us = static_cast<std::uint32_t>(settings_.lease_margin.to_us());
    h.counter = counter_;
    const Peer::Echo echo = peer_.next_echo(now, detection_bound());
    h.echo_nonce = echo.nonce;
    h.echo_counter = echo.counter;
    h.path_echo = echo.path_counter;
    if (echo.current && grants_peer(now)) {
        h.grant_counter = granted_counter_ = peer_.claim().counter;
        promise_until_ = later(promise_until_, times_.over(peer_.heard_at()));
    }
    if (role_ == Role::active) {
        h.in_sync = inputs_.standby_in_sync;
        // What is echoed without being believed was no sign of life to us: lease.hpp, 3a, counts on that.
        h.solo = solo_until_ > now || solo_permitted(now) || echo.counter != peer_.claim().counter;
    }
    note_readiness(h);
    h.progress = inputs_.progress;
    h.mirror_progress = inputs_.mirror_progress;
    return h;
}

/// A peer that reads that we could not succeed it may begin a lease of its own at once (lease.hpp, 3a).
void Guard::note_readiness(const Heartbeat& told) {
    if (told.state != State::ready || !told.able) {
        ready_since_counter_ = 0;
        solo_possible_at_ = no_lease;
    } else if (ready_since_counter_ == 0) {
        ready_since_counter_ = counter_;
    }
}

Instant Guard::deadline(Instant now) const {
    Instant next = next_heartbeat_;
    const auto consider = [&](Instant t) {
        if (t > now) next = earlier(next, t);
    };
    consider(next_announce_);
    if (settings_.references != 0) consider(next_reference_);
    if (heard_in_last_cycle_) consider(now + times_.cycle_max());
    if (urgent_) consider(last_heartbeat_ + settings_.heartbeat / 4);
    if (peer_.known()) {
        consider(peer_.heard_at() + times_.search_after());
        consider(peer_.heard_at() + times_.solo_after());
        consider(times_.over(peer_.heard_at()));
    }
    consider(promise_until_);
    consider(lease_end());
    if (!search_.unanswered_since().is_never()) {
        consider(next_vip_);
        consider(times_.over(search_.unanswered_since()));
    }
    if (role_ == Role::booting) consider(booted_at_ + settings_.boot_wait);
    return next;
}

State Guard::state(Instant now) const {
    switch (role_) {
        case Role::booting: return State::boot;
        case Role::standby: return ready() ? State::ready : State::syncing;
        case Role::resigned: return State::resigned;
        case Role::active: break;
    }
    if (suspended_) return State::suspended;
    return inputs_.standby_in_sync && peer_alive(now) ? State::protected_ : State::solo;
}

std::uint32_t Guard::paths_heard(Instant now) const {
    std::uint32_t mask = 0;
    for (std::size_t i = 0; i < path_count; ++i)
        if (peer_.path_heard_within(static_cast<Path>(i), settings_.lease, now)) mask |= 1u << i;
    return mask;
}

bool Guard::able(Instant now) const {
    return terms_.ready() && client_core_runs(now) && inputs_.link[0] && inputs_.link[1] && connected(now);
}

void Guard::event(EventKind kind, std::uint64_t a, std::uint64_t b, Instant now, Reason reason) {
    if (news_.event_count == news_.events.size()) return count(Counter::events_lost);
    Event& e = news_.events[news_.event_count++];
    e = {};
    e.at = now;
    e.kind = kind;
    e.reason = static_cast<std::uint16_t>(reason);
    e.a = a;
    e.b = b;
}

}  // namespace holdfast::guard
