// Counters of the TCP stack, one row each. Every drop and refusal has one (R5).
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::tcp {

#define HF_TCP_ROWS(X)                                                                                   \
    X(segments_received, "segments that reached a connection")                                           \
    X(segments_sent, "segments sent, pure ACKs and retransmissions included")                            \
    X(bytes_received, "payload bytes accepted in order")                                                 \
    X(bytes_sent, "payload bytes sent for the first time")                                               \
    X(segments_retransmitted, "data segments sent again")                                                \
    X(bytes_retransmitted, "payload bytes sent again")                                                   \
    X(rto_fired, "retransmission timeouts")                                                              \
    X(tlp_sent, "tail loss probes")                                                                      \
    X(fast_recoveries, "entries into fast recovery")                                                     \
    X(repetitions_lost, "windows lowered again because what was sent again was lost, too")               \
    X(recoveries_undone, "recoveries taken back: all that was sent again had arrived already")           \
    X(ecn_marks, "data segments that arrived with a mark of congestion (RFC 3168)")                      \
    X(ecn_reductions, "windows lowered because the endpoint reported a mark of congestion")              \
    X(handshake_retransmitted, "SYN or SYN-ACK segments sent again")                                     \
    X(connections_timed_out, "connections given up after too many retransmissions")                      \
    X(paws_dropped, "segments dropped because their timestamp is old (RFC 7323 section 5)")              \
    X(out_of_window, "segments without a byte inside the receive window")                                \
    X(old_duplicates, "segments with nothing but bytes received before")                                 \
    X(beyond_window, "payload bytes trimmed because they pass the window's right edge")                  \
    X(out_of_order, "segments that arrived above a hole")                                                \
    X(reassembly_full, "out-of-order segments dropped because the session's budget is used")             \
    X(small_coalesced, "small payloads copied into the mbuf held before")                                \
    X(ack_of_unsent, "segments that acknowledge bytes never sent (RFC 5961 section 5)")                  \
    X(ack_too_old, "segments whose acknowledgment is older than the largest window")                     \
    X(rst_accepted, "RST segments that reset a connection")                                              \
    X(rst_challenged, "RST segments inside the window but not at its left edge (RFC 5961 section 3)")    \
    X(rst_ignored, "RST segments outside the window")                                                    \
    X(syn_challenged, "SYN segments on a synchronized connection (RFC 5961 section 4)")                  \
    X(challenge_acks_sent, "challenge ACKs sent")                                                        \
    X(challenge_acks_limited, "challenge ACKs not sent because of their rate limit")                     \
    X(acks_sent, "pure ACKs sent")                                                                       \
    X(acks_repeated, "ACKs sent twice, of several segments while the endpoint repairs a loss")           \
    X(sack_held, "duplicate ACKs held back while bytes were withheld")                                   \
    X(sack_hold_expired, "held duplicate ACKs sent because the far leg took over two RTTs")              \
    X(ahead_sent, "segments sent ahead of a hole, so that the far end can report them by SACK")          \
    X(sack_beyond_far,                                                                                   \
      "segments reported by SACK while they wait here: beyond the far end's window (window_lead)")       \
    X(ahead_refused, "segments not sent ahead of a hole: no room, or the hole is filled")                \
    X(ack_clamped_by_sack, "ACK numbers held at the start of a range that was SACKed before")            \
    X(dsack_sent, "duplicates reported by D-SACK")                                                       \
    X(release_clamped, "gate values beyond what was received, clamped")                                  \
    X(zero_window_probes, "probes sent into a closed window")                                            \
    X(window_probes, "probes sent because the other leg's window depends on this one's")                 \
    X(tail_probes, "one-byte probes that fetch a delayed ACK of a withheld tail")                        \
    X(keepalives_answered, "probes of the endpoint that were answered")                                  \
    X(no_header_room, "segments not sent in place because their mbuf had no room for our headers")       \
    X(copied_busy, "segments not sent in place because the port still held their mbuf")                  \
    X(chained, "of those, sent as headers chained to the payload where it lies; the others were copied") \
    X(copied_recut, "segments not sent in place because they had to be cut anew")                        \
    X(path_mtu_lowered, "ICMP errors that made segments smaller: their path carries less (RFC 1191)")    \
    X(no_buffer, "segments not sent because the mbuf pool was empty")

HF_DEFINE_COUNTERS(Counter, counter_rows, HF_TCP_ROWS);

using TcpCounters = Counters<Counter>;

}  // namespace holdfast::tcp
