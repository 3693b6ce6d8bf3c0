#include "cores/tcp/sender.hpp"

#include <algorithm>
#include <cstring>

#include "cores/tcp/emit.hpp"
#include "cores/tcp/path_mtu.hpp"
#include "cores/tcp/recovery.hpp"

namespace holdfast::tcp {
namespace {

using namespace literals;

/// Largest piece that one call may copy out of the queue.
constexpr std::uint32_t copy_max = 2048;

std::uint32_t window_left(const SendSide& s) {
    const auto left = distance(s.nxt, s.edge);
    return left > 0 ? static_cast<std::uint32_t>(left) : 0;
}

bool flight_allows(const Tcb& t) {
    const auto& s = t.soft.snd;
    // Without SACK each duplicate ACK says that one segment has left the network (RFC 6582 section 3.2 step
    // 2).
    const bool inflated = s.in_recovery && !t.hard.sack;
    return pipe(s) < s.cwnd + (inflated ? s.duplicate_acks * effective_mss(t) : 0);
}

void arm(SendSide& s, SendTimer kind, Instant at) {
    s.timer = kind;
    s.timer_at = at;
}

/// A segment has left that carried our ACK number.
void note_ack_carried(ReceiveSide& rcv) {
    rcv.ledger.note_ack_sent();
    // A pending duplicate ACK still has to leave by itself: data segments carry no SACK blocks.
    if (!rcv.out_of_order && rcv.duplicate_count == 0) rcv.ack_now = false;
}

/// Sends [begin, begin+size) of held segment `m`. The whole payload goes in place when nobody else holds the
/// mbuf.
bool transmit_piece(Tcb& t, rte_mbuf* m, Position begin, std::uint16_t size, const Context& c) {
    auto& d = meta(m);
    auto flags = static_cast<std::uint8_t>(wire::flag::ack);
    if (d.push || begin + size == t.soft.snd.queue_end) flags |= wire::flag::psh;
    auto h = make_header(t, c, begin, flags);
    const auto ack = t.soft.rcv.ledger.ack_number();
    h.window = take_window(t, ack);
    const bool whole = begin == d.begin && size == d.payload_len;
    const bool room = d.payload_offset >= wire::headers_max;
    bool sent = false;
    if (whole && room && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m)) {
        rte_mbuf_refcnt_update(m, 1);
        sent = emit_in_place(t, h, m, c);
    } else {
        c.counters.add(!whole  ? Counter::copied_recut
                       : !room ? Counter::no_header_room
                               : Counter::copied_busy);
        sent = emit_part(t, h, m, begin, size, c);
    }
    if (!sent) return false;
    note_ack_carried(t.soft.rcv);
    return true;
}

void note_sent(rte_mbuf* m, const Context& c) {
    auto& d = meta(m);
    d.sent_at = c.now;
    d.sent = true;
    if (d.transmissions < 255) ++d.transmissions;
}

//= rfc6298#3
//  No sample from what was sent twice (Karn). Nor from what went ahead, at a time that nobody noted; an
//  endpoint may acknowledge that while its place in the queue has not been sent at all.
bool gives_rtt(const PacketMeta& d) { return d.sent && !d.ahead && !d.retransmitted; }

bool retransmit(Tcb& t, rte_mbuf* m, const Context& c) {
    auto& s = t.soft.snd;
    auto& d = meta(m);
    // Only the part that has left before; what is unsent in a coalesced tail goes out as new data.
    const auto begin = std::max(d.begin, s.una);
    const auto end = std::min(d.end(), s.nxt);
    const auto mss = effective_mss(t);
    for (auto at = begin; at < end;) {
        const auto size = static_cast<std::uint16_t>(std::min<std::uint64_t>(end - at, mss));
        if (!transmit_piece(t, m, at, size, c)) return false;
        c.counters.add(Counter::segments_retransmitted);
        c.counters.add(Counter::bytes_retransmitted, size);
        at += size;
    }
    if (d.lost) {
        d.lost = false;
        s.lost_bytes -= d.payload_len;
    }
    d.retransmitted = true;
    note_sent(m, c);
    return true;
}

std::uint32_t send_lost(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    std::uint32_t sent = 0;
    for (auto* m = s.head; m != nullptr && s.lost_bytes > 0 && (s.repeat_now || flight_allows(t));
         m = meta(m).next) {
        if (!meta(m).lost) continue;
        if (!retransmit(t, m, c)) break;
        s.repeat_now = false;
        ++sent;
    }
    return sent;
}

std::uint32_t send_new(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    const auto mss = effective_mss(t);
    std::uint32_t sent = 0;
    while (s.unsent != nullptr && flight_allows(t)) {
        auto* m = s.unsent;
        auto& d = meta(m);
        if (d.ahead && s.nxt == d.begin) {
            // It has left already; should it be missing, recovery finds out.
            s.nxt = d.end();
            note_sent(m, c);
            s.unsent = d.next;
            continue;
        }
        const auto size =
            static_cast<std::uint32_t>(std::min<std::uint64_t>({d.end() - s.nxt, mss, window_left(s)}));
        if (size == 0 || c.net.room() == 0) break;
        if (!transmit_piece(t, m, s.nxt, static_cast<std::uint16_t>(size), c)) break;
        s.nxt += size;
        c.counters.add(Counter::bytes_sent, size);
        note_sent(m, c);
        ++sent;
        if (s.nxt == d.end()) s.unsent = d.next;
    }
    return sent;
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

void free_acknowledged(Tcb& t, Position ack, AckEffect& effect, const Context& c) {
    auto& s = t.soft.snd;
    while (s.head != nullptr && meta(s.head).end() <= ack) {
        auto* m = s.head;
        auto& d = meta(m);
        if (d.sacked) s.sacked_bytes -= d.payload_len;
        if (d.lost) s.lost_bytes -= d.payload_len;
        if (gives_rtt(d)) effect.rtt = c.now - d.sent_at;
        if (d.sent && (d.sent_at > s.rack_sent_at || !s.rack_valid)) {
            // RFC 8985 section 6.2: an ACK that comes sooner than the path allows is for the first
            // transmission.
            if (!d.retransmitted || c.now - d.sent_at >= t.soft.rtt.min) {
                s.rack_sent_at = d.sent_at;
                s.rack_end = d.end();
                s.rack_valid = true;
            }
        }
        // Only the last byte of all is worth a look at the payload.
        if (d.next == nullptr || meta(d.next).end() > ack) {
            s.last_byte = payload(m)[d.payload_len - 1];
            s.has_last_byte = true;
        }
        s.head = d.next;
        if (s.unsent == m) s.unsent = s.head;
        if (s.tail == m) s.tail = nullptr;
        --s.mbufs;
        rte_pktmbuf_free(m);
    }
    if (s.head != nullptr && ack > meta(s.head).begin) {
        s.last_byte = payload(s.head)[ack - meta(s.head).begin - 1];
        s.has_last_byte = true;
    }
}

void take_sack(Tcb& t, Position ack, const wire::TcpHeader& h, AckEffect& effect, const Context& c) {
    auto& s = t.soft.snd;
    for (std::size_t i = 0; i < h.options.sack_count; ++i) {
        const auto begin = to_position(t.hard.leg.iss, h.options.sack[i].begin, s.una);
        const auto end = to_position(t.hard.leg.iss, h.options.sack[i].end, s.una);
        //= rfc2883#4
        //  A first block at or below the ACK reports a duplicate.
        if (distance(begin, ack) > 0 || distance(begin, s.una) > 0) {
            effect.dsack = true;
            continue;
        }
        if (distance(begin, end) <= 0) continue;
        if (distance(end, s.nxt) < 0) {
            const PositionRange ahead{std::max(begin, s.queue_end), end};
            if (ahead.begin < end && end <= s.valid_ack_max && effect.ahead_count < effect.ahead.size())
                effect.ahead[effect.ahead_count++] = ahead;
            continue;
        }
        for (auto* m = s.head; m != nullptr && meta(m).begin < end && meta(m).begin < s.nxt;
             m = meta(m).next) {
            auto& d = meta(m);
            if (d.sacked || d.begin < begin || d.end() > end) continue;
            d.sacked = true;
            s.sacked_bytes += d.payload_len;
            if (d.lost) {
                d.lost = false;
                s.lost_bytes -= d.payload_len;
            }
            effect.bytes_sacked += d.payload_len;
            if (gives_rtt(d)) effect.rtt = c.now - d.sent_at;
            if ((!s.rack_valid || d.sent_at >= s.rack_sent_at) &&
                (!d.retransmitted || c.now - d.sent_at >= t.soft.rtt.min)) {
                s.rack_sent_at = d.sent_at;
                s.rack_end = d.end();
                s.rack_valid = true;
            }
        }
    }
}

bool take_window_update(Tcb& t, Position seq, Position ack, std::uint32_t window) {
    auto& s = t.soft.snd;
    //= rfc9293#3.10.7.4
    //  Only a segment that is newer by SEQ, or by ACK for equal SEQ, may change the send window.
    if (distance(s.wl1, seq) < 0 || (s.wl1 == seq && distance(s.wl2, ack) < 0)) return false;
    const auto edge = ack + window;
    const bool grew = distance(s.edge, edge) > 0;
    s.edge = edge;
    s.wl1 = seq;
    s.wl2 = ack;
    s.window_max = std::max(s.window_max, window);
    return grew;
}

void fire_rto(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    c.counters.add(Counter::rto_fired);
    if (s.backoff < 255) ++s.backoff;
    mark_all_lost(t);
    if (s.fin_sent && !s.fin_acknowledged) s.fin_lost = true;
    s.timer = SendTimer::none;
    send_ready(t, c);
}

void fire_tail_probe(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    //= rfc8985#7.3
    //  New data if there is some and the window takes it, else the last segment again; one probe per tail.
    s.tlp_outstanding = true;
    c.counters.add(Counter::tlp_sent);
    if (s.unsent != nullptr && window_left(s) > 0) {
        const auto cwnd = s.cwnd;
        s.cwnd = pipe(s) + effective_mss(t);
        send_new(t, c);
        s.cwnd = cwnd;
    } else if (s.fin_sent && !s.fin_acknowledged) {
        send_fin(t, c);
    } else if (pipe(s) < effective_mss(t)) {
        // A withheld tail: most often only a delayed ACK is missing, and one byte of old data breaks it.
        c.counters.add(Counter::tail_probes);
        send_probe(t, c);
    } else {
        rte_mbuf* last = nullptr;
        for (auto* m = s.head; m != nullptr && meta(m).begin < s.nxt; m = meta(m).next)
            if (!meta(m).sacked) last = m;
        if (last != nullptr) retransmit(t, last, c);
    }
    s.timer = SendTimer::none;
    rearm_send_timer(t, c);
}

void fire_persist(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    c.counters.add(Counter::zero_window_probes);
    if (s.backoff < 20) ++s.backoff;
    send_probe(t, c);
    s.timer = SendTimer::none;
    rearm_send_timer(t, c);
}

Duration timeout(const Tcb& t, const TcpConfig& config) {
    auto rto = t.soft.rtt.rto;
    for (unsigned i = 0; i < t.soft.snd.backoff && rto < config.rto_max; ++i) rto = rto * 2;
    return std::min(rto, config.rto_max);
}

}  // namespace

void start_sending(Tcb& t, Position next) {
    auto& s = t.soft.snd;
    s.una = s.nxt = s.queue_end = next;
    s.recovery_end = next;
    //= rfc6928#2
    //  Ten segments, but not more than 14600 bytes for large ones, and never less than two.
    const auto mss = effective_mss(t);
    s.cwnd = std::min(10 * mss, std::max(2 * mss, 14600u));
}

void enqueue(Tcb& t, Packet packet, const Context& c) {
    auto& s = t.soft.snd;
    auto* m = packet.get();
    auto& d = meta(m);
    d.sent = d.sacked = d.lost = d.retransmitted = false;
    d.transmissions = 0;
    d.next = nullptr;
    s.queue_end = d.end();
    if (s.tail != nullptr && s.unsent != nullptr && coalesce_small(s.tail, m)) {
        c.counters.add(Counter::small_coalesced);
        return;
    }
    (s.tail != nullptr ? meta(s.tail).next : s.head) = m;
    s.tail = m;
    if (s.unsent == nullptr) s.unsent = m;
    ++s.mbufs;
    packet.release();
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
        if (!transmit_piece(t, m, at, size, c)) break;
        c.counters.add(Counter::ahead_sent);
        at += size;
        s.valid_ack_max = std::max(s.valid_ack_max, at);
    }
}

