// Counters of one journal, one row each.
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::app {

#define HF_JOURNAL_ROWS(X)                                                                                   \
    X(sessions, "sessions of which something was appended")                                                  \
    X(bytes, "bytes of streams appended")                                                                    \
    X(durable, "position of the log up to which it is on disk")                                              \
    X(held_again, "bytes that came again after a takeover and were there: not appended twice")               \
    X(no_room, "times that a session had to wait: the disk is slow, full or fails, or the bound is reached") \
    X(shipped, "bytes of the log handed to the standby")                                                     \
    X(taken_back, "bytes of the log that the active does not have: cut off when this node joined it")        \
    X(set_aside, "and of these, kept apart in a directory cut-*, as they may have been acknowledged")        \
    X(not_set_aside,                                                                                         \
      "times that such bytes could not be kept apart, so that this standby did not join: see the disk")      \
    X(read_again,                                                                                            \
      "times that a standby put off its join, to read its log again: what was cut had sessions of its own")  \
    X(logs_differ, "standbys whose log has nothing in common with this one: never in sync")                  \
    X(pieces_refused,                                                                                        \
      "pieces of the active's log that this standby could not take: its disk, or their order")               \
    X(sessions_short, "sessions ended at a takeover: bytes that were acknowledged are not in this log")      \
    X(sessions_contradicted,                                                                                 \
      "sessions ended: what the client says differs from what it said before a takeover")

HF_DEFINE_COUNTERS(JournalCounter, journal_counter_rows, HF_JOURNAL_ROWS);

using JournalCounters = Counters<JournalCounter>;

}  // namespace holdfast::app
