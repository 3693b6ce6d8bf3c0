#include "cores/tcp/sender.hpp"

#include <algorithm>
#include <cstring>

#include "cores/tcp/congestion.hpp"
#include "cores/tcp/emit.hpp"
#include "cores/tcp/recovery.hpp"
#include "cores/tcp/scoreboard.hpp"

namespace holdfast::tcp {
namespace {

bool flight_allows(const Tcb& t) {
    const auto& s = t.soft.snd;
    // Without SACK each duplicate ACK says that one segment has left the network (RFC 6582 section 3.2 step
    // 2).
    //= rfc5681#3.2
    //  The first two let new segments go, too (limited transmit, RFC 3042): without SACK the pipe does not
    //  show that they have left.
    constexpr std::uint8_t limited = 2;
    const bool inflated = !t.hard.sack && !s.in_loss && (s.in_recovery || s.duplicate_acks <= limited);
    return pipe(s) < s.cwnd + (inflated ? s.duplicate_acks * effective_mss(t) : 0);
}

/// A segment has left that carried our ACK number.
void note_ack_carried(ReceiveSide& rcv) {
    rcv.ledger.note_ack_sent();
    rcv.unanswered = 0;
    // A pending duplicate ACK still has to leave by itself: data segments carry no SACK blocks.
    if (!rcv.out_of_order && rcv.duplicate_count == 0) rcv.ack_now = false;
}

enum class Sending : std::uint8_t { first, again };

/// Sends [begin, begin+size) of held segment `m`. The whole payload goes in place when nobody else holds the
/// mbuf.
bool transmit_piece(Tcb& t, rte_mbuf* m, Position begin, std::uint16_t size, Sending sending,
                    const Context& c) {
    auto& d = meta(m);
    //= rfc9293#3.9.1.2
    //  Nothing is held back, and the last of what there is is pushed.
    auto flags = static_cast<std::uint8_t>(wire::flag::ack);
    if (d.push || begin + size == t.soft.snd.queue_end) flags |= wire::flag::psh;
    //= rfc3168#6.1.5
    //  What is sent again is not ECT: the receiver may not see its mark, and its sender could be anybody.
    const bool marked = t.hard.ecn && sending == Sending::first;
    //= rfc3168#6.1.2
    //  CWR stands in the first new data after the window was lowered.
    const bool reduced = marked && t.soft.snd.cwr_owed;
    if (reduced) flags |= wire::flag::cwr;
    const auto ecn = marked ? wire::Ecn::ect0 : wire::Ecn::not_ect;
    auto h = make_header(t, c, begin, flags);
    const auto ack = t.soft.rcv.ledger.ack_number();
    h.window = take_window(t, ack);
    const bool whole = begin == d.begin && size == d.payload_len;
    const bool room = d.payload_offset >= wire::headers_max;
    bool sent = false;
    if (whole && room && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m)) {
        rte_mbuf_refcnt_update(m, 1);
        sent = emit_in_place(t, h, m, c, ecn);
    } else {
        c.counters.add(!whole  ? Counter::copied_recut
                       : !room ? Counter::no_header_room
                               : Counter::copied_busy);
        sent = emit_part(t, h, m, begin, size, c, ecn);
    }
    if (!sent) return false;
    if (reduced) t.soft.snd.cwr_owed = false;
    note_ack_carried(t.soft.rcv);
    return true;
}

std::uint32_t send_lost(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    std::uint32_t sent = 0;
    while (!s.lost.empty() && (s.repeat_now || flight_allows(t))) {
        if (!retransmit(t, s.lost.first(), c)) break;
        s.repeat_now = false;
        ++sent;
    }
    return sent;
}

/// One new segment, if the endpoint's window takes it. What went ahead of a hole counts, but costs nothing.
bool send_next(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    auto* m = s.unsent;
    auto& d = meta(m);
    if (d.ahead && s.nxt == d.begin) {
        // It has left already; should it be missing, recovery finds out.
        s.nxt = d.end();
        s.last_left = m;
        mark_sent(s, m, c.now);
        s.unsent = d.next;
        return true;
    }
    //= rfc9293#3.8.6
    //  Nothing new beyond the window, though it may have shrunk below what has left.
    const auto size = static_cast<std::uint32_t>(
        std::min<std::uint64_t>({d.end() - s.nxt, effective_mss(t), window_left(s)}));
    if (size == 0 || c.net.room() == 0) return false;
    if (!transmit_piece(t, m, s.nxt, static_cast<std::uint16_t>(size), Sending::first, c)) return false;
    s.nxt += size;
    c.counters.add(Counter::bytes_sent, size);
    note_transmission(t, size, false, c.now);
    s.last_left = m;
    mark_sent(s, m, c.now);
    if (s.nxt == d.end()) s.unsent = d.next;
    return true;
}

std::uint32_t send_new(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    std::uint32_t sent = 0;
    while (s.unsent != nullptr && flight_allows(t)) {
        if (!send_next(t, c)) return sent;
        ++sent;
    }
    if (s.unsent != nullptr) s.cwnd_full_at = s.nxt;
    return sent;
}

}  // namespace

