// What the guard counts, one row each.
#pragma once

#include "cores/guard/roles.hpp"
#include "lib/report/counters.hpp"

namespace holdfast::guard {

#define HF_GUARD_COUNTER_ROWS(X)                                                                            \
    X(heartbeats_sent, "heartbeat frames handed out, all paths")                                            \
    X(heartbeats_taken, "heartbeat frames of the peer that were genuine and fresh, all paths")              \
    X(heartbeats_malformed, "heartbeats that were truncated, of another version or impossible")             \
    X(heartbeats_forged, "heartbeats whose HMAC is wrong")                                                  \
    X(heartbeats_replayed, "genuine heartbeats with a counter already seen or of an earlier boot")          \
    X(heartbeats_unproven, "genuine heartbeats that do not echo a recent one of ours: no proof of life")    \
    X(heartbeats_misrouted, "genuine heartbeats that came in on another path than they left on")            \
    X(heartbeats_own_id, "genuine heartbeats with our own node id: a loop, or two nodes configured alike")  \
    X(peer_boots, "incarnations of the peer that proved themselves")                                        \
    X(lease_grants, "heartbeats of the peer that renewed or began our lease")                               \
    X(lease_lapses, "times the lease of this node, active, ran out before it was renewed")                  \
    X(solo_entered, "times the active went on alone because the peer was silent and a reference answered")  \
    X(resumed_sure, "leases regained after a lapse in which the peer cannot have served")                   \
    X(resumed_unsure, "leases regained after a lapse in which the peer may have served")                    \
    X(yields, "times this node gave up the active role because the peer claimed a higher term")             \
    X(rivals_heard, "heartbeats of a peer that claims to be active with a lower term than ours")            \
    X(vip_conflicts, "answers for the virtual address by somebody else while this node was speaking")       \
    X(vip_queries, "queries for the virtual address")                                                       \
    X(vip_answers, "answers of somebody else for the virtual address")                                      \
    X(vip_probes_heard, "queries of another node that looks for the holder of the virtual address")         \
    X(reference_queries, "rounds of queries to the reference targets")                                      \
    X(reference_answers, "answers of reference targets")                                                    \
    X(reference_unasked, "answers of reference targets that no query was open for")                         \
    X(resignations, "times this node resigned the active role")                                             \
    X(gaps, "times the guard or the client core was held up for more than a heartbeat interval and a half") \
    X(events_lost, "events for which there was no room")                                                    \
    X(became_active_boot, "became active: nobody was active when the node started")                         \
    X(became_active_silence, "became active: the peer was silent on every path")                            \
    X(became_active_resigned, "became active: the peer resigned")                                           \
    X(became_active_stalled, "became active: a protocol core of the peer made no progress")                 \
    X(became_active_port_down, "became active: a service port of the peer was down")                        \
    X(became_active_restarted, "became active: the peer had started anew")                                  \
    X(held_peer, "came to wait: the peer serves or has the better claim")                                   \
    X(held_boot_wait, "came to wait: started a short time ago")                                             \
    X(held_syncing, "came to wait: the image of the sessions is incomplete")                                \
    X(held_promise, "came to wait: a lease granted to the peer may be running")                             \
    X(held_reference, "came to wait: no reference target answers")                                          \
    X(held_vip, "came to wait: asking for the holder of the virtual address")                               \
    X(held_rival, "came to wait: another node asks for the virtual address too")                            \
    X(held_term, "came to wait: the next term is not on stable storage")                                    \
    X(held_stalled, "came to wait: the client core of this node does not run")                              \
    X(held_lease, "came to wait: the peer has another lease or margin")

HF_DEFINE_COUNTERS(Counter, counter_rows, HF_GUARD_COUNTER_ROWS);

/// The row that counts a reason or a hold; neither for `none`.
constexpr Counter counter_of(Reason reason) {
    return static_cast<Counter>(static_cast<int>(Counter::became_active_boot) + static_cast<int>(reason) - 1);
}
constexpr Counter counter_of(Hold hold) {
    return static_cast<Counter>(static_cast<int>(Counter::held_peer) + static_cast<int>(hold) - 1);
}

// A reason without its row, or a row out of order, does not compile.
#define HF_GUARD_CHECK_REASON(name, help) \
    static_assert(counter_of(Reason::name) == Counter::became_active_##name);
#define HF_GUARD_CHECK_HOLD(name, help) static_assert(counter_of(Hold::name) == Counter::held_##name);
HF_GUARD_REASON_ROWS(HF_GUARD_CHECK_REASON)
HF_GUARD_HOLD_ROWS(HF_GUARD_CHECK_HOLD)
#undef HF_GUARD_CHECK_REASON
#undef HF_GUARD_CHECK_HOLD

}  // namespace holdfast::guard
