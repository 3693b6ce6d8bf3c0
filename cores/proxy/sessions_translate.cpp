// Translated mode: what a session is right after a takeover. Segments of both ends are forwarded with the
// numbers of that same segment mapped; we hold nothing and acknowledge nothing ourselves (R1).
#include <algorithm>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;
namespace flag = wire::flag;

namespace {

constexpr std::int64_t plausible_distance = std::int64_t{1} << 30;
/// A session goes back to terminated after this much silence of its client.
constexpr Duration calm = milliseconds(10);

bool near_enough(Position a, Position b) {
    const auto d = distance(a, b);
    return d < plausible_distance && d > -plausible_distance;
}

/// The endpoint holds bytes above a gap.
bool has_gaps(const Heard& h) { return h.sacked > h.ack; }

Position known_ack(const Leg& leg) { return std::max(leg.heard->ack, leg.hints->una); }
Position known_seq(const Leg& leg) { return std::max(leg.heard->seq_edge, leg.hints->ack); }

}  // namespace

/// Within 2^30 of what is known, and not older than what was heard (PAWS).
bool Sessions::plausible(const Leg& leg, const wire::Frame& f) const {
    const auto& l = leg.tcb.hard.leg;
    const auto seq = to_position(l.irs, f.tcp.seq, known_seq(leg));
    const auto ack = f.tcp.has(flag::ack) ? to_position(l.iss, f.tcp.ack, known_ack(leg)) : known_ack(leg);
    if (!near_enough(known_seq(leg), seq) || !near_enough(known_ack(leg), ack)) return false;
    // Before the SYN, or before the first byte, nobody has ever said or heard anything.
    if (distance(0, seq) < 0 || distance(1, ack) < 0) return false;
    if (!leg.tcb.hard.timestamps || f.tcp.has(flag::rst)) return true;
    const auto known = newest_time(leg);
    // Reordering makes equal or slightly older timestamps honest; a segment of an earlier life is far older.
    constexpr std::int32_t reordering_ms = 5000;
    //= rfc7323#5.5
    //  A stored timestamp is no evidence after 24 days of silence.
    constexpr Duration outdated = seconds(24 * 24 * 3600);
    if (!known || known->age > outdated) return f.tcp.options.has_timestamps;
    return f.tcp.options.has_timestamps &&
           static_cast<std::int32_t>(f.tcp.options.ts_value - known->value) > -reordering_ms;
}

/// The newest timestamp of the endpoint's, heard since the takeover or from the mirror; nothing when no node
/// has heard any.
std::optional<Sessions::KnownTime> Sessions::newest_time(const Leg& leg) const {
    const auto& r = leg.tcb.soft.rcv;
    if (r.ts_recent_valid) return KnownTime{r.ts_recent, now_ - r.ts_recent_at};
    if (leg.hints->ts_recent == 0) return std::nullopt;
    return KnownTime{leg.hints->ts_recent, shared_now() - (Instant{} + seconds(leg.hints->last_active_s))};
}

/// A timestamp is taken for the endpoint's if its clock can have come so far: whoever guesses one far ahead
/// would have all that the endpoint says dropped as old.
void Sessions::hear_time(Leg& leg, std::uint32_t value) {
    //= rfc7323#5.4
    //  A clock of timestamps ticks once in a millisecond at most.
    constexpr std::int64_t slack_ms = 3000;  // below what plausible() allows for
    const auto known = newest_time(leg);
    const std::int64_t grown = known ? static_cast<std::int32_t>(value - known->value) : 0;
    auto& r = leg.tcb.soft.rcv;
    auto& refused = leg.heard->time_refused;
    if (known && grown > known->age.to_ms() + slack_ms) {
        // A clock of microseconds (Linux, tcp_usec_ts) is known by its constancy; it must not come to look
        // old for being never taken.
        constexpr Duration constant = seconds(60);
        if (refused.is_never()) refused = now_;
        if (now_ - refused < constant) return;
    }
    refused = Instant::never();
    if (known && r.ts_recent_valid && grown <= 0) return;
    r.ts_recent = value;
    r.ts_recent_valid = true;
    r.ts_recent_at = now_;
}