void start_sending(Tcb& t, Position next) {
    auto& s = t.soft.snd;
    s.una = s.nxt = s.queue_end = next;
    s.recovery_end = next;
    s.cwnd = initial_window(t);
    s.cwr_owed = false;
}

void enqueue(Tcb& t, Packet packet, const Context& c) {
    auto& s = t.soft.snd;
    auto* m = packet.get();
    s.queue_end = meta(m).end();
    if (s.tail != nullptr && s.unsent != nullptr && coalesce_small(s.tail, m)) {
        c.counters.add(Counter::small_coalesced);
        return;
    }
    append(s, packet.release());
}

void send_ahead(Tcb& t, Packet packet, const Context& c) {
    auto& s = t.soft.snd;
    auto* m = packet.get();
    const auto& d = meta(m);
    if (d.begin < s.queue_end || d.end() > s.edge || s.fin_queued || c.net.room() == 0) {
        c.counters.add(Counter::ahead_refused);
        return;
    }
    const auto mss = effective_mss(t);
    const auto end = d.end();
    for (auto at = d.begin; at < end;) {
        const auto size = static_cast<std::uint16_t>(std::min<std::uint64_t>(end - at, mss));
        if (!transmit_piece(t, m, at, size, Sending::first, c)) break;
        c.counters.add(Counter::ahead_sent);
        at += size;
        s.valid_ack_max = std::max(s.valid_ack_max, at);
    }
}

bool retransmit(Tcb& t, rte_mbuf* m, const Context& c) {
    auto& s = t.soft.snd;
    auto& d = meta(m);
    // Only the part that has left before; what is unsent in a coalesced tail goes out as new data.
    const auto begin = std::max(d.begin, s.una);
    const auto end = std::min(d.end(), s.nxt);
    const auto mss = effective_mss(t);
    for (auto at = begin; at < end;) {
        const auto size = static_cast<std::uint16_t>(std::min<std::uint64_t>(end - at, mss));
        if (!transmit_piece(t, m, at, size, Sending::again, c)) return false;
        c.counters.add(Counter::segments_retransmitted);
        c.counters.add(Counter::bytes_retransmitted, size);
        note_transmission(t, size, true, c.now);
        at += size;
    }
    d.retransmitted = true;
    s.repeated_end = std::max(s.repeated_end, d.end());
    mark_sent(s, m, c.now);
    return true;
}

bool send_fin(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    auto h = make_header(t, c, s.fin, wire::flag::ack | wire::flag::fin);
    h.window = take_window(t, t.soft.rcv.ledger.ack_number());
    if (!emit_control(t, h, c)) return false;
    t.soft.rcv.ledger.note_ack_sent();
    if (!s.fin_sent) {
        s.fin_sent = true;
        s.nxt = s.fin + 1;
        t.soft.state = next_state(t.soft.state, StateEvent::fin_sent);
    } else {
        c.counters.add(Counter::segments_retransmitted);
    }
    s.fin_lost = false;
    return true;
}

bool send_beyond_window(Tcb& t, const Context& c) { return t.soft.snd.unsent != nullptr && send_next(t, c); }

void enqueue_fin(Tcb& t) {
    auto& s = t.soft.snd;
    if (s.fin_queued) return;
    s.fin_queued = true;
    s.fin = s.queue_end;
}

std::uint32_t send_ready(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    if (!may_send(t)) return 0;
    if (s.nxt == s.una && s.unsent != nullptr) restart_after_idle(t, c);
    auto sent = send_lost(t, c) + send_new(t, c);
    // A FIN takes no window space that data could need, and every stack accepts it at the edge.
    if (s.fin_queued && s.unsent == nullptr && (!s.fin_sent || s.fin_lost) && !s.fin_acknowledged)
        sent += send_fin(t, c) ? 1 : 0;
    if (sent > 0 || s.timer == SendTimer::none || s.timer == SendTimer::persist) rearm_send_timer(t, c);
    return sent;
}

void discard_queue(Tcb& t) {
    clear(t.soft.snd);
    t.soft.rcv.queue.clear();
}

}  // namespace holdfast::tcp
