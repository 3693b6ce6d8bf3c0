// Typed events: what an operator reads. Written by one core to its ring, drained by the control thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/time.hpp"

namespace holdfast {

#define HF_EVENT_ROWS(X)                                                                                   \
    X(role_changed, "the node's role changed: a = new role, b = term")                                     \
    X(peer_heard, "heartbeats of the peer arrive again: a = path")                                         \
    X(peer_silent, "the peer is silent on a path: a = path, b = microseconds since its last heartbeat")    \
    X(takeover,                                                                                            \
      "the standby became active, for the reason: a = term, b = microseconds of silence before it")        \
    X(takeover_opened, "the new active's cores speak: a = sessions taken over, b = microseconds it took")  \
    X(lease_expired, "the lease ran out and the node fell silent: a = term")                               \
    X(resumed, "the lease was regained: a = term, b = 1 if the peer may have served meanwhile")            \
    X(solo_granted, "no peer, a reference target answers: the active goes on alone: a = term")             \
    X(standby_lost, "the mirror connection ended: a = sessions, of which none is protected now")           \
    X(standby_ready, "the standby holds every session: a = sessions, b = microseconds it took")            \
    X(mirror_refused, "the node handshake failed, for the reason")                                         \
    X(term_rejected, "a higher term was heard, this node drops its table: a = own term, b = heard term")   \
    X(table_dropped, "sessions dropped after losing the active role: a = sessions")                        \
    X(store_late,                                                                                          \
      "the standby was too slow, sessions went on unprotected: a = how many since the last event")         \
    X(cookies_on, "too many half-open sessions, SYNs are answered by cookies: a = limits.half_open")       \
    X(cookies_off, "SYNs open sessions again: a = cookies sent meanwhile")                                 \
    X(heartbeat_forged, "a heartbeat failed its HMAC or was replayed: a = path")                           \
    X(handed_over, "the node was asked to stop and resigned the active role: a = term")                    \
    X(kept_until_stop, "the node was asked to stop and no standby is ready to succeed: a = sessions")      \
    X(core_stalled,                                                                                        \
      "a core makes no progress, and the standby may take over: a = 0 client, 1 server, 2 application, "   \
      "b = 1 + the service whose application it is in, or 0")                                              \
    X(gate_holds, "no standby is in sync, and sessions wait for one: a = how many")                        \
    X(gate_opens, "no session waits for a standby any more")                                               \
    X(host_attached, "a process attached, and gets the sessions of its service: a = service")              \
    X(host_lost, "the process of a service was lost, for the reason; its sessions wait: a = service")      \
    X(backend_up, "a backend is up again, for the reason: a = service, b = backend")                       \
    X(backend_down, "a backend is down and gets no sessions, for the reason: a = service, b = backend")    \
    X(backend_drained, "a backend gets no new sessions, as an operator asked: a = service, b = backend")   \
    X(backend_undrained, "a drained backend gets new sessions again: a = service, b = backend")            \
    X(journal_holds, "a journal writes no more for now: a = service, b = errno, 0 = its bound is reached") \
    X(journal_goes_on, "a journal writes again: a = service")                                              \
    X(journal_set_aside,                                                                                   \
      "bytes of a log that the active does not have, and that may have been acknowledged, are kept in a "  \
      "directory cut-* in the journal_dir: a = service, b = bytes")                                        \
    X(journal_bars_sync, "a journal keeps the standby out of sync, for the reason: a = service")

enum class EventKind : std::uint16_t {
#define HF_EVENT_ENUM(name, help) name,
    HF_EVENT_ROWS(HF_EVENT_ENUM)
#undef HF_EVENT_ENUM
        count_
};

struct EventRow {
    std::string_view name, help;
};
inline constexpr EventRow event_rows[] = {
#define HF_EVENT_ROW(name, help) {#name, help},
    HF_EVENT_ROWS(HF_EVENT_ROW)
#undef HF_EVENT_ROW
};

struct Event {
    Instant at{};
    EventKind kind{};
    std::uint16_t reason = 0;  ///< in the enumeration that belongs to the kind; 0 = none
    std::uint32_t reserved = 0;
    std::uint64_t a = 0, b = 0;
};
static_assert(sizeof(Event) % 4 == 0);

}  // namespace holdfast