/// Whether a plausible segment is also evidence: its numbers interlock with what this endpoint alone can
/// know. Anybody may guess a plausible one, and it is forwarded; but it moves nothing here.
bool Sessions::credible(std::uint32_t slot, const wire::Frame& f) const {
    const auto& leg = legs_[slot];
    const auto& t = leg.tcb.hard;
    const auto& r = s_.lane.records[slot];
    if (t.timestamps) {
        // It echoes a TSval that was sent since the session opened.
        const auto newest = context_.ts_now + t.leg.ts_offset;
        const auto guard = t.leg.ts_offset - r.leg[index(s_.side)].ts_offset;
        const auto open_ms = std::max<std::int64_t>((shared_now() - r.opened_at).to_ms(), 0);
        constexpr std::int64_t slack_ms = 1000;
        if (newest - f.tcp.options.ts_echo > open_ms + guard + slack_ms) return false;
        if (!leg.heard->any) return true;
    }
    // Hints may lag behind by what one Progress record covers.
    const std::int64_t lag = leg.heard->any ? 0 : std::int64_t{64} << 20;
    const auto reach = [&](std::uint8_t scale) { return (std::int64_t{65536} << scale) + lag; };
    const auto ahead = distance(known_seq(leg), to_position(t.leg.irs, f.tcp.seq, known_seq(leg)));
    const auto acked = distance(known_ack(leg), to_position(t.leg.iss, f.tcp.ack, known_ack(leg)));
    return ahead <= reach(t.receive_scale) && ahead >= -reach(t.receive_scale) &&
           acked <= reach(t.send_scale);
}

/// Notes what the endpoint said of itself since the takeover.
void Sessions::hear(std::uint32_t slot, const wire::Frame& f) {
    auto& leg = legs_[slot];
    auto& h = *leg.heard;
    const auto& l = leg.tcb.hard.leg;
    const auto begin = to_position(l.irs, f.tcp.seq, known_seq(leg));
    const auto end = begin + f.payload_len + (f.tcp.has(flag::fin) ? 1 : 0);
    const auto ack = to_position(l.iss, f.tcp.ack, known_ack(leg));
    if (!h.any) h.seq_edge = h.ack = h.edge = h.sacked = 0;
    h.any = true;
    h.probes = 0;
    h.reset_seen = false;  // a RST before was not the endpoint's
    h.last_segment = now_;
    leg.established = true;
    h.seq_edge = std::max(h.seq_edge, end);
    // What was granted with an older ACK is as old.
    const auto edge = ack + (static_cast<Position>(f.tcp.window) << leg.tcb.hard.send_scale);
    if (ack > h.ack || (ack == h.ack && edge > h.edge)) h.edge = edge;
    h.ack = std::max(h.ack, ack);
    for (std::size_t i = 0; i < f.tcp.options.sack_count; ++i) {
        const auto sacked = to_position(l.iss, f.tcp.options.sack[i].end, h.ack);
        if (near_enough(sacked, h.ack)) h.sacked = std::max(h.sacked, sacked);
    }
    // A guess below what was heard may not move the true one.
    if (f.tcp.has(flag::fin) && end == h.seq_edge) {
        h.fin = true;
        h.fin_position = end - 1;
    }
    if (leg.tcb.hard.timestamps) hear_time(leg, f.tcp.options.ts_value);
    auto& own = cell(slot);
    own.edge.store(h.edge, std::memory_order_release);
    own.received.store(h.seq_edge, std::memory_order_release);
    own.acknowledged.store(h.ack, std::memory_order_release);
    own.fin.store(h.closed() || leg.fin_received ? 1 : 0, std::memory_order_relaxed);
    own.heard.store(heard_mark(has_gaps(h) ? heard_with_gaps : heard_whole), std::memory_order_release);
    s_.lane.dirty[index(s_.side)].mark(slot);
    send_held(slot);
}

