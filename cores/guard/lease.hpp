// The arithmetic of leases, and why it is safe. Everything else in this folder leans on this page.
//
// 1. The lease by echo. A is active, B is not. B's heartbeat may carry a GRANT of A's heartbeat c: the
//    promise not to speak before the lease that c may have renewed is over. L is the lease, e the margin.
//
//      A's clock   s(c)                                  s(c)+L: A stops, whatever arrives later
//      A ----------+---------------------------^---------|------------------------------------> time
//                   \  c                      / grant of c
//                    \                       /
//      B -------------+---------------------+----------------------------|---------------------->
//      B's clock     r(c)                  x: promise_until = r(c)+L+e   earliest speech of B
//
//    The lease runs from the SEND time of c on A's clock, however late the grant arrives. r(c) is not
//    earlier than s(c) in real time. Let both clocks run wrong by at most p (a fraction): A's lease ends at
//    most L/(1-p) after s(c), B speaks no earlier than (L+e)/(1+p) after r(c). So it is safe when
//
//      (L+e)/(1+p) >= L/(1-p),   that is   e >= 2pL/(1-p):   60 microseconds for L = 30 ms and p = 0.1 %.
//
//    No delay of the network is in it. What remains of e covers the burst that was past the check when the
//    lease ended (TX drain). B counts from the newest c it granted, sent or not, since older ones end
//    earlier; it takes the promise when it composes the grant, and a promise only grows. It is void only
//    when A itself says, in a heartbeat newer than c, that it resigned. About the readings of the clocks:
//      - a heartbeat leaves after the advance() that composed it, so s(c) errs to the safe side;
//      - r(c) should be read AFTER the poll that returned the frame. Where it was read before, or the frame
//        crossed a ring between two cores, a pause between the two makes r(c) too early. So, when the next
//        cycle begins more than e/8 after r(c), its reading of the clock, surely later, becomes r(c).
//    While both grant to each other, neither may speak. That ends by itself, and costs only time.
//
// 2. The lease by reference ("serve"). A, active, whose peer is silent for S = 3L/5 on every path, or says
//    that it could not take over, grants itself t+L, where t is the send time of a reference query that was
//    answered. S is shorter than L, so there is no gap between the last echo and the first own grant. Such
//    a lease ends at most L after A last ran.
//
// 3. What B needs besides its promise before it speaks: that A holds no lease of the second kind. One of
//      (a) A can not have begun one. A's heartbeats say whether it holds one or could begin one at once (the
//          flag solo). When not set, A has heard B's heartbeat k that it echoes, so it was not silent for A
//          before x(k), when k left B: A begins none before x(k)+S. B compares with x(k)+S less e/4.
//      (b) The first query for the virtual address left B at q, before that moment, and neither it nor any
//          later one was answered: A, had it begun one, would have been running, and answered, at the
//          latest when it woke up with the query in its queue. Good until q+L+e, since a suspended A that
//          hears the query begins its own search anew (4).
//      (c) Queries left without a pause and went unanswered for L+e: A has not run with a lease since the
//          first of them arrived, so its lease, at most L from its last run, is over. e covers the way of a
//          query and its answer.
//    (a) serves a deposition of a peer that is heard, (b) a takeover from a peer that died while protected:
//    its bound is L+e after the last heartbeat. (c) is the general case: at boot, after our own lapse, after
//    a partition; it costs up to L+e more. When B was held up, (c) begins anew: A may have begun to speak
//    unasked, and queries may have left late. "Run" means the core that answers for the virtual address: A
//    extends no lease past L from when that core last moved.
//    (b) and (c) hold where queries and answers get through between the two; that is the compromise of
//    `on_isolation = "serve"` without a witness.
//
// 4. Two nodes that both search (3c) at the same time would both find nobody. So a search is audible: its
//    queries have the sender address 0.0.0.0 (RFC 5227), and a node that hears one while it is booting or
//    suspended begins anew; node 1 besides stays quiet for a while, so node 0 is not held up in turn. A
//    standby does not give way: it holds the sessions.
//
// 5. A resignation is good for L from when it was sent, which is after x(k) of the heartbeat k it echoes:
//    whoever resigned and found no successor searches (3c) before it speaks again, and that takes L+e.
#pragma once

#include "lib/base/time.hpp"

namespace holdfast::guard {

struct LeaseTimes {
    Duration lease, margin;

    /// When a lease that runs from `sent_at` ends, on the clock of its holder.
    constexpr Instant ends(Instant sent_at) const { return sent_at + lease; }
    /// When a lease that runs from something received at `received_at` is over for certain.
    constexpr Instant over(Instant received_at) const { return received_at + lease + margin; }
    /// S: how long the peer is silent before the active may grant itself a lease.
    constexpr Duration solo_after() const { return lease * 3 / 5; }
    /// How long the peer is silent before a standby begins to search; early enough for 3b in normal
    /// operation, where x(k) is one heartbeat interval and two trips before r(c), and an interval is at most
    /// lease / 5.
    constexpr Duration search_after() const { return lease / 5; }
    /// The longest duty cycle that the margin allows for.
    constexpr Duration cycle_max() const { return margin / 8; }
    /// What 3a and 3b keep for drift and for the trip of a query.
    constexpr Duration slack() const { return margin / 4; }
};

}  // namespace holdfast::guard
