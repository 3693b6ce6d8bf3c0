// The timers of the sending direction (retransmission, tail loss probe, persist, reordering) and the probes
// that they send.
#include <algorithm>

#include "cores/tcp/emit.hpp"
#include "cores/tcp/recovery.hpp"
#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {
namespace {

using namespace literals;

void fire_rto(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    c.counters.add(Counter::rto_fired);
    if (s.backoff < 255) ++s.backoff;
    mark_timed_out(t, c.now);
    if (s.fin_sent && !s.fin_acknowledged) s.fin_lost = true;
    s.timer = SendTimer::none;
    send_ready(t, c);
}

void fire_tail_probe(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    //= rfc8985#7.3
    //  New data if there is some and the window takes it, else the last segment again; one probe per tail.
    s.tail_probe_end = s.nxt;
    s.tail_probe_repeats = false;
    c.counters.add(Counter::tlp_sent);
    if (s.unsent != nullptr && window_left(s) > 0) {
        send_beyond_window(t, c);
        s.tail_probe_end = s.nxt;
    } else if (s.fin_sent && !s.fin_acknowledged) {
        send_fin(t, c);
    } else if (pipe(s) < effective_mss(t)) {
        // A withheld tail: most often only a delayed ACK is missing, and one byte of old data breaks it.
        c.counters.add(Counter::tail_probes);
        send_probe(t, c);
    } else {
        auto* last = s.in_flight.last();
        if (last != nullptr) s.tail_probe_repeats = retransmit(t, last, c) && t.hard.sack;
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

//= rfc9293#3.8.6
//  Bytes that a window was taken back from are repeated without end, like probes.
//= rfc9293#3.8.6.1
//  An endpoint that closed its window, even over what was under way, and answers, is never given up.
bool answers_from_closed_window(const Tcb& t, const Context& c) {
    const auto& s = t.soft.snd;
    return distance(s.una, s.edge) <= 0 && c.now - t.soft.last_heard <= timeout(t, c.config) * 2;
}

}  // namespace

bool run_send_timer(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    if (c.now < s.timer_at) return true;
    switch (s.timer) {
        case SendTimer::none:
        case SendTimer::handshake: return true;
        case SendTimer::rto:
            //= rfc9293#3.8.3
            //  After so many repetitions (R2) the connection is given up.
            if (s.backoff >= c.config.data_retries && !answers_from_closed_window(t, c)) return false;
            fire_rto(t, c);
            return true;
        case SendTimer::tail_loss_probe: fire_tail_probe(t, c); return true;
        case SendTimer::persist: fire_persist(t, c); return true;
        case SendTimer::reordering:
            s.timer = SendTimer::none;
            recover_by_time(t, c);
            send_ready(t, c);
            return true;
    }
    return true;
}

void rearm_send_timer(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    const bool in_flight = s.nxt != s.una;
    if (!in_flight) {
        //= rfc9293#3.8.6.1
        //  A closed window is probed, after an RTO at first, with backoff and for ever.
        const bool blocked = s.unsent != nullptr && window_left(s) == 0;
        if (blocked)
            arm(s, SendTimer::persist, c.now + std::max(timeout(t, c.config), c.config.window_probe_min));
        else arm(s, SendTimer::none, Instant::never());
        return;
    }
    //= rfc8985#6.3
    //  What is still out of order when its time is over counts as lost: one timer, the earliest need.
    if (!s.reordering_until.is_never()) return arm(s, SendTimer::reordering, s.reordering_until);
    //= rfc8985#7.2
    //  A probe timeout instead of an RTO while the connection is in the open state.
    const bool may_probe = s.tail_probe_end == 0 && !s.in_recovery && !s.in_loss && s.backoff == 0 &&
                           t.soft.rtt.measured && s.lost_bytes == 0;
    const auto rto = timeout(t, c.config);
    const auto pto = t.soft.rtt.srtt * 2 + 2_ms;
    if (may_probe && pto < rto) arm(s, SendTimer::tail_loss_probe, c.now + pto);
    //= rfc6298#5
    //  (5.1) A segment that leaves starts the timer where none runs.
    else if (s.timer != SendTimer::rto) arm(s, SendTimer::rto, c.now + rto);
}

void send_probe(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    const auto* last = s.nxt > s.una ? s.last_left : nullptr;
    const bool below = last == nullptr;
    // An acknowledged FIN stands above the last byte.
    const auto data_end =
        last != nullptr ? std::min(meta(last).end(), s.nxt) : s.una - (s.fin_acknowledged ? 1 : 0);
    const bool byte_known = last != nullptr || s.has_last_byte;
    // Without any byte to repeat, the empty segment below una is the keepalive of RFC 1122 section 4.2.3.6.
    auto h = make_header(t, c, data_end - 1, wire::flag::ack);
    h.window = take_window(t, t.soft.rcv.ledger.ack_number());
    const auto* byte = below ? &s.last_byte : payload(last) + (data_end - 1 - meta(last).begin);
    //= rfc3168#6.1.6
    //  No probe is ECT.
    const bool sent = byte_known ? emit_copy(t, h, byte, 1, c) : emit_control(t, h, c);
    // What the port refused has told the endpoint nothing.
    if (sent) t.soft.rcv.ledger.note_ack_sent();
}

}  // namespace holdfast::tcp