void Sessions::in_translated(std::uint32_t slot, const wire::Frame& f, Packet packet) {
    auto& leg = legs_[slot];
    const auto& l = leg.tcb.hard.leg;
    const bool is_syn = f.tcp.has(flag::syn) && !f.tcp.has(flag::ack);
    if (is_syn) {
        if (is_client() && f.tcp.seq == l.irs && !leg.heard->any && !leg.established)
            return repeat_syn_ack(slot);
        // Whoever owns the tuple answers the probe; a restarted client answers it by RST and may then come
        // in. It is asked twice a second at most, and need not answer: anybody may send such a SYN.
        auto& asked_at = leg.tcb.soft.last_oow_ack;
        if (now_ - asked_at < 500_ms) return;
        asked_at = now_;
        const auto probes = leg.heard->probes;
        send_takeover_probe(slot);
        leg.heard->probes = std::max<std::uint8_t>(probes, 1);
        return;
    }
    if (f.tcp.has(flag::syn)) {
        // The server's SYN-ACK again: its other core knows whether the client still waits for ours.
        if (f.tcp.seq != l.irs) return s_.counters.add(Counter::wrong_phase);
    } else if (!plausible(leg, f)) {
        s_.counters.add(Counter::translate_implausible);
        return;
    } else if (f.tcp.has(flag::rst)) {
        // Gone for sure only if it answers our probe: then its number is the one that our probe acknowledged.
        const auto probed = to_seq(l.irs, leg.hints->ack - 1);
        if (leg.heard->probes > 0 && f.tcp.seq == probed) {
            s_.counters.add(Counter::sessions_reset);
            return reset_by_endpoint(slot);
        }
        // Otherwise the far end judges it by RFC 5961, and we ask this one whether it still knows the
        // session.
        leg.heard->reset_seen = true;
        leg.takeover_probe_at = earlier(leg.takeover_probe_at, now_ + 500_ms);
    } else if (!credible(slot, f)) {
        s_.counters.add(Counter::translate_not_credible);
        if (leg.gates == 0) return;
    } else {
        hear(slot, f);
        note_progress(slot);
        if (f.payload_len > 0) note_payload(slot);
        // Should this have been the last word, the client core anchors the session when it has been calm for
        // a moment.
        if (is_client()) leg.takeover_probe_at = earlier(leg.takeover_probe_at, now_ + calm);
        if (leg.gates == 0) return settle_unproven(slot);
    }
    auto& ring = s_.lane.to[index(other(s_.side))];
    if (ring.free_count() == 0) {
        s_.counters.add(Counter::translate_refused);
        return;
    }
    ring.push({MessageKind::translate, 0, 0, id_of(slot), 0, packet.release(), 0, 0});
}

