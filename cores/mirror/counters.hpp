// Counters of the mirror, one row each.
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::mirror {

#define HF_MIRROR_ROWS(X)                                                                           \
    X(connections_opened, "mirror connections established")                                         \
    X(connections_lost, "mirror connections that ended")                                            \
    X(connections_refused, "mirror connections refused in the node handshake")                      \
    X(not_the_peer, "segments to the mirror port from another address than the peer's")             \
    X(records_sent, "records written to the standby")                                               \
    X(bytes_sent, "bytes of records and confirmations written")                                     \
    X(records_received, "records read from the active")                                             \
    X(records_malformed, "records of impossible length, type or content: the connection is closed") \
    X(records_stale, "records of an old generation or version, ignored")                            \
    X(records_out_of_range, "records for a slot that this node does not have")                      \
    X(confirmations_sent, "confirmations sent to the active")                                       \
    X(confirmations_received, "confirmations read from the standby")                                \
    X(journal_stale, "journal entries of an earlier epoch, discarded")                              \
    X(install_waits, "times that reading stopped because a core's install ring was full")           \
    X(standby_stalled, "connections ended because the standby confirmed no record for two seconds") \
    X(events_lost, "events for which the ring to the control thread had no room")                   \
    X(snapshots_finished, "snapshots that the standby has confirmed")

HF_DEFINE_COUNTERS(Counter, counter_rows, HF_MIRROR_ROWS);

using MirrorCounters = Counters<Counter>;

}  // namespace holdfast::mirror
