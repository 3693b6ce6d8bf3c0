// Counters of sessions on one side of a lane.
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::proxy {

#define HF_PROXY_ROWS(X)                                                                                     \
    X(sessions_opened, "sessions that began with a client's SYN")                                            \
    X(sessions_established, "sessions whose client completed its handshake")                                 \
    X(sessions_closed, "sessions that ended, for whatever reason")                                           \
    X(sessions_refused_backend, "sessions refused because the backend refused or did not answer")            \
    X(sessions_no_backend, "sessions refused because every backend of their service is down or drained")     \
    X(sessions_next_backend, "sessions that went on to another backend before their client was answered")    \
    X(sessions_service_full, "SYNs answered by RST because service.sessions_max is reached")                 \
    X(sessions_source_full, "SYNs answered by RST because service.sessions_per_source_max is reached")       \
    X(sessions_over_rate, "SYNs dropped because they came faster than service.accept_rate")                  \
    X(sessions_idle, "sessions reset because no payload came for service.idle_timeout_s")                    \
    X(sessions_no_slot, "SYNs dropped because limits.sessions is reached")                                   \
    X(sessions_no_flow, "sessions refused because the flow table is full")                                   \
    X(sessions_no_port, "sessions refused because no source port towards the backend is free")               \
    X(sessions_reset, "sessions ended by a RST of an endpoint")                                              \
    X(sessions_timed_out, "sessions ended because an endpoint stayed silent")                                \
    X(sessions_handshake_failed, "sessions whose client never completed its handshake")                      \
    X(sessions_unprotected_opened, "sessions opened while no standby was in sync")                           \
    X(sessions_store_late,                                                                                   \
      "sessions that went on unprotected because the standby was slower than store_wait")                    \
    X(sessions_installed, "sessions taken from the mirror into the tables of a standby")                     \
    X(sessions_removed, "sessions that the mirror removed from the tables of a standby")                     \
    X(sessions_dropped, "sessions dropped because this node lost the active role")                           \
    X(sessions_anchored, "sessions that went back from translated to terminated")                            \
    X(sessions_unproven_reset, "sessions of gate none reset after a takeover: bytes may have been lost")     \
    X(sessions_resumed, "sessions of gates app or standby that went on from what is stored, at a takeover")  \
    X(sessions_stored_short, "sessions of gates app or standby reset: more is known of them than is stored") \
    X(cookies_sent, "SYNs answered by a cookie: nothing is kept of them")                                    \
    X(cookies_accepted, "sessions that began with the answer to a cookie")                                   \
    X(cookies_refused, "segments of no session that answer no good cookie, while some may be out")           \
    X(cookie_sessions_reset, "clients that answered a cookie and were reset, as no backend took them")       \
    X(cookie_options_refused, "backends that did not accept what a cookie had agreed on")                    \
    X(syns_offer_less, "handshakes begun anew because the client's SYN came again with fewer options")       \
    X(syn_to_no_service, "SYNs for an address and port that no service has")                                 \
    X(unknown_flow, "segments of no known session")                                                          \
    X(unknown_flow_quiet, "segments of no known session dropped in silence just after a takeover")           \
    X(unknown_flow_reset, "segments of no known session answered by RST")                                    \
    X(not_active, "segments dropped because this node is not active")                                        \
    X(wrong_phase, "segments that do not fit the phase of their session's handshake")                        \
    X(payload_over_budget,                                                                                   \
      "payload dropped before it counted as received: mbuf budget of session or lane used")                  \
    X(payload_for_ended_leg, "payload that the other core passed on to a leg which had ended meanwhile")     \
    X(relay_refused, "payload left in the receive queue because the ring to the other core was full")        \
    X(ring_refused, "messages delayed because the ring to the other core was full")                          \
    X(translated, "segments forwarded with mapped numbers")                                                  \
    X(translate_implausible, "segments of a translated session too far from what is known of it")            \
    X(translate_not_credible,                                                                                \
      "segments of a translated session forwarded, but not taken as evidence of its endpoint")               \
    X(translate_refused, "translated segments dropped because the ring to the other core was full")          \
    X(translated_after_anchor, "translated segments that arrived after their session was anchored")          \
    X(takeover_probes, "probes sent to endpoints after a takeover")                                          \
    X(takeover_syn_acks, "SYN-ACKs repeated after a takeover")                                               \
    X(idle_probes, "probes sent to endpoints of idle sessions")                                              \
    X(quarantined, "segments that reached a session which had ended")                                        \
    X(journal_refused, "records delayed because the ring to the mirror was full")                            \
    X(progress_sent, "progress records written")                                                             \
    X(install_refused, "mirrored sessions that could not be installed")                                      \
    X(icmp_error_unknown, "ICMP errors about segments of no known session")                                  \
    X(icmp_error_blind, "ICMP errors about segments that are not in flight: not believed (RFC 5927)")        \
    X(icmp_error_noted, "ICMP errors that ask for nothing: a destination out of reach, a size known")        \
    X(stale_message, "messages between cores for a session that was gone")                                   \
    X(payload_mirrored, "bytes on their way to an endpoint that were handed to the mirror, too")             \
    X(payload_over_limit,                                                                                    \
      "pieces of payload not mirrored: limits.payload_bytes or limits.payloads is reached")                  \
    X(payload_refused, "pieces of payload not mirrored: the ring to the mirror was full")                    \
    X(payload_stored, "records of payload that this node stored for the active")                             \
    X(payload_no_room, "records of payload that it could not store")                                         \
    X(payload_sent, "segments of stored payload sent after a takeover")                                      \
    X(payload_repeated, "times that stored payload was sent again, as nobody acknowledged it")               \
    X(payload_given_up, "sessions whose stored payload nobody acknowledged: the endpoints' own is left")     \
    X(gate_waits, "legs whose bytes began to wait for a standby: none is in sync")                           \
    X(gate_full,                                                                                             \
      "legs whose bytes began to wait for room at the standby, as gate standby alone passes no others")      \
    X(gate_degraded, "pieces of payload that passed gate standby without one: service.degrade")              \
    X(prefix_repeated, "PROXY headers sent again because the server had not acknowledged them")              \
    X(health_checks, "checks whether a backend accepts connections")                                         \
    X(health_failed, "checks that a backend refused or did not answer in time")                              \
    X(health_no_port, "checks left out because no source port or flow entry was free")                       \
    X(backends_up, "times that a backend came up again")                                                     \
    X(backends_down, "times that a backend went down")

HF_DEFINE_COUNTERS(Counter, counter_rows, HF_PROXY_ROWS);

using ProxyCounters = Counters<Counter>;

}  // namespace holdfast::proxy
