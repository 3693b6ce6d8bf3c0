// What the guard decides: roles and leases.
#include <tuple>

#include "cores/guard/guard.hpp"

namespace holdfast::guard {
namespace {

/// How near a node that is not active is to serving the sessions there are.
constexpr int stage_of(State state) {
    switch (state) {
        case State::ready: return 3;
        case State::syncing: return 2;
        case State::boot: return 1;
        default: return 0;
    }
}

}  // namespace

// ---- a node that is not active ----

void Guard::advance_waiting(Instant now) {
    const Judgement j = judge(now);
    if (j.hold == Hold::none) become_active(j.reason, now);
    else wait_for(j.hold);
}

/// Whether this node may become active now and why, or what it waits for.
Guard::Judgement Guard::judge(Instant now) const {
    const bool by_grant = granted_until_ > now;
    Judgement j = judge_absence(now);
    if (j.hold != Hold::none) return j;
    if (!terms_.ready()) return {j.reason, Hold::term};
    if (!client_core_runs(now)) return {j.reason, Hold::stalled};
    if (j.reason == Reason::resigned) return j;
    if (now < promise_until_) return {j.reason, Hold::promise};
    if (by_grant) return j;
    return {j.reason, judge_search(now)};
}

/// Whether there is no peer to serve in our place.
Guard::Judgement Guard::judge_absence(Instant now) const {
    const Heartbeat& c = peer_.claim();
    const bool boot_waited = now >= booted_at_ + settings_.boot_wait;
    // One of two may serve while neither does: else a wrong configuration were an outage.
    if (leases_differ() && (settings_.node_id == 1 || stage_of(c.state) == 0))
        return {Reason::none, Hold::lease};
    if (role_ == Role::standby && c.role == Role::resigned && resignation_holds(now))
        return {Reason::resigned, Hold::none};
    if (!peer_alive(now)) {
        if (role_ == Role::booting) return {Reason::boot, boot_waited ? Hold::none : Hold::boot_wait};
        if (ready() || !peer_.heard_within(settings_.syncing_wait, now)) return {Reason::silence, Hold::none};
        return {Reason::silence, Hold::syncing};
    }
    if (c.role == Role::active) {
        const Reason failure = failure_of_active();
        return {failure, failure == Reason::none ? Hold::peer : Hold::none};
    }
    if (!outranks_peer(now)) return {Reason::none, Hold::peer};
    if (role_ == Role::standby) return {Reason::restarted, Hold::none};
    // Heard and granted is enough; heard alone is not, the peer may not hear us.
    return {Reason::boot, boot_waited || granted_until_ > now ? Hold::none : Hold::boot_wait};
}

/// A node that resigned and found no successor searches again, for L+e, before it speaks. So its word is good
/// for L from when it was sent; which was after the heartbeat of ours left that it echoes. The time it was
/// received says nothing: this node may have been paused with the frame in its queue.
bool Guard::resignation_holds(Instant now) const {
    const auto sent_after = sent_.sent_at(peer_.claim().echo_counter);
    return sent_after && now < times_.ends(*sent_after);
}

/// What is wrong with an active peer that is heard; only a ready standby asks.
Reason Guard::failure_of_active() const {
    if (!ready()) return Reason::none;
    for (std::size_t i = 0; i < progress_seen_.size(); ++i)
        if (progress_seen_[i] != 0 && peer_.heard_at() - progress_at_[i] >= settings_.core_stall)
            return Reason::stalled;
    for (std::size_t i = 0; i < 2; ++i)
        if (inputs_.link[i] && (peer_.claim().links >> i & 1) == 0) return Reason::port_down;
    return Reason::none;
}

/// True while this node withholds its grants from an active peer that is heard, to take over from it. Not
/// before it could: or both would be silent.
bool Guard::deposing(Instant now) const {
    return role_ == Role::standby && peer_alive(now) && peer_.claim().role == Role::active &&
           failure_of_active() != Reason::none && able(now);
}

/// What the search for another speaker still waits for.
Hold Guard::judge_search(Instant now) const {
    if (!connected(now)) return Hold::reference;
    if (now < quiet_until_) return Hold::rival;
    return nobody_speaks(now) ? Hold::none : Hold::vip;
}

/// See lease.hpp, 3; the three ways in its order.
bool Guard::nobody_speaks(Instant now) const {
    if (ready() && now + times_.slack() < solo_possible_at_) return true;
    if (now < settled_at_ || !client_core_runs(now)) return false;
    const Instant first = search_.first_query(), since = search_.unanswered_since();
    if (first.is_never()) return false;
    if (ready() && first + times_.slack() <= solo_possible_at_ && now < times_.over(first)) return true;
    return !since.is_never() && now >= times_.over(since);
}

/// Whether to ask for the holder of the virtual address.
bool Guard::searching(Instant now) const {
    if (now < quiet_until_ || !connected(now)) return false;
    const Duration ahead = detection_bound() + settings_.heartbeat * 2;
    const bool waited = now + ahead >= booted_at_ + settings_.boot_wait;
    switch (role_) {
        case Role::booting: return waited && (!peer_alive(now) || outranks_peer(now));
        case Role::active: return suspended_;
        case Role::resigned: return false;
        case Role::standby: break;
    }
    if (peer_.heard_within(times_.search_after(), now))
        return peer_.claim().role == Role::active ? deposing(now) : outranks_peer(now);
    return ready() || now + ahead >= peer_.heard_at() + settings_.syncing_wait;
}

/// Which of two nodes that are not active is to become it: the one that holds more of the sessions, then the
/// one that could serve, then node 0.
bool Guard::outranks_peer(Instant now) const {
    const Heartbeat& c = peer_.claim();
    const bool first = settings_.node_id == 0;
    return std::tuple(stage_of(state(now)), able(now), first) > std::tuple(stage_of(c.state), c.able, !first);
}

void Guard::become_active(Reason reason, Instant now) {
    const bool by_grant = granted_until_ > now;
    const Duration silence = peer_.known() ? now - peer_.heard_at() : Duration{};
    term_ = terms_.claim();
    if (role_ == Role::standby) {
        event(EventKind::takeover, term_, static_cast<std::uint64_t>(silence.to_us()), now, reason);
        if (reason == Reason::silence) last_detection_ = silence;
    }
    set_role(Role::active, now);
    count(counter_of(reason));
    suspended_ = on_solo_ = false;
    lease_nonce_ = by_grant ? peer_.nonce() : 0;
    solo_until_ = by_grant ? no_lease : times_.ends(own_progress_at_);
    news_.became_active = true;
    news_.reason = reason;
    start_announcing(now);
}

/// Becomes the standby of a peer that is active in `term`.
void Guard::follow(std::uint64_t term, Instant now) {
    if (role_ == Role::standby && term_ == term) return;
    if (role_ == Role::active || role_ == Role::resigned) {
        count(Counter::yields);
        event(EventKind::term_rejected, term_, term, now);
    }
    if (role_ != Role::booting) {
        news_.drop_table = true;
        news_.became_active = false;
        news_.resumed = Resumed::no;
    }
    granted_until_ = solo_until_ = no_lease;
    suspended_ = on_solo_ = followed_in_sync_ = false;
    ready_since_counter_ = 0;
    next_announce_ = Instant::never();
    progress_at_ = {now, now};
    term_ = term;
    set_role(Role::standby, now);
}

void Guard::set_role(Role role, Instant now) {
    role_ = role;
    hold_ = Hold::none;
    urgent_ = true;
    search_.restart();
    event(EventKind::role_changed, static_cast<std::uint64_t>(role), term_, now);
}

void Guard::wait_for(Hold hold) {
    if (hold != hold_) count(counter_of(hold));
    hold_ = hold;
}

// ---- a node that is active ----

void Guard::advance_active(Instant now) {
    if (now < lease_end()) {
        if (suspended_) resume(true, now);
        else extend_solo(now);
        return;
    }
    if (!suspended_) lapse(now);
    // A successor that is heard, or was a moment ago, grants us the lease or takes over.
    const Hold hold = peer_alive(now) && peer_succeeds() ? Hold::peer : judge_search(now);
    if (hold == Hold::none) resume(false, now);
    else wait_for(hold);
}

/// Whether a lease by reference may be begun or extended (lease.hpp, 2).
bool Guard::solo_permitted(Instant now) const {
    return !peer_.heard_within(times_.solo_after(), now) || !peer_succeeds();
}

void Guard::extend_solo(Instant now) {
    // A lease by echo that is renewed in time needs no other beside it.
    if (granted_until_ > now + (settings_.lease - times_.solo_after())) {
        on_solo_ = false;
        return;
    }
    if (!solo_permitted(now) || !search_.connected(settings_.lease, now)) return;
    // Begun only in a cycle in which the core that answers for the virtual address ran, and never extended
    // past L from when it did (lease.hpp, 3b and 3c).
    if (!on_solo_ && own_progress_at_ != now) return;
    solo_until_ = later(solo_until_, times_.ends(earlier(search_.proof(), own_progress_at_)));
    if (on_solo_) return;
    on_solo_ = true;
    count(Counter::solo_entered);
    event(EventKind::solo_granted, term_, 0, now);
}

void Guard::lapse(Instant now) {
    suspended_ = true;
    on_solo_ = false;
    urgent_ = true;
    hold_ = Hold::none;
    search_.restart();
    count(Counter::lease_lapses);
    event(EventKind::lease_expired, term_, 0, now);
}

/// Speaks again after a lapse, with the table it had. Where the peer may have served meanwhile, and died, it
/// does so in a new term: else its timestamps could lie before the peer's (design, section 8.4).
void Guard::resume(bool by_grant, Instant now) {
    const Heartbeat& c = peer_.claim();
    const bool sure = by_grant && c.boot_nonce == lease_nonce_ && c.role == Role::standby && c.term == term_;
    if (!sure && !terms_.ready()) return wait_for(Hold::term);
    if (!sure) term_ = terms_.claim();
    suspended_ = false;
    urgent_ = true;
    hold_ = Hold::none;
    if (!by_grant) solo_until_ = times_.ends(own_progress_at_);
    lease_nonce_ = by_grant ? c.boot_nonce : 0;
    news_.resumed = sure ? Resumed::sure : Resumed::unsure;
    count(sure ? Counter::resumed_sure : Counter::resumed_unsure);
    event(EventKind::resumed, term_, sure ? 0 : 1, now);
    search_.restart();
    start_announcing(now);
}

/// Whether the next heartbeat renews the lease of the peer, which is a promise of silence (lease.hpp, 1).
bool Guard::grants_peer(Instant now) const {
    if (role_ == Role::active || !peer_alive(now) || leases_differ()) return false;
    if (peer_.claim().role == Role::active) return role_ == Role::standby && !deposing(now);
    return !outranks_peer(now);
}

// ---- resignation ----

bool Guard::resign(Instant now) {
    if (role_ != Role::active || suspended_ || now >= lease_end()) return false;
    if (!peer_alive(now) || !peer_succeeds() || !inputs_.standby_in_sync) return false;
    granted_until_ = solo_until_ = no_lease;
    next_announce_ = Instant::never();
    resigned_at_ = now;
    count(Counter::resignations);
    set_role(Role::resigned, now);
    return true;
}

/// Nobody succeeded it: it is active again, without a lease, and searches like one that was paused.
void Guard::advance_resigned(Instant now) {
    if (now < resigned_at_ + settings_.boot_wait) return;
    lease_nonce_ = 0;
    suspended_ = true;
    set_role(Role::active, now);
}

}  // namespace holdfast::guard