/// A frame of the other leg's endpoint: the same segment, with this leg's numbers.
void Sessions::forward_translated(std::uint32_t slot, Packet packet) {
    auto& leg = legs_[slot];
    if (leg.phase == Phase::installed) take_over(slot);
    if (leg.phase != Phase::translated) {
        s_.counters.add(Counter::translated_after_anchor);
        return;
    }
    wire::Frame f;
    wire::parse_frame(packet.get(), true, f);
    if (f.kind != wire::FrameKind::tcp) return;
    if (f.tcp.has(flag::syn)) {
        if (!leg.heard->any) repeat_syn_ack(slot);
        else s_.counters.add(Counter::wrong_phase);
        return;
    }
    const auto& l = leg.tcb.hard.leg;
    const auto& far = record(slot).leg[index(other(s_.side))];
    const auto& c = context_;
    if (is_client() && prefix_size(record(slot)) > 0) f = without_prefix(record(slot), known_seq(leg), f);
    // The first word of the client's since the takeover takes the header along that goes before it.
    if (leg.prefix_pending && leg.prefix_at.is_never() && client_was_heard(slot)) send_prefix(slot);
    wire::TcpHeader h;
    h.source_port = l.local.port;
    h.destination_port = l.remote.port;
    h.seq = {f.tcp.seq.value - far.irs.value + l.iss.value};
    h.ack = f.tcp.has(flag::ack) ? SeqNum{f.tcp.ack.value - far.iss.value + l.irs.value} : SeqNum{0};
    // Urgent data is data like all other here, as in terminated mode.
    h.flags = static_cast<std::uint8_t>(f.tcp.flags & ~flag::urg);
    // Marks and their reports are the ends' own business while we hold nothing, where both agreed to them.
    const bool marks = record(slot).ecn[0] && record(slot).ecn[1];
    const auto ecn = marks ? f.ecn() : wire::Ecn::not_ect;
    if (!marks) h.flags = static_cast<std::uint8_t>(h.flags & ~(flag::ece | flag::cwr));
    const auto bytes = static_cast<std::uint64_t>(f.tcp.window)
                       << (is_client() ? record(slot).scale_server : record(slot).scale_client);
    h.window =
        static_cast<std::uint16_t>(std::min<std::uint64_t>(bytes >> leg.tcb.hard.receive_scale, 0xffff));
    if (leg.tcb.hard.timestamps) {
        h.options.has_timestamps = true;
        h.options.ts_value = c.ts_now + l.ts_offset;
        // Nothing rather than an old one, which would undo the endpoint's recoveries.
        const bool echoes = leg.tcb.soft.rcv.ts_recent_valid && leg.heard->time_refused.is_never();
        h.options.ts_echo = echoes ? leg.tcb.soft.rcv.ts_recent : 0;
    }
    const auto room = static_cast<std::size_t>(leg.tcb.hard.timestamps ? 3 : 4);
    for (std::size_t i = 0; i < f.tcp.options.sack_count && i < room; ++i)
        h.options.sack[h.options.sack_count++] = {
            {f.tcp.options.sack[i].begin.value - far.iss.value + l.irs.value},
            {f.tcp.options.sack[i].end.value - far.iss.value + l.irs.value}};
    s_.counters.add(Counter::translated);
    // What we may have announced to this endpoint: its window never shrinks when we terminate again.
    auto& rcv = leg.tcb.soft.rcv;
    if (f.tcp.has(flag::ack)) {
        const auto ack = to_position(l.irs, h.ack, known_seq(leg));
        rcv.edge_sent =
            std::max(rcv.edge_sent, ack + (static_cast<Position>(h.window) << leg.tcb.hard.receive_scale));
    }
    if (f.payload_len == 0) {
        tcp::emit_control(leg.tcb, h, c, ecn);
        return;
    }
    note_payload(slot);
    const auto begin = to_position(l.iss, h.seq, known_ack(leg));
    auto* m = packet.get();
    tcp::describe_payload(m, f, begin);
    mirror_payload(slot, begin, {payload(m), f.payload_len});
    auto& heard = *leg.heard;
    if (meta(m).end() >= heard.tail_end) {
        heard.tail_end = meta(m).end();
        heard.tail_byte = payload(m)[f.payload_len - 1];
    }
    // An MSS leaves no room for options (RFC 6691).
    const auto blocks = h.options.sack_count;
    const auto mss = std::max(tcp::effective_mss(leg.tcb) - (blocks > 0 ? 4u + 8u * blocks : 0u), 32u);
    if (f.payload_len <= mss && meta(m).payload_offset >= wire::headers_max && rte_mbuf_refcnt_read(m) == 1) {
        tcp::emit_in_place(leg.tcb, h, packet.release(), c, ecn);
        return;
    }
    // Segments are cut anew where the legs' sizes differ; FIN and PSH belong to the last piece, CWR to the
    // first.
    const auto flags = h.flags;
    for (std::uint32_t at = 0; at < f.payload_len; at += mss) {
        const auto size = std::min<std::uint32_t>(mss, f.payload_len - at);
        auto piece = h;
        piece.seq = h.seq + at;
        if (at + size < f.payload_len)
            piece.flags = static_cast<std::uint8_t>(flags & ~(flag::fin | flag::psh));
        if (at > 0) piece.flags = static_cast<std::uint8_t>(piece.flags & ~flag::cwr);
        tcp::emit_copy(leg.tcb, piece, payload(m) + at, static_cast<std::uint16_t>(size), c, ecn);
    }
}

/// Both ends heard, everything that either was heard to send has been acknowledged by the other, and neither
/// holds more than that above a gap: its next ACK would cover bytes that no one here has seen.
bool Sessions::quiescent(std::uint32_t slot) const {
    const auto& leg = legs_[slot];
    const auto& theirs = s_.lane.cells[index(other(s_.side))][slot];
    if (!leg.heard->any || has_gaps(*leg.heard)) return false;
    if (theirs.heard.load(std::memory_order_acquire) != heard_mark(heard_whole)) return false;
    return leg.heard->seq_edge == theirs.acknowledged.load(std::memory_order_acquire) &&
           leg.heard->ack == theirs.received.load(std::memory_order_acquire);
}