void enqueue_fin(Tcb& t) {
    auto& s = t.soft.snd;
    if (s.fin_queued) return;
    s.fin_queued = true;
    s.fin = s.queue_end;
}

std::uint32_t send_ready(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    if (!may_send(t)) return 0;
    auto sent = send_lost(t, c) + send_new(t, c);
    // A FIN takes no window space that data could need, and every stack accepts it at the edge.
    if (s.fin_queued && s.unsent == nullptr && (!s.fin_sent || s.fin_lost) && !s.fin_acknowledged)
        sent += send_fin(t, c) ? 1 : 0;
    if (sent > 0 || s.timer == SendTimer::none || s.timer == SendTimer::persist) rearm_send_timer(t, c);
    return sent;
}

AckEffect take_ack(Tcb& t, Position ack, const wire::TcpHeader& h, const Context& c) {
    auto& s = t.soft.snd;
    AckEffect effect;
    const auto una_before = s.una;
    const auto flight_before = s.nxt - s.una;
    const auto seq = to_position(t.hard.leg.irs, h.seq, t.soft.rcv.next);
    const auto window = static_cast<std::uint32_t>(h.window) << t.hard.send_scale;
    const bool window_same = ack + window == s.edge;
    if (distance(s.una, ack) > 0) {
        effect.advanced = true;
        effect.bytes_acked = static_cast<std::uint32_t>(ack - s.una);
        free_acknowledged(t, ack, effect, c);
        s.una = ack;
        if (distance(s.nxt, ack) > 0) s.nxt = ack;
        if (distance(s.queue_end, ack) > 0 && !s.fin_queued) {
            s.queue_end = ack;
            s.has_last_byte = false;
        }
        s.backoff = 0;
        s.tlp_outstanding = false;
        retry_path_mtu(t, c);
        //= rfc6298#5
        //  (5.3) An ACK of new data restarts the timer: send_ready() chooses it anew.
        arm(s, SendTimer::none, Instant::never());
        if (s.fin_sent && !s.fin_acknowledged && ack > s.fin) {
            s.fin_acknowledged = effect.fin_acknowledged = true;
            t.soft.state = next_state(t.soft.state, StateEvent::fin_acknowledged);
        }
    }
    if (t.hard.sack && h.options.sack_count > 0) take_sack(t, ack, h, effect, c);
    effect.window_grew = take_window_update(t, seq, ack, window);
    effect.duplicate = !effect.advanced && ack == una_before && flight_before > 0 && window_same;
    if (effect.rtt.ns >= 0) take_rtt(t, effect.rtt, c.config);
    return effect;
}

