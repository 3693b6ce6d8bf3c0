#include "cores/tcp/recovery.hpp"

#include <algorithm>

namespace holdfast::tcp {
namespace {

void mark_lost(SendSide& s, rte_mbuf* m) {
    auto& d = meta(m);
    if (d.lost || d.sacked) return;
    d.lost = true;
    s.lost_bytes += d.payload_len;
}

/// Only segments that have left in full carry marks: their bytes count in the pipe as a whole.
bool fully_sent(const SendSide& s, const rte_mbuf* m) { return meta(m).end() <= s.nxt; }

/// RFC 8985 section 6.2 step 5: what left a reordering window before the newest delivered segment is lost.
bool detect_by_time(Tcb& t) {
    auto& s = t.soft.snd;
    if (!s.rack_valid || s.sacked_bytes == 0) return false;
    const auto reordering_window = t.soft.rtt.min / 4;
    const auto limit = s.rack_sent_at - reordering_window;
    bool found = false;
    for (auto* m = s.head; m != nullptr && meta(m).begin < s.nxt; m = meta(m).next) {
        auto& d = meta(m);
        if (d.sacked || d.lost || !fully_sent(s, m)) continue;
        // Equal send times (one burst) are ordered by position.
        const bool before = d.sent_at < limit || (d.sent_at == s.rack_sent_at && d.end() < s.rack_end &&
                                                  s.sacked_bytes >= s.reordering * effective_mss(t));
        if (!before) continue;
        mark_lost(s, m);
        found = true;
    }
    return found;
}

/// RFC 5681 section 3.2 for endpoints without SACK, and the RFC 6675 count for those with it.
bool detect_by_count(Tcb& t) {
    auto& s = t.soft.snd;
    const bool enough =
        t.hard.sack ? s.sacked_bytes >= s.reordering * effective_mss(t) : s.duplicate_acks >= s.reordering;
    if (!enough || s.head == nullptr || !fully_sent(s, s.head) || meta(s.head).retransmitted) return false;
    if (meta(s.head).sacked || meta(s.head).lost) return false;
    mark_lost(s, s.head);
    return true;
}

void enter_recovery(Tcb& t, const Context& c) {
    auto& s = t.soft.snd;
    s.in_recovery = true;
    s.recovery_end = s.nxt;
    s.repeat_now = true;
    c.counters.add(Counter::fast_recoveries);
    //= rfc5681#3.2
    //  Half of what was in flight, at least two segments.
    const auto flight = static_cast<std::uint32_t>(s.nxt - s.una);
    s.ssthresh = std::max(flight / 2, 2 * effective_mss(t));
    s.cwnd = s.ssthresh;
}

void grow(Tcb& t, const AckEffect& e) {
    auto& s = t.soft.snd;
    const auto mss = effective_mss(t);
    // A window that is not used does not grow (RFC 9293 leaves it open; RFC 7661 gives the reason).
    if (static_cast<std::uint32_t>(s.nxt - s.una) + e.bytes_acked < s.cwnd / 2) return;
    if (s.cwnd < s.ssthresh) {
        //= rfc3465#2.2
        s.cwnd += std::min(e.bytes_acked, 2 * mss);
        return;
    }
    s.partial_credit += e.bytes_acked;
    if (s.partial_credit >= s.cwnd) {
        s.partial_credit -= s.cwnd;
        s.cwnd += mss;
    }
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

}  // namespace

void mark_oversized_lost(Tcb& t) {
    auto& s = t.soft.snd;
    const auto mss = effective_mss(t);
    for (auto* m = s.head; m != nullptr && meta(m).begin < s.nxt; m = meta(m).next)
        if (meta(m).payload_len > mss && fully_sent(s, m)) mark_lost(s, m);
    s.repeat_now = s.repeat_now || s.lost_bytes > 0;
}

void mark_all_lost(Tcb& t) {
    auto& s = t.soft.snd;
    const auto mss = effective_mss(t);
    if (!s.in_loss) s.ssthresh = std::max(static_cast<std::uint32_t>(s.nxt - s.una) / 2, 2 * mss);
    s.in_loss = true;
    s.in_recovery = false;
    s.recovery_end = s.nxt;
    s.cwnd = mss;
    s.duplicate_acks = 0;
    // The endpoint may have dropped what it SACKed (RFC 2018 section 8): after a timeout the marks are void.
    for (auto* m = s.head; m != nullptr && meta(m).begin < s.nxt; m = meta(m).next) {
        if (meta(m).sacked) {
            meta(m).sacked = false;
            s.sacked_bytes -= meta(m).payload_len;
        }
        mark_lost(s, m);
    }
}

void recover(Tcb& t, const AckEffect& e, const Context& c) {
    auto& s = t.soft.snd;
    if (e.advanced) s.duplicate_acks = 0;
    if (e.duplicate && s.duplicate_acks < 255) ++s.duplicate_acks;
    const bool recovered = (s.in_recovery || s.in_loss) && s.una >= s.recovery_end;
    if (recovered) {
        if (s.in_recovery) s.cwnd = s.ssthresh;
        s.in_recovery = s.in_loss = false;
    }
    bool lost = detect_by_time(t);
    lost = detect_by_count(t) || lost;
    if (lost && !s.in_recovery && !s.in_loss) enter_recovery(t, c);
    if (e.advanced && s.in_recovery && !t.hard.sack) uncover_next_hole(t);
    if (e.advanced && !s.in_recovery) grow(t, e);
}

}  // namespace holdfast::tcp
