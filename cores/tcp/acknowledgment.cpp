// An ACK arrives: what it frees, what its SACK blocks report, the window it grants.
#include <algorithm>

#include "cores/tcp/path_mtu.hpp"
#include "cores/tcp/rack.hpp"
#include "cores/tcp/scoreboard.hpp"
#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {
namespace {

using namespace literals;

//= rfc6298#3
//  No sample from what was sent twice (Karn). Nor from what went ahead, at a time that nobody noted; an
//  endpoint may acknowledge that while its place in the queue has not been sent at all.
bool gives_rtt(const PacketMeta& d) { return d.sent && !d.ahead && !d.retransmitted; }

void free_acknowledged(Tcb& t, Position ack, const wire::TcpHeader& h, AckEffect& effect, const Context& c) {
    auto& s = t.soft.snd;
    bool repeated = false;
    while (s.head != nullptr && meta(s.head).end() <= ack) {
        auto* m = s.head;
        auto& d = meta(m);
        repeated = repeated || d.retransmitted;
        if (gives_rtt(d) && !d.sacked) effect.rtt = c.now - d.out.sent_at;
        if (!d.sacked) note_delivered(t, d, h, effect, c);
        // Only the last byte of all is worth a look at the payload.
        if (d.next == nullptr || meta(d.next).end() > ack) {
            s.last_byte = payload(m)[d.payload_len - 1];
            s.has_last_byte = true;
        }
        rte_pktmbuf_free(take_first(s));
    }
    // What stood behind a hole has waited for its repetition.
    if (repeated) effect.rtt = Duration{-1};
    if (s.head != nullptr && ack > meta(s.head).begin) {
        s.last_byte = payload(s.head)[ack - meta(s.head).begin - 1];
        s.has_last_byte = true;
    }
}

/// The endpoint has got `range` twice. A tail loss probe or a byte of a probe explains that; anything else
/// was repeated for nothing.
void note_duplicate(const SendSide& s, PositionRange range, AckEffect& effect) {
    effect.dsack = true;
    if (range.end - range.begin > 1 && range.end != s.tail_probe_end) effect.repeated_for_nothing = range;
}

void take_sack(Tcb& t, Position ack, const wire::TcpHeader& h, AckEffect& effect, const Context& c) {
    auto& s = t.soft.snd;
    for (std::size_t i = 0; i < h.options.sack_count; ++i) {
        const auto begin = to_position(t.hard.leg.iss, h.options.sack[i].begin, s.una);
        auto end = to_position(t.hard.leg.iss, h.options.sack[i].end, s.una);
        if (distance(begin, end) <= 0) continue;
        if (distance(begin, s.una) > 0) {
            //= rfc2883#4
            //  The first block reports a duplicate if it lies below its own ACK; in an ACK that came late
            //  blocks below our SND.UNA are news of yesterday.
            if (i == 0 && ack == s.una && distance(begin, ack) > 0) note_duplicate(s, {begin, end}, effect);
            continue;
        }
        if (distance(s.nxt, end) > 0) {
            const PositionRange ahead{std::max(begin, s.queue_end), end};
            if (end > s.valid_ack_max) continue;  // never sent
            if (ahead.begin < end && effect.ahead_count < effect.ahead.size())
                effect.ahead[effect.ahead_count++] = ahead;
            end = s.nxt;
        }
        for (auto* m = seek(s, begin); m != nullptr && meta(m).begin < end && meta(m).begin < s.nxt;
             m = meta(m).next) {
            auto& d = meta(m);
            if (d.sacked) m = last_of_run(m);
            if (d.sacked || d.begin < begin || d.end() > end) continue;
            //= rfc2018#5
            //  Not repeated, but held until an ACK covers it.
            mark_sacked(s, m);
            effect.bytes_sacked += d.payload_len;
            if (gives_rtt(d)) effect.rtt = c.now - d.out.sent_at;
            note_delivered(t, d, h, effect, c);
        }
    }
}

bool take_window_update(Tcb& t, Position seq, Position ack, bool advanced, std::uint32_t window) {
    auto& s = t.soft.snd;
    //= rfc9293#3.10.7.4
    //  Only a segment that is newer by SEQ, or by ACK for equal SEQ, may change the send window.
    // What acknowledges new bytes is newer in any case: a guess that was taken may have had a SEQ that the
    // endpoint reaches late or never.
    const bool older = distance(s.wl1, seq) < 0 || (s.wl1 == seq && distance(s.wl2, ack) < 0);
    if (older && !advanced) return false;
    //= rfc9293#3.1
    //  Windows are unsigned, and wider than the field.
    const auto edge = ack + window;
    const bool grew = distance(s.edge, edge) > 0;
    s.edge = edge;
    s.wl1 = seq;
    s.wl2 = ack;
    s.window_max = std::max(s.window_max, window);
    return grew;
}

//= rfc8985#6.2
//  Step 1: the least of the recent past, so that it can grow when the path does. Two spans of five minutes
//  stand for a sliding one.
void take_least(Rtt& r, Duration sample, std::uint32_t now_s) {
    constexpr std::uint32_t span_s = 300;
    r.min = std::min(r.min, sample);
    r.min_now = std::min(r.min_now, sample);
    const auto age_s = now_s - r.min_since_s;
    if (age_s < span_s) return;
    r.min = age_s < 2 * span_s ? r.min_now : sample;
    r.min_now = sample;
    r.min_since_s = now_s;
}

}  // namespace