void take_rtt(Tcb& t, Duration sample, const TcpConfig& config) {
    auto& r = t.soft.rtt;
    //= rfc6298#2
    if (sample.ns <= 0) sample = 1_us;
    if (!r.measured) {
        r = {sample, sample / 2, {}, sample, true};
    } else {
        const auto error = r.srtt > sample ? r.srtt - sample : sample - r.srtt;
        r.rttvar = (r.rttvar * 3 + error) / 4;
        r.srtt = (r.srtt * 7 + sample) / 8;
        r.min = std::min(r.min, sample);
    }
    r.rto = std::clamp(r.srtt + std::max(Duration{1'000'000}, r.rttvar * 4), config.rto_min, config.rto_max);
}

bool run_send_timer(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    if (c.now < s.timer_at) return true;
    switch (s.timer) {
        case SendTimer::none:
        case SendTimer::handshake: return true;
        case SendTimer::rto:
            if (s.backoff >= c.config.data_retries) return false;
            fire_rto(t, c);
            return true;
        case SendTimer::tail_loss_probe: fire_tail_probe(t, c); return true;
        case SendTimer::persist: fire_persist(t, c); return true;
    }
    return true;
}

void rearm_send_timer(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    const bool in_flight = s.nxt != s.una;
    if (!in_flight) {
        const bool blocked = s.unsent != nullptr && window_left(s) == 0;
        if (blocked)
            arm(s, SendTimer::persist, c.now + std::max(timeout(t, c.config), c.config.window_probe_min));
        else arm(s, SendTimer::none, Instant::never());
        return;
    }
    //= rfc8985#7.2
    //  A probe timeout instead of an RTO while the connection is in the open state.
    const bool may_probe = !s.tlp_outstanding && !s.in_recovery && !s.in_loss && s.backoff == 0 &&
                           t.soft.rtt.measured && s.lost_bytes == 0;
    const auto rto = timeout(t, c.config);
    const auto pto = t.soft.rtt.srtt * 2 + 2_ms;
    if (may_probe && pto < rto) arm(s, SendTimer::tail_loss_probe, c.now + pto);
    else arm(s, SendTimer::rto, c.now + rto);
}