/// Client core: takes the session back to terminated when nothing is outstanding. The server core follows the
/// message; what its endpoint has sent meanwhile is as if never seen and will be sent again.
void Sessions::try_anchor(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::translated || leg.heard->reset_seen || !quiescent(slot)) return;
    if (now_ - leg.heard->last_segment < calm) {
        leg.takeover_probe_at = earlier(leg.takeover_probe_at, leg.heard->last_segment + calm);
        arm(slot);
        return;
    }
    const auto up = leg.heard->seq_edge, down = leg.heard->ack;
    const bool client_fin = leg.heard->closed() || leg.fin_received;
    const bool server_fin = other_cell(slot).fin.load(std::memory_order_relaxed) != 0 || leg.hints->fin_sent;
    Message m{MessageKind::anchor,
              static_cast<std::uint8_t>((client_fin ? 1 : 0) | (server_fin ? 2 : 0)),
              0,
              id_of(slot),
              0,
              nullptr,
              up,
              down};
    if (!send_message(m)) return;
    anchor_leg(slot, up, down, client_fin, server_fin);
}

void Sessions::anchor_leg(std::uint32_t slot, Position from_endpoint, Position to_endpoint, bool endpoint_fin,
                          bool our_fin) {
    auto& leg = legs_[slot];
    if (leg.phase != Phase::translated) return;
    auto& t = leg.tcb;
    auto& snd = t.soft.snd;
    auto& rcv = t.soft.rcv;
    tcp::start_receiving(t, from_endpoint);
    // The old active may have offered all that the far end granted, more than the session's budget is now.
    rcv.edge_limit =
        std::max({rcv.edge_sent, from_endpoint, other_cell(slot).edge.load(std::memory_order_acquire)});
    rcv.fin_known = rcv.fin_taken = endpoint_fin;
    rcv.fin = from_endpoint - 1;
    tcp::start_sending(t, to_endpoint);
    // The window begins anew, which ends what the far end may still have to say of marks under the old one.
    snd.cwr_owed = t.hard.ecn;
    snd.edge = std::max(leg.heard->edge, to_endpoint);
    snd.wl1 = from_endpoint;
    snd.wl2 = to_endpoint;
    snd.window_max = static_cast<std::uint32_t>(snd.edge - to_endpoint);
    // The old active may have sent more, up to the window's edge. With SACK the endpoint would have told that
    // it holds some of it above a gap. Without nothing tells, and its ACK covers that as soon as the gap is
    // filled (seed 7801).
    snd.valid_ack_max = t.hard.sack ? to_endpoint : snd.edge;
    snd.fin_queued = snd.fin_sent = snd.fin_acknowledged = our_fin;
    snd.fin = to_endpoint - 1;
    if (leg.heard->tail_end == to_endpoint) {
        snd.last_byte = leg.heard->tail_byte;
        snd.has_last_byte = true;
    } else if (leg.hints->una == to_endpoint && leg.hints->has_last_byte) {
        snd.last_byte = leg.hints->last_byte;
        snd.has_last_byte = true;
    }
    t.soft.state = endpoint_fin ? (our_fin ? tcp::State::time_wait : tcp::State::close_wait)
                                : (our_fin ? tcp::State::fin_wait_2 : tcp::State::established);
    t.soft.rtt.rto = 200_ms;
    leg.far_changed = true;
    leg.phase = Phase::terminated;
    forget_held(slot);
    begin_stored(slot, to_endpoint);
    leg.takeover_probe_at = Instant::never();
    // The old active may have died between the ends' last words and the record of them: ask soon whether they
    // live.
    leg.idle_at = now_ + std::min(s_.config.tcp.idle_probe, ask_again_after_takeover);
    set_view(slot, View::terminated);
    if (is_client()) s_.counters.add(Counter::sessions_anchored);
    note_progress(slot);
    touch(slot);
}

/// The old active may have sent more than was heard of, which its endpoint holds above a gap and did not
/// report: its ACK then passes by what this node has sent. A timeout is what tells.
void Sessions::expect_late_ack(Leg& leg) const {
    auto& s = leg.tcb.soft.snd;
    if (leg.heard != nullptr && s.backoff > 0) s.valid_ack_max = std::max(s.valid_ack_max, s.edge);
}

/// Gate none: bytes that the old active acknowledged by itself may be lost. Only a session whose ends agree
/// goes on.
void Sessions::settle_unproven(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (leg.heard->prove_until.is_never()) leg.heard->prove_until = now_ + 2_s;
    leg.takeover_probe_at = earlier(leg.takeover_probe_at, leg.heard->prove_until);
    if (is_client()) try_anchor(slot);
}

}  // namespace holdfast::proxy
