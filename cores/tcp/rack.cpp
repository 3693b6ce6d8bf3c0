#include "cores/tcp/rack.hpp"

#include <algorithm>

#include "cores/tcp/scoreboard.hpp"

namespace holdfast::tcp {
namespace {

using namespace literals;

/// Segments above a hole that mean loss while nothing was ever out of order.
constexpr std::uint32_t duplicate_threshold = 3;
constexpr std::uint8_t widening_max = 255, recoveries_widened = 16;

bool left_before(Instant a, Position a_end, const Rack& r) {
    return a < r.sent_at || (a == r.sent_at && a_end < r.end);
}

//= rfc8985#6.2
//  Step 4. No tolerance before anything was seen out of order once enough has come above the hole; else a
//  part of the least round trip, more for each round in which it proved too little, up to a whole one.
Duration reordering_window(const Tcb& t) {
    const auto& s = t.soft.snd;
    if (!s.rack.reordering_seen &&
        (s.in_recovery || s.in_loss || s.sacked_bytes >= duplicate_threshold * effective_mss(t)))
        return {};
    return std::min(t.soft.rtt.min / 4 * s.rack.widening, t.soft.rtt.srtt);
}

}  // namespace

bool echo_is_older(const Tcb& t, const wire::TcpHeader& h, Instant sent_at, const Context& c) {
    if (!t.hard.timestamps || !h.options.has_timestamps || h.options.ts_echo == 0) return false;
    const auto now = c.ts_now + t.hard.leg.ts_offset;
    const auto age = milliseconds(static_cast<std::int32_t>(now - h.options.ts_echo));
    // A millisecond clock: younger by less says nothing.
    return age > c.now - sent_at + 1_ms;
}

void note_delivered(Tcb& t, const PacketMeta& d, const wire::TcpHeader& h, AckEffect& effect,
                    const Context& c) {
    // Nobody knows when it left if it went ahead of a hole.
    if (!d.sent || (d.ahead && !d.retransmitted)) return;
    auto& r = t.soft.snd.rack;
    effect.highest = std::max(effect.highest, d.end());
    //= rfc8985#6.2
    //  Step 3: what lies below something delivered earlier, and was sent once, was overtaken.
    if (r.valid && d.end() < r.highest && !d.retransmitted) r.reordering_seen = true;
    //= rfc8985#6.2
    //  Step 2: an ACK that is too early for the repetition is for the first transmission.
    const auto rtt = c.now - d.out.sent_at;
    if (d.retransmitted && (rtt < t.soft.rtt.min || echo_is_older(t, h, d.out.sent_at, c))) return;
    if (r.valid && left_before(d.out.sent_at, d.end(), r)) return;
    r.valid = true;
    r.sent_at = d.out.sent_at;
    r.end = d.end();
    r.rtt = rtt;
}

void finish_delivery(Tcb& t, const AckEffect& effect) {
    auto& s = t.soft.snd;
    auto& r = s.rack;
    r.highest = std::max(r.highest, effect.highest);
    //= rfc8985#6.2
    //  Step 4: a duplicate at the endpoint means that the window was too small; once a round trip.
    const auto& again = effect.repeated_for_nothing;
    if (again.begin != again.end && s.una >= r.dsack_round) {
        r.dsack_round = s.nxt;
        if (r.widening < widening_max) ++r.widening;
        r.persist = recoveries_widened;
    }
}

Loss detect_by_time(Tcb& t, Instant now) {
    auto& s = t.soft.snd;
    const auto& r = s.rack;
    s.reordering_until = Instant::never();
    // In order, and once: nothing can have been overtaken.
    const bool in_order = s.sacked_bytes == 0 && s.repeated_end <= s.una && !s.in_recovery && !s.in_loss;
    if (!r.valid || in_order) return Loss::none;
    const auto patience = r.rtt + reordering_window(t);
    auto found = Loss::none;
    // Oldest first: where one is too young, so are all that follow.
    for (auto* m = s.in_flight.first(); m != nullptr;) {
        auto* next = meta(m).list_after;
        const auto& d = meta(m);
        if (!left_before(d.out.sent_at, d.end(), r)) break;
        if (const auto due = d.out.sent_at + patience; due > now) {
            //= rfc8985#6.2
            //  Step 5: what is not yet lost is looked at again when it may be.
            s.reordering_until = due;
            break;
        }
        if (fully_sent(s, m)) {
            const bool again = d.retransmitted && d.out.sent_at >= s.prr.begun;
            mark_lost(s, m);
            if (found != Loss::of_repetition) found = again ? Loss::of_repetition : Loss::found;
        }
        m = next;
    }
    return found;
}

}  // namespace holdfast::tcp