AckEffect take_ack(Tcb& t, Position ack, const wire::TcpHeader& h, const Context& c) {
    auto& s = t.soft.snd;
    AckEffect effect;
    const auto una_before = s.una;
    const auto flight_before = s.nxt - s.una;
    const auto delivered_before = s.una + s.sacked_bytes;
    const auto seq = to_position(t.hard.leg.irs, h.seq, t.soft.rcv.next);
    const auto window = static_cast<std::uint32_t>(h.window) << t.hard.send_scale;
    const bool window_same = ack + window == s.edge;
    if (distance(s.una, ack) > 0) {
        effect.advanced = true;
        effect.bytes_acked = static_cast<std::uint32_t>(ack - s.una);
        free_acknowledged(t, ack, h, effect, c);
        s.una = ack;
        if (distance(s.nxt, ack) > 0) s.nxt = ack;
        if (distance(s.queue_end, ack) > 0 && !s.fin_queued) {
            s.queue_end = ack;
            s.has_last_byte = false;
        }
        s.backoff = 0;
        retry_path_mtu(t, c);
        //= rfc6298#5
        //  (5.3) An ACK of new data restarts the timer: send_ready() chooses it anew.
        arm(s, SendTimer::none, Instant::never());
        if (s.fin_queued && !s.fin_acknowledged && ack > s.fin) {
            // It may have left a node that is dead, and not this one.
            if (!s.fin_sent) t.soft.state = next_state(t.soft.state, StateEvent::fin_sent);
            s.fin_sent = true;
            s.fin_acknowledged = effect.fin_acknowledged = true;
            t.soft.state = next_state(t.soft.state, StateEvent::fin_acknowledged);
        }
    }
    if (t.hard.sack && h.options.sack_count > 0) take_sack(t, ack, h, effect, c);
    finish_delivery(t, effect);
    effect.delivered = static_cast<std::uint32_t>(
        std::max<std::int64_t>(distance(delivered_before, s.una + s.sacked_bytes), 0));
    effect.window_grew = take_window_update(t, seq, ack, effect.advanced, window);
    effect.duplicate = !effect.advanced && ack == una_before && flight_before > 0 && window_same;
    effect.probe_answered =
        !effect.advanced && ack == s.una && s.tail_probe_end == ack && effect.bytes_sacked == 0;
    effect.congestion_echo = t.hard.ecn && h.has(wire::flag::ece);
    if (effect.rtt.ns >= 0) take_rtt(t, effect.rtt, c.now, c.config);
    return effect;
}

void take_rtt(Tcb& t, Duration sample, Instant now, const TcpConfig& config) {
    auto& r = t.soft.rtt;
    //= rfc6298#2
    if (sample.ns <= 0) sample = 1_us;
    if (!r.measured) {
        r = {sample, sample / 2, {}, sample, sample, in_seconds(now), true};
    } else {
        const auto error = r.srtt > sample ? r.srtt - sample : sample - r.srtt;
        r.rttvar = (r.rttvar * 3 + error) / 4;
        r.srtt = (r.srtt * 7 + sample) / 8;
        take_least(r, sample, in_seconds(now));
    }
    // The floor stands on the round trip: a repetition that is under way is not repeated again for a small
    // delay more.
    r.rto = std::min(r.srtt + std::max(config.rto_min, r.rttvar * 4), config.rto_max);
}

}  // namespace holdfast::tcp