void send_probe(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    const bool data_in_flight = s.head != nullptr && s.nxt > s.una && meta(s.head).begin < s.nxt;
    rte_mbuf* last = nullptr;
    if (data_in_flight)
        for (auto* m = s.head; m != nullptr && meta(m).begin < s.nxt; m = meta(m).next) last = m;
    const bool below = last == nullptr;
    // An acknowledged FIN stands above the last byte.
    const auto data_end =
        last != nullptr ? std::min(meta(last).end(), s.nxt) : s.una - (s.fin_acknowledged ? 1 : 0);
    const bool byte_known = last != nullptr || s.has_last_byte;
    // Without any byte to repeat, the empty segment below una is the keepalive of RFC 1122 section 4.2.3.6.
    auto h = make_header(t, c, data_end - 1, wire::flag::ack);
    h.window = take_window(t, t.soft.rcv.ledger.ack_number());
    const auto* byte = below ? &s.last_byte : payload(last) + (data_end - 1 - meta(last).begin);
    const bool sent = byte_known ? emit_copy(t, h, byte, 1, c) : emit_control(t, h, c);
    // What the port refused has told the endpoint nothing.
    if (sent) t.soft.rcv.ledger.note_ack_sent();
}

void discard_queue(Tcb& t) {
    auto& s = t.soft.snd;
    while (s.head != nullptr) {
        auto* next = meta(s.head).next;
        rte_pktmbuf_free(s.head);
        s.head = next;
    }
    s.tail = s.unsent = nullptr;
    s.mbufs = 0;
    s.sacked_bytes = s.lost_bytes = 0;
    t.soft.rcv.queue.clear();
}

}  // namespace holdfast::tcp
