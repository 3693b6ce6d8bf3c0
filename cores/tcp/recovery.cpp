#include "cores/tcp/recovery.hpp"

#include <algorithm>

#include "cores/tcp/congestion.hpp"
#include "cores/tcp/rack.hpp"
#include "cores/tcp/scoreboard.hpp"

namespace holdfast::tcp {
namespace {

/// Duplicate ACKs of an endpoint without SACK that mean loss (RFC 5681 section 3.2).
constexpr std::uint8_t duplicate_threshold = 3;

Loss detect_by_count(Tcb& t) {
    auto& s = t.soft.snd;
    //= rfc5681#3.2
    //  Without SACK three duplicates mean a loss.
    if (s.duplicate_acks < duplicate_threshold || s.head == nullptr || !fully_sent(s, s.head))
        return Loss::none;
    if (meta(s.head).retransmitted || meta(s.head).lost) return Loss::none;
    mark_lost(s, s.head);
    return Loss::found;
}

/// Without SACK a partial ACK uncovers the next hole (RFC 6582 section 3.2 step 3).
void uncover_next_hole(Tcb& t) {
    auto& s = t.soft.snd;
    if (s.head != nullptr && fully_sent(s, s.head) && !meta(s.head).lost) {
        meta(s.head).retransmitted = false;
        mark_lost(s, s.head);
        s.repeat_now = true;
    }
}

/// Keeps the window as it is, in case that what follows was for nothing.
void remember(SendSide& s) { s.undo = {s.cwnd, s.ssthresh, s.cubic.w_max, 0, s.una, Instant::never()}; }

void enter_recovery(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    c.counters.add(Counter::fast_recoveries);
    remember(s);
    //= rfc3168#6.1.2
    //  A loss in a window that was lowered for a mark is the same congestion.
    if (s.una >= s.recovery_end) congestion_event(t);
    s.in_recovery = true;
    s.recovery_end = s.nxt;
    s.repeat_now = true;
    s.tail_probe_end = 0;
    s.prr = {std::max(static_cast<std::uint32_t>(s.nxt - s.una), 1u), 0, 0, c.now};
    //= rfc6582#3.2
    //  Step 2, for endpoints without SACK; for others the rate reduction goes there step by step.
    if (!t.hard.sack) s.cwnd = s.ssthresh;
}

//= rfc5681#4.3
//  A repetition that is lost says that there is less room than even the lowered window takes. Only one that
//  left since then says so: once a round trip.
void lower_again(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    c.counters.add(Counter::repetitions_lost);
    s.cwnd = s.ssthresh;  // in a recovery it is no more than what may leave just now
    congestion_event(t);
    s.prr.begun = c.now;
}

/// Losses that were found begin a recovery, or lower the window of the present one again.
void answer_loss(Tcb& t, Loss loss, const Context& c) {
    const auto& s = t.soft.snd;
    if (loss == Loss::none || s.in_loss) return;
    if (!s.in_recovery) enter_recovery(t, c);
    else if (loss == Loss::of_repetition) lower_again(t, c);
}

void leave_recovery(SendSide& s) {
    //= rfc6937#3
    //  At the end the window is where the reduction led.
    if (s.in_recovery) s.cwnd = s.ssthresh;
    s.in_recovery = s.in_loss = false;
    //= rfc8985#6.2
    //  Step 4: a widened reordering window stays for sixteen recoveries.
    if (s.rack.persist > 0 && --s.rack.persist == 0) s.rack.widening = 1;
}

//= rfc6937#3.1
//  Of what was delivered a part leaves again, so that the pipe comes down to ssthresh over one round trip;
//  below it, it grows like in slow start as long as what is delivered shows that no more is lost.
void reduce_rate(Tcb& t, const AckEffect& e, bool more_lost) {
    auto& s = t.soft.snd;
    auto& p = s.prr;
    p.delivered += e.delivered;
    const auto in_pipe = pipe(s);
    std::uint32_t more = 0;
    if (in_pipe > s.ssthresh) {
        const auto share = (std::uint64_t{p.delivered} * s.ssthresh + p.flight - 1) / p.flight;
        more = share > p.out ? static_cast<std::uint32_t>(share) - p.out : 0;
    } else {
        const auto owed = p.delivered > p.out ? p.delivered - p.out : 0;
        const auto limit = e.advanced && !more_lost ? std::max(owed, e.delivered) + effective_mss(t) : owed;
        more = std::min(s.ssthresh - in_pipe, limit);
    }
    s.cwnd = in_pipe + more;
}

//= rfc9438#4.9.2
//  Back to the window before a reduction, when all that was repeated had arrived already.
void take_back(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    c.counters.add(Counter::recoveries_undone);
    s.cwnd = std::max(s.cwnd, s.undo.cwnd);
    s.ssthresh = std::max(s.ssthresh, s.undo.ssthresh);
    s.cubic.w_max = s.undo.w_max;
    s.cubic.epoch = Instant::never();
    s.undo = Undo{};
    s.in_recovery = s.in_loss = false;
    s.recovery_end = s.una;
    s.repeat_now = false;
    unmark_lost(s);
}

/// Takes what an ACK says of repetitions. True when it shows that nothing had been lost: by its timestamp
/// (RFC 4015 section 3.2), or by reports of duplicates for all that was repeated (RFC 3708 section 3).
bool take_evidence(Tcb& t, const AckEffect& e, const wire::TcpHeader& h, const Context& c) {
    auto& u = t.soft.snd.undo;
    if (u.first.is_never()) return false;
    if (e.advanced && echo_is_older(t, h, u.first, c)) return true;
    const auto& again = e.repeated_for_nothing;
    const bool of_these =
        again.begin != again.end && again.begin >= u.begin && again.end <= t.soft.snd.recovery_end;
    if (!of_these || u.segments == 0) return false;
    return --u.segments == 0;
}

//= rfc8985#7.4.2
//  A probe that repeated a segment, and was acknowledged without any sign of a duplicate, has hidden a loss.
void judge_tail_probe(Tcb& t, const AckEffect& e) {
    auto& s = t.soft.snd;
    if (s.tail_probe_end == 0 || s.una < s.tail_probe_end) return;
    const bool duplicate = e.dsack || e.probe_answered;
    if (s.tail_probe_repeats && !duplicate) {
        if (s.una == s.tail_probe_end) return;  // the report of a duplicate may follow
        if (!s.in_recovery && !s.in_loss) {
            congestion_event(t);
            s.cwnd = s.ssthresh;
        }
    }
    s.tail_probe_end = 0;
}

/// A mark of congestion has reached the endpoint: it counts like a loss of which nothing has to be repeated.
//= rfc3168#6.1.2
//  Once a window, and not where a loss has lowered it: marks of what left before that are of the same
//  congestion. The ACK itself opens nothing.
void answer_congestion_echo(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    // What a mark asked for is not undone with a recovery that was for nothing.
    if (s.in_recovery || s.in_loss) s.undo = Undo{};
    if (s.in_recovery || s.in_loss || s.una <= s.recovery_end) return;
    c.counters.add(Counter::ecn_reductions);
    congestion_event(t);
    s.cwnd = s.ssthresh;
    s.recovery_end = s.nxt;
    s.undo = Undo{};
}

}  // namespace

void note_transmission(Tcb& t, std::uint32_t bytes, bool again, Instant now) {
    auto& s = t.soft.snd;
    s.last_sent = now;
    if (s.in_recovery) s.prr.out += bytes;
    if (!again || (!s.in_recovery && !s.in_loss)) return;
    ++s.undo.segments;
    s.undo.first = earlier(s.undo.first, now);
}

void mark_oversized_lost(Tcb& t) {
    auto& s = t.soft.snd;
    const auto mss = effective_mss(t);
    for (auto* m = s.head; m != nullptr && meta(m).begin < s.nxt; m = meta(m).next)
        if (meta(m).payload_len > mss && fully_sent(s, m)) mark_lost(s, m);
    s.repeat_now = s.repeat_now || s.lost_bytes > 0;
}

void mark_timed_out(Tcb& t, Instant now) {
    auto& s = t.soft.snd;
    //= rfc5681#3.1
    //  A timeout lowers ssthresh once, however often it repeats, and leaves one segment of window.
    // Within a recovery the window has been lowered, and what it is just now says nothing.
    if (!s.in_loss && !s.in_recovery) {
        remember(s);
        congestion_event(t);
    }
    s.in_loss = true;
    s.in_recovery = false;
    s.recovery_end = s.nxt;
    s.cwnd = effective_mss(t);
    s.duplicate_acks = 0;
    s.reordering_until = Instant::never();
    s.tail_probe_end = 0;
    s.repeat_now = true;
    //= rfc6675#5.1
    //  What was SACKed counts as delivered beyond a timeout, unless the endpoint has dropped it: then it
    //  stands where the next ACK would have to be.
    //= rfc2018#5
    //  The first segment goes again whatever SACK said of it.
    //= rfc2018#8
    //  Which is possible because only an ACK frees it.
    if (s.head != nullptr && meta(s.head).sacked) unmark_sacked(s);
    for (auto* m = s.head; m != nullptr && meta(m).begin < s.nxt; m = meta(m).next) {
        const auto& d = meta(m);
        //= rfc8985#6.3
        //  The first one, and what left a round trip before now; the rest may be on its way.
        const bool old = !t.hard.sack || m == s.head || now - d.out.sent_at >= t.soft.rtt.srtt;
        if (d.lost) {
            s.lost.remove(m);
            s.lost.push_back(m);
        } else if (old) {
            mark_lost(s, m);
        }
    }
}

void recover_by_time(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    const auto loss = detect_by_time(t, c.now);
    if (loss == Loss::none) return;
    answer_loss(t, loss, c);
    if (s.in_recovery) reduce_rate(t, {}, true);
}

void recover(Tcb& t, const AckEffect& e, const wire::TcpHeader& h, const Context& c) {
    auto& s = t.soft.snd;
    if (e.advanced) s.duplicate_acks = 0;
    if (e.duplicate && s.duplicate_acks < 255) ++s.duplicate_acks;
    if (take_evidence(t, e, h, c)) take_back(t, c);
    if ((s.in_recovery || s.in_loss) && s.una >= s.recovery_end) leave_recovery(s);
    judge_tail_probe(t, e);
    const auto loss = t.hard.sack ? detect_by_time(t, c.now) : detect_by_count(t);
    answer_loss(t, loss, c);
    if (e.congestion_echo) answer_congestion_echo(t, c);
    if (s.in_recovery && t.hard.sack) reduce_rate(t, e, loss != Loss::none);
    else if (e.advanced && s.in_recovery) uncover_next_hole(t);
    // After a timeout even what reports a mark opens the window: nothing new fits, so nothing could say CWR.
    else if (e.advanced && (!e.congestion_echo || s.in_loss)) grow_window(t, e, c);
    // send_ready() chooses the timer anew.
    const bool waits = !s.reordering_until.is_never();
    if (waits != (s.timer == SendTimer::reordering) || (waits && s.timer_at != s.reordering_until))
        arm(s, SendTimer::none, Instant::never());
}

}  // namespace holdfast::tcp
