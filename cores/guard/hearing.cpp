// What the guard hears: heartbeats, answers, probes.
#include "cores/guard/guard.hpp"

namespace holdfast::guard {

void Guard::heartbeat_received(Path path, std::span<const std::uint8_t> payload, Instant now) {
    settle_last_cycle(now);
    Heartbeat h;
    switch (decode(payload, hmac_, h)) {
        case Parsed::malformed: return refuse(Counter::heartbeats_malformed, path, false, now);
        case Parsed::forged: return refuse(Counter::heartbeats_forged, path, true, now);
        case Parsed::ok: break;
    }
    if (h.node_id == settings_.node_id) return refuse(Counter::heartbeats_own_id, path, false, now);
    if (h.path != path) return refuse(Counter::heartbeats_misrouted, path, false, now);
    const std::uint64_t boots = peer_.boots();
    switch (peer_.admit(h, proves_life(h, now), now)) {
        case Peer::Admission::replayed: return refuse(Counter::heartbeats_replayed, path, true, now);
        case Peer::Admission::unproven: return count(Counter::heartbeats_unproven);
        case Peer::Admission::taken: return count(Counter::heartbeats_taken);
        case Peer::Admission::newest: break;
    }
    count(Counter::heartbeats_taken);
    heard_in_last_cycle_ = true;
    if (peer_.boots() != boots) {
        count(Counter::peer_boots);
        urgent_ = true;
    }
    take_claims(now);
}

void Guard::refuse(Counter why, Path path, bool tell, Instant now) {
    count(why);
    if (!tell || now < next_refusal_event_) return;
    next_refusal_event_ = now + seconds(1);
    event(EventKind::heartbeat_forged, static_cast<std::uint64_t>(path), 0, now);
}

bool Guard::proves_life(const Heartbeat& h, Instant now) const {
    if (h.echo_nonce != settings_.boot_nonce) return false;
    const auto echoed = sent_.sent_at(h.echo_counter);
    return echoed && now - *echoed < settings_.echo_window;
}

void Guard::take_claims(Instant now) {
    const Heartbeat& c = peer_.claim();
    terms_.learn(c.known_term);
    take_grant(now);
    note_progress(now);
    // It stopped speaking before it said so, and this heartbeat is newer than all we granted.
    if (c.role == Role::resigned) promise_until_ = no_lease;
    if (c.role == Role::active) react_to_active(now);
    note_solo_bound();
}

void Guard::take_grant(Instant now) {
    const Heartbeat& c = peer_.claim();
    const auto sent_at = sent_.sent_at(c.grant_counter);
    if (!sent_at) return;
    const Instant end = times_.ends(*sent_at);
    if (end <= granted_until_) return;
    if (role_ == Role::active && !suspended_ && now < lease_end()) lease_nonce_ = c.boot_nonce;
    granted_until_ = end;
    count(Counter::lease_grants);
}

void Guard::note_progress(Instant now) {
    for (std::size_t i = 0; i < progress_seen_.size(); ++i) {
        if (progress_seen_[i] == peer_.claim().progress[i]) continue;
        progress_seen_[i] = peer_.claim().progress[i];
        progress_at_[i] = now;
    }
}

void Guard::react_to_active(Instant now) {
    const Heartbeat& c = peer_.claim();
    const bool claimed_here = role_ == Role::active || role_ == Role::resigned;
    if (!claimed_here || c.term > term_) {
        follow(c.term, now);
        followed_in_sync_ = c.in_sync;
    } else if (role_ == Role::active) {
        // It gives way when it hears us; until then the switches may have learned the wrong port.
        count(Counter::rivals_heard);
        if (next_announce_.is_never()) start_announcing(now);
    }
}

/// See lease.hpp, 3a.
void Guard::note_solo_bound() {
    const Heartbeat& c = peer_.claim();
    solo_possible_at_ = no_lease;
    if (c.role != Role::active || c.solo || ready_since_counter_ == 0 ||
        c.echo_counter < ready_since_counter_)
        return;
    if (const auto sent_at = sent_.sent_at(c.echo_counter))
        solo_possible_at_ = *sent_at + times_.solo_after();
}

void Guard::reference_answered(unsigned target, Instant) {
    Instant sent_at{};
    const bool asked = target < settings_.references && search_.reference_answered(target, sent_at);
    count(asked ? Counter::reference_answers : Counter::reference_unasked);
}

void Guard::vip_answered(Instant now) {
    count(Counter::vip_answers);
    if (now < speak_until()) {
        count(Counter::vip_conflicts);
        if (next_announce_.is_never()) start_announcing(now);
    }
    search_.restart();
}

/// Whoever it was, the switches now send our frames there (design, section 8.1).
void Guard::virtual_mac_heard(Instant now) {
    if (now >= speak_until()) return;
    count(Counter::vip_conflicts);
    if (next_announce_.is_never()) start_announcing(now);
}

/// See lease.hpp, 4.
void Guard::vip_probe_heard(Instant now) {
    count(Counter::vip_probes_heard);
    if (role_ != Role::booting && !(role_ == Role::active && suspended_)) return;
    search_.restart();
    if (settings_.node_id == 1) quiet_until_ = now + detection_bound() * 2;
}

}  // namespace holdfast::guard
