// Counters of gate host, of all services with it together, one row each.
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::app {

#define HF_HOST_ROWS(X)                                                                              \
    X(attached, "times that a process attached")                                                     \
    X(lost_link, "processes lost because the link to them went down")                                \
    X(lost_silent, "processes taken for dead because they were silent for service.host_timeout_ms")  \
    X(lost_again, "processes that attached once more while they were attached")                      \
    X(hellos_again, "hellos of a process that had not been answered yet: one welcome answers all")   \
    X(hellos_refused, "processes of another protocol version, which were told so")                   \
    X(frames_sent, "frames handed to the link")                                                      \
    X(frames_received, "frames from processes")                                                      \
    X(frames_malformed, "of these, those that are no frames, or none that a process sends: ignored") \
    X(frames_stale, "of these, those of an attachment or a session that is over: ignored")           \
    X(frames_gap, "of these, replies behind one that had no room: they come again")                  \
    X(confirms_refused, "confirmations of bytes that the process was not sent: ignored")             \
    X(link_full, "times that frames waited because the link had no room")                            \
    X(bytes_sent, "bytes of clients handed to the link")                                             \
    X(bytes_again, "of these, those that an earlier process was sent and had not confirmed")

HF_DEFINE_COUNTERS(HostCounter, host_counter_rows, HF_HOST_ROWS);

using HostCounters = Counters<HostCounter>;

}  // namespace holdfast::app
