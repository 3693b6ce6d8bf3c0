// A segment arrives at a synchronized connection (RFC 9293 section 3.10.7.4), step by step.
#pragma once

#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {

/// What a segment did. Payload that was accepted waits in rcv.queue for the parent to take it.
struct Arrival {
    AckEffect ack;
    bool reset = false;        ///< a valid RST: the connection is gone
    bool established = false;  ///< SYN-RECEIVED became ESTABLISHED
    bool probe = false;        ///< the endpoint probes its window or our life
};

/// `mbufs_max` bounds the segments that the connection may hold out of order. `packet` is taken only when its
/// payload is.
Arrival segment_arrives(Tcb& t, const wire::Frame& frame, Packet&& packet, std::uint32_t mbufs_max,
                        const Context& c);

/// The next in-order segment to take, or nullptr.
inline rte_mbuf* next_in_order(const Tcb& t) {
    return t.soft.rcv.queue.front_at(t.soft.rcv.ledger.received());
}
/// Takes it: its bytes count as received from now on.
Packet take_in_order(Tcb& t, const Context& c);
/// True when all bytes before the endpoint's FIN have been taken.
inline bool fin_is_next(const Tcb& t) {
    const auto& r = t.soft.rcv;
    return r.fin_known && !r.fin_taken && r.fin == r.ledger.received();
}
/// Takes the FIN: it counts as received from now on.
void take_fin(Tcb& t);

/// A copy of a held segment's payload in an mbuf of its own; empty when the pool is.
Packet copy_of(const rte_mbuf* m, PacketPool& pool);

/// Fills meta(packet) from a parsed frame whose payload starts at `begin`.
void describe_payload(rte_mbuf* m, const wire::Frame& frame, Position begin);

}  // namespace holdfast::tcp
