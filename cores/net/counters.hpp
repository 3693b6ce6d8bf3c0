// Counters of a core's port: frames in and out, by kind and by reason of refusal.
#pragma once

#include "lib/report/counters.hpp"

namespace holdfast::net {

#define HF_NET_ROWS(X)                                                                                       \
    X(frames_received, "frames taken from the port")                                                         \
    X(frames_sent, "frames given to the port")                                                               \
    X(frames_not_for_us, "frames whose destination address is not ours")                                     \
    X(own_address_heard, "packets from one of our own addresses that we did not send")                       \
    X(other_vlan, "frames of another VLAN than the port's, or without its tag")                              \
    X(fragments_reassembled, "TCP segments put together from IP fragments")                                  \
    X(fragments_refused, "IP fragments of something else than TCP segments, or of too large ones")           \
    X(fragments_dropped, "IP fragments dropped: overlapping, incomplete for too long, or too many")          \
    X(arp_requests_answered, "ARP requests for our addresses that were answered")                            \
    X(arp_requests_sent, "ARP requests sent")                                                                \
    X(solicitations_answered, "neighbour solicitations for our addresses that were answered")                \
    X(advertisements_ignored,                                                                                \
      "neighbour advertisements that nobody asked for, or that may not replace what is known")               \
    X(group_reports_sent, "MLD reports of the groups in which our IPv6 addresses are asked for")             \
    X(groups_not_reported, "groups left out of an MLD report because it names too many")                     \
    X(solicitations_sent, "neighbour solicitations sent")                                                    \
    X(announcements_sent, "gratuitous ARP frames and unsolicited neighbour advertisements sent")             \
    X(icmp_echo_answered, "ICMP echo requests answered")                                                     \
    X(icmp_errors, "ICMP and ICMPv6 errors about segments from our addresses")                               \
    X(icmp_ignored, "ICMP and ICMPv6 messages that asked nothing of us")                                     \
    X(neighbour_unresolved, "frames dropped because their next hop's address is unknown")                    \
    X(neighbours_lost, "neighbours whose Ethernet address is no longer used: they answered no question")     \
    X(neighbours_forgotten, "neighbours not used for long that made room for others")                        \
    X(neighbour_table_full, "neighbours not learnt because the table is full of those that frames wait for") \
    X(neighbour_pending_full, "frames dropped because too many wait for the same next hop")                  \
    X(sender_is_group, "answers not sent because the frame claimed to come from a group address")            \
    X(no_route, "frames dropped because no network or gateway leads to their destination")                   \
    X(pool_empty, "frames not built because the mbuf pool was empty")                                        \
    X(tx_queue_full, "frames not queued because the port did not keep up")                                   \
    X(lease_expired_dropped, "frames from virtual addresses dropped without a valid lease (R4)")             \
    X(control_refused, "messages between the node's cores (heartbeats, ARP, queries) that found no room")    \
    X(own_virtual_mac_heard, "frames from our virtual MAC that we did not send: a rival speaks")

HF_DEFINE_COUNTERS(Counter, counter_rows, HF_NET_ROWS);

using NetCounters = Counters<Counter>;

}  // namespace holdfast::net
