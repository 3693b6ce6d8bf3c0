// Counters of the application core, one row each.
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::app {

#define HF_APP_ROWS(X)                                                                                     \
    X(sessions_opened, "sessions that an application was given")                                           \
    X(sessions_resumed, "sessions that it was given from what was stored, after a takeover")               \
    X(sessions_closed, "sessions that ended, for whatever reason")                                         \
    X(sessions_aborted, "sessions that an application ended by RST")                                       \
    X(bytes_received, "bytes that applications took")                                                      \
    X(bytes_replied, "bytes that applications replied")                                                    \
    X(commits_refused, "commits of bytes that the application had not taken, or of no session: ignored")   \
    X(replies_short, "replies that had no room in whole: limits.reply_bytes or limits.replies is reached") \
    X(replies_wait, "replies that waited because the mbufs of pool or lane were used")                     \
    X(ring_refused, "messages delayed because the ring to the client core was full")                       \
    X(payload_for_ended, "payload for a session that had ended meanwhile")                                 \
    X(stale_message, "messages and records for a session that was gone")                                   \
    X(journal_refused, "records delayed because the ring to the mirror was full")                          \
    X(groups_written, "commits and replies handed to the mirror, together for one session")                \
    X(groups_stored, "of these, those that the standby confirmed: they took effect")                       \
    X(gate_waits, "times that a session had to wait because no standby is in sync")                        \
    X(gate_degraded, "commits and replies that took effect without a standby: service.degrade")            \
    X(records_stored, "records that this node, a standby, took")                                           \
    X(records_refused,                                                                                     \
      "records that it could not hold: out of order, limits.replies reached, an application's no")         \
    X(states_written, "state records of applications handed to the mirror")                                \
    X(states_stored, "state records that this node's applications, of a standby, took")                    \
    X(states_wait, "state records delayed because the ring to the mirror was half full")                   \
    X(states_paced, "state records delayed because the standby has not confirmed 2 MB of them")            \
    X(states_too_long, "state records refused because they are longer than a record may be")

HF_DEFINE_COUNTERS(Counter, counter_rows, HF_APP_ROWS);

using AppCounters = Counters<Counter>;

}  // namespace holdfast::app
