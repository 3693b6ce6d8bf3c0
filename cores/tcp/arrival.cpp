#include "cores/tcp/arrival.hpp"

#include <algorithm>
#include <cstring>

#include "cores/tcp/emit.hpp"
#include "cores/tcp/recovery.hpp"

namespace holdfast::tcp {
namespace {

using namespace literals;
namespace flag = wire::flag;

/// A segment in positions of its direction.
struct Segment {
    Position begin, end;  ///< payload [begin, end)
    Position ack;
    bool fin;
    const wire::TcpHeader& header;
};

enum class Step : std::uint8_t { go_on, drop, drop_and_ack, reset, challenge };

bool timestamp_is_old(const ReceiveSide& r, const wire::TcpOptions& o, Instant now) {
    //= rfc7323#5.5
    //  A stored timestamp is no evidence after 24 days of silence.
    constexpr Duration outdated = seconds(24 * 24 * 3600);
    return r.ts_recent_valid && static_cast<std::int32_t>(o.ts_value - r.ts_recent) < 0 &&
           now - r.ts_recent_at < outdated;
}

/// First: timestamps (RFC 7323 section 5.3 R1), then the sequence number.
Step check_sequence(Tcb& t, const Segment& s, const Context& c) {
    auto& r = t.soft.rcv;
    const bool rst = s.header.has(flag::rst);
    if (t.hard.timestamps && !rst) {
        if (!s.header.options.has_timestamps) {
            //= rfc7323#3.2
            //  A segment without the negotiated option is dropped silently.
            c.counters.add(Counter::paws_dropped);
            return Step::drop;
        }
        //= rfc7323#5.3
        //  R1: an older timestamp is answered and dropped, but for a RST.
        if (timestamp_is_old(r, s.header.options, c.now)) {
            c.counters.add(Counter::paws_dropped);
            return Step::drop_and_ack;
        }
    }
    const auto left = r.next;
    //= rfc7323#2.4
    //  The edge that was given counts, not what a later, rounded window says.
    const auto right = std::max(r.edge_sent, left);
    const auto length = distance(s.begin, s.end) + (s.fin ? 1 : 0);
    //= rfc9293#3.10.7.4
    //  The four cases of an acceptable segment; a probe of length 0 at the very edge is one.
    const bool acceptable = length == 0
                                ? distance(left, s.begin) >= 0 && distance(s.begin, right) >= 0
                                : distance(left, s.end + (s.fin ? 1 : 0)) > 0 && distance(s.begin, right) > 0;
    if (acceptable) return Step::go_on;
    //= rfc9293#3.4
    //  A closed window keeps no RST out.
    // A RST may carry any number that the endpoint can take for our RCV.NXT: see check_reset.
    // A SYN is challenged whatever its number (RFC 5961 section 4).
    if (rst || s.header.has(flag::syn)) return Step::go_on;
    const bool old = distance(s.begin, left) > 0 || (length > 0 && distance(s.end, left) >= 0);
    c.counters.add(old ? Counter::old_duplicates : Counter::out_of_window);
    return Step::drop_and_ack;
}

//= rfc5961#3
//  Exactly the next expected number resets; anything else inside the window is challenged. While bytes are
//  withheld the endpoint knows two numbers of ours: what we have received and what we have acknowledged. Its
//  RST carries the first if it speaks unasked, and the second in answer to a challenge ACK. Both count as
//  exact.
Step check_reset(const Tcb& t, const Segment& s, const Context& c) {
    if (!s.header.has(flag::rst)) return Step::go_on;
    const auto& l = t.soft.rcv.ledger;
    //= rfc9293#3.5.3
    //  Whatever data comes with it.
    if (s.begin == t.soft.rcv.next || s.begin == l.acknowledged()) return Step::reset;
    const bool inside =
        distance(l.acknowledged(), s.begin) >= 0 && distance(s.begin, t.soft.rcv.edge_sent) > 0;
    c.counters.add(inside ? Counter::rst_challenged : Counter::rst_ignored);
    return inside ? Step::challenge : Step::drop;
}

Step check_syn(const Segment& s, const Context& c) {
    if (!s.header.has(flag::syn)) return Step::go_on;
    //= rfc5961#4
    c.counters.add(Counter::syn_challenged);
    return Step::challenge;
}

//= rfc5961#5
//  An ACK is acceptable from one largest window below SND.UNA up to SND.NXT.
Step check_ack(const Tcb& t, const Segment& s, const Context& c) {
    if (!s.header.has(flag::ack)) return Step::drop;
    const auto& snd = t.soft.snd;
    const auto highest = std::max(snd.nxt, snd.valid_ack_max);
    if (distance(highest, s.ack) > 0) {
        c.counters.add(Counter::ack_of_unsent);
        return Step::challenge;
    }
    // Nor is there anything to acknowledge below the first byte, however large the window: while little was
    // sent, guesses are held to that.
    if (distance(s.ack, snd.una) > std::max<std::int64_t>(snd.window_max, 65535) || distance(1, s.ack) < 0) {
        c.counters.add(Counter::ack_too_old);
        return Step::challenge;
    }
    return Step::go_on;
}

//= rfc7323#4.3
//  TS.Recent follows segments that begin at or before the last ACK sent.
void take_timestamp(Tcb& t, const Segment& s, const Context& c) {
    auto& r = t.soft.rcv;
    if (!t.hard.timestamps || !s.header.options.has_timestamps) return;
    if (distance(s.begin, r.ledger.acknowledged()) < 0) return;
    r.ts_recent = s.header.options.ts_value;
    r.ts_recent_valid = true;
    r.ts_recent_at = c.now;
}

void remember_duplicate(ReceiveSide& r, Position begin, Position end) {
    if (r.duplicate_count == r.duplicates.size() || begin >= end) return;
    r.duplicates[r.duplicate_count++] = {begin, end};
}

/// Answers a segment that lies outside the window. What repeats withheld bytes gets no ACK now: none could
/// say more than the last one; the duplicate is reported when the ACK passes it.
void answer_unacceptable(Tcb& t, const Segment& s, const Context& c) {
    auto& r = t.soft.rcv;
    const auto& l = r.ledger;
    const auto length = distance(s.begin, s.end);
    if (length > 0) {
        remember_duplicate(r, s.begin, std::min(s.end, r.next));
        if (distance(l.acknowledged(), s.end) > 0 && distance(s.end, r.next) >= 0) return;
        r.ack_now = true;
        return;
    }
    // A FIN again, whose ACK is withheld like that of a byte.
    if (s.fin && distance(l.acknowledged(), s.end) >= 0) return;
    // Pure ACKs outside the window: at most two a second, or two confused stacks answer each other for ever.
    if (!s.fin && c.now - t.soft.last_oow_ack < 500_ms && s.begin != l.acknowledged() - 1) return;
    t.soft.last_oow_ack = c.now;
    r.ack_now = true;
}

/// Its text begins where our closed window ends.
bool meets_closed_window(const Tcb& t, const Segment& s) {
    const auto& r = t.soft.rcv;
    return s.end != s.begin && s.begin == r.next && distance(r.edge_sent, r.next) >= 0;
}

/// The marks of data inside the window, and the answer to our own reports of them.
//= rfc3168#6.1.5
//  What is outside the window may be anybody's: its mark counts for nothing.
void take_congestion_marks(Tcb& t, const wire::Frame& frame, const Context& c) {
    if (!t.hard.ecn) return;
    auto& seen = t.soft.rcv.congestion_seen;
    //= rfc3168#6.1.3
    //  CWR ends the report, and a mark of the same segment begins it again.
    if (frame.tcp.has(flag::cwr)) seen = false;
    if (frame.payload_len == 0 || frame.ecn() != wire::Ecn::ce) return;
    seen = true;
    c.counters.add(Counter::ecn_marks);
}

/// A keepalive or window probe: at most one byte, below what was acknowledged (Linux), or the first byte
/// beyond a closed window (RFC 9293 section 3.8.6.1).
bool is_probe(const Tcb& t, const Segment& s) {
    const auto& r = t.soft.rcv;
    if (s.end - s.begin > 1 || s.fin) return false;
    return s.begin == r.ledger.acknowledged() - 1 || meets_closed_window(t, s);
}

/// SACK tells what waits here as it comes, not what the far end has of it.
bool may_report_at_once(const Tcb& t) { return t.hard.sack && !t.soft.rcv.sack_from_far; }

/// Where no more may be held: what comes in order is taken all the same if it frees what waits above it, or
/// else in the place of something that waits there. Only what was never reported by SACK may give way.
bool makes_room(Tcb& t, const Segment& s, std::uint32_t mbufs_max) {
    auto& queue = t.soft.rcv.queue;
    const auto* waiting = queue.first_waiting();
    if (s.begin != t.soft.rcv.next || waiting == nullptr) return false;
    if (meta(waiting).begin <= s.end || queue.drop_unreported()) return true;
    // All that waits is with the far end, or known to the endpoint: it can not go, and the hole below it has
    // to be filled; where the budget is used, by one segment after the other.
    const auto& r = t.soft.rcv;
    return mbufs_max > 0 || (!may_report_at_once(t) && r.ledger.releasable() == r.next);
}

/// Eighth step part one: the payload, trimmed to the window.
void take_text(Tcb& t, Segment s, const wire::Frame& frame, Packet&& packet, std::uint32_t mbufs_max,
               const Context& c) {
    auto& r = t.soft.rcv;
    const auto left = r.next;
    const auto right = std::max(r.edge_sent, left);
    if (distance(right, s.end) > 0) {
        c.counters.add(Counter::beyond_window);
        s.end = right;
        s.fin = false;
    }
    if (distance(s.begin, left) > 0) {
        remember_duplicate(r, s.begin, left);
        s.begin = left;
    }
    if (r.fin_known && distance(r.fin, s.end) > 0) {
        // Nothing comes behind a FIN (RFC 9293 section 3.10.7.4, seventh step): it is acknowledged and
        // dropped.
        if (r.fin_taken || s.begin != left) {
            c.counters.add(Counter::beyond_window);
            r.ack_now = true;
            return;
        }
        // One that waits above a hole, and is passed by what comes in order, was somebody's guess.
        r.fin_known = false;
    }
    if (s.fin && !r.fin_known) {
        r.fin_known = true;
        r.fin = s.end;
    }
    if (s.begin >= s.end) return;
    //= rfc9293#3.10.7.4
    //  What lies above a hole is kept for when it is filled.
    //= rfc2018#8
    //  What was reported by SACK never gives way to anything.
    if (r.queue.mbufs() >= mbufs_max && !makes_room(t, s, mbufs_max)) {
        c.counters.add(Counter::reassembly_full);
        return;
    }
    const auto skipped =
        static_cast<std::uint16_t>(s.begin - to_position(t.hard.leg.irs, s.header.seq, left));
    auto* m = packet.get();
    describe_payload(m, frame, s.begin - skipped);
    auto& d = meta(m);
    if (skipped > 0 || d.end() != s.end) d.sum_known = false;
    d.begin = s.begin;
    d.payload_offset = static_cast<std::uint16_t>(d.payload_offset + skipped);
    d.payload_len = static_cast<std::uint16_t>(s.end - s.begin);
    const bool above_hole = s.begin != left;
    const auto newest = s.begin;
    switch (r.queue.insert(std::move(packet), left, may_report_at_once(t))) {
        case Reassembly::Insertion::duplicate:
            c.counters.add(Counter::old_duplicates);
            remember_duplicate(r, s.begin, s.end);
            break;
        case Reassembly::Insertion::coalesced: c.counters.add(Counter::small_coalesced); break;
        case Reassembly::Insertion::stored: break;
    }
    if (!above_hole) {
        // It may have been cut, and joined what waited above it.
        r.next = r.queue.in_order_end();
        return;
    }
    c.counters.add(Counter::out_of_order);
    r.newest_out_of_order = newest;
    r.repaired_at = std::max(r.repaired_at, s.end);
    r.out_of_order = true;
}

}  // namespace

void describe_payload(rte_mbuf* m, const wire::Frame& frame, Position begin) {
    auto& d = meta(m);
    d = PacketMeta{};
    d.begin = begin;
    d.payload_offset = static_cast<std::uint16_t>(m->data_off + frame.payload_offset);
    d.payload_len = frame.payload_len;
    d.payload_sum = frame.payload_sum;
    d.sum_known = frame.sum_known;
    d.push = frame.tcp.has(flag::psh);
}

Packet copy_of(const rte_mbuf* m, PacketPool& pool) {
    auto packet = pool.allocate();
    if (!packet) return packet;
    auto* copy = packet.get();
    const auto& from = meta(m);
    auto& d = meta(copy);
    d = PacketMeta{};
    d.begin = from.begin;
    d.payload_offset = copy->data_off;
    d.payload_len = from.payload_len;
    d.push = from.push;
    std::memcpy(payload(copy), payload(m), from.payload_len);
    return packet;
}

Packet take_in_order(Tcb& t, const Context& c) {
    auto& r = t.soft.rcv;
    auto packet = r.queue.pop();
    c.counters.add(Counter::bytes_received, meta(packet.get()).payload_len);
    const auto& d = meta(packet.get());
    if (d.reported) r.ledger.note_sacked({d.begin, d.end()});
    // An ACK must not end where something begins that was reported.
    if (const auto* next = r.queue.front_at(d.end()); next != nullptr && meta(next).reported)
        r.ledger.note_sacked({meta(next).begin, meta(next).end()});
    r.ledger.receive_until(d.end());
    return packet;
}

void take_fin(Tcb& t) {
    auto& r = t.soft.rcv;
    r.fin_taken = true;
    r.next = r.fin + 1;
    r.ledger.receive_until(r.fin + 1);
    t.soft.state = next_state(t.soft.state, StateEvent::fin_received);
}

Arrival segment_arrives(Tcb& t, const wire::Frame& frame, Packet&& packet, std::uint32_t mbufs_max,
                        const Context& c) {
    auto& soft = t.soft;
    const auto begin = to_position(t.hard.leg.irs, frame.tcp.seq, soft.rcv.next);
    const Segment s{begin, begin + frame.payload_len,
                    to_position(t.hard.leg.iss, frame.tcp.ack, soft.snd.una), frame.tcp.has(flag::fin),
                    frame.tcp};
    Arrival result;
    c.counters.add(Counter::segments_received);
    soft.last_heard = c.now;
    if (frame.payload_len > 0 && soft.rcv.unanswered < UINT8_MAX) ++soft.rcv.unanswered;

    // The steps of RFC 9293 section 3.10.7.4 in their order.
    auto step = check_sequence(t, s, c);
    if (step == Step::go_on) step = check_reset(t, s, c);
    if (step == Step::go_on) step = check_syn(s, c);
    if (step == Step::go_on) step = check_ack(t, s, c);
    switch (step) {
        case Step::reset:
            c.counters.add(Counter::rst_accepted);
            result.reset = true;
            return result;
        case Step::challenge: emit_challenge_ack(t, c); return result;
        case Step::drop: return result;
        case Step::drop_and_ack:
            //= rfc1122#4.2.3.6
            //  The endpoint's keepalive is answered.
            if (is_probe(t, s)) {
                c.counters.add(Counter::keepalives_answered);
                result.probe = true;
            }
            answer_unacceptable(t, s, c);
            //= rfc9293#3.10.7.4
            //  A closed window takes no text, but a valid ACK.
            if (meets_closed_window(t, s) && check_ack(t, s, c) == Step::go_on) {
                result.ack = take_ack(t, s.ack, s.header, c);
                recover(t, result.ack, s.header, c);
            }
            return result;
        case Step::go_on: break;
    }
    take_timestamp(t, s, c);
    take_congestion_marks(t, frame, c);
    if (soft.state == State::syn_received && s.ack >= 1) {
        soft.state = next_state(soft.state, StateEvent::syn_acknowledged);
        result.established = true;
    }
    result.ack = take_ack(t, s.ack, s.header, c);
    //= rfc5681#3.2
    //  What comes with data is no duplicate: its sender had something else to say.
    if (s.begin != s.end || s.fin) result.ack.duplicate = result.ack.probe_answered = false;
    if (result.ack.advanced || result.ack.duplicate || result.ack.bytes_sacked > 0 || result.ack.dsack ||
        result.ack.probe_answered || result.ack.congestion_echo)
        recover(t, result.ack, s.header, c);
    if (s.begin != s.end || s.fin) take_text(t, s, frame, std::move(packet), mbufs_max, c);
    return result;
}

}  // namespace holdfast::tcp
