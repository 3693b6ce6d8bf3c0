// The PROXY header in front of a client's bytes. The server's stream has it and the client's has not; so that
// positions stay equal on both legs it lies below them:
//
//     position   -n    1-n .. 0      1 ..
//     what       SYN   the header    the client's bytes
//
// The record holds the ISS that belongs to position 0. Until the server leg is established its TCB has the
// one that stood in our SYN, n less. What the header says follows from the record, so the node that takes
// over sends the same bytes (R3), until the server has acknowledged them. Nobody else hears of them: what the
// server says below position 1 is lifted to it before anything looks at it.
#include <algorithm>
#include <array>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;
namespace flag = wire::flag;

namespace {

using Header = std::array<std::uint8_t, wire::proxy_header_max>;

/// Positions that lie below the client's first byte are "negative".
bool is_below_stream(Position p) { return distance(1, p) < 0; }

}  // namespace

std::size_t Sessions::write_prefix(const SessionRecord& r,
                                   std::span<std::uint8_t, wire::proxy_header_max> out) const {
    // What the mirror told may be of another configuration.
    if (r.service >= s_.config.services.size()) return 0;
    const auto& client = r.leg[index(Side::client)];
    return wire::write_proxy_header(s_.config.services[r.service].proxy_protocol, client.remote, client.local,
                                    out);
}

std::uint8_t Sessions::prefix_size(const SessionRecord& r) const {
    Header bytes;
    return static_cast<std::uint8_t>(write_prefix(r, bytes));
}

/// The client was heard since the takeover: what it acknowledged then may be said to the server.
bool Sessions::client_was_heard(std::uint32_t slot) {
    const auto heard = other_cell(slot).heard.load(std::memory_order_acquire);
    return heard == heard_mark(heard_whole) || heard == heard_mark(heard_with_gaps);
}

/// SEQ, ACK and window of the header's first segment.
wire::TcpHeader Sessions::make_prefix_segment(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto& t = leg.tcb;
    auto h = tcp::make_header(t, context_, Position{1} - leg.prefix_size, flag::ack | flag::psh);
    if (leg.phase == Phase::terminated) {
        h.window = tcp::take_window(t, t.soft.rcv.ledger.ack_number());
        return h;
    }
    if (!t.soft.rcv.ts_recent_valid) h.options.ts_echo = 0;
    const auto& client = other_cell(slot);
    const auto edge = client.edge.load(std::memory_order_acquire);
    const auto ack = client.acknowledged.load(std::memory_order_acquire);
    const bool heard = client_was_heard(slot) && ack > 0;
    // Nobody heard yet: it is the takeover's probe, whose ACK is one below the hint.
    h.ack = tcp::receive_seq(t, heard ? ack : leg.hints->ack - 1);
    if (heard && edge > ack)
        h.window =
            static_cast<std::uint16_t>(std::min<Position>((edge - ack) >> t.hard.receive_scale, 0xffff));
    return h;
}

void Sessions::send_prefix(std::uint32_t slot) {
    auto& leg = legs_[slot];
    Header bytes;
    const auto size = write_prefix(record(slot), bytes);
    auto h = make_prefix_segment(slot);
    const auto mss = tcp::effective_mss(leg.tcb);
    bool sent = true;
    for (std::size_t at = 0; at < size && sent; at += mss) {
        const auto piece = static_cast<std::uint16_t>(std::min<std::size_t>(mss, size - at));
        sent = tcp::emit_copy(leg.tcb, h, bytes.data() + at, piece, context_);
        h.seq = h.seq + piece;
    }
    auto wait = leg.tcb.soft.rtt.rto;
    for (unsigned i = 0; i < leg.prefix_tries && wait < s_.config.tcp.rto_max; ++i) wait = wait * 2;
    leg.prefix_at = now_ + (sent ? std::min(wait, s_.config.tcp.rto_max) : 1_ms);
    if (!sent || leg.phase != Phase::terminated) return;
    // It has carried the ACK that is owed.
    auto& rcv = leg.tcb.soft.rcv;
    rcv.ledger.note_ack_sent();
    rcv.ack_now = false;
}

/// The server leg is established: the numbers of its TCB become the record's, and the header leaves first.
void Sessions::begin_prefix(std::uint32_t slot) {
    legs_[slot].tcb.hard.leg.iss = record(slot).leg[index(Side::server)].iss;
    send_prefix(slot);
}

void Sessions::run_prefix(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!leg.prefix_pending || !is_served(leg) || now_ < leg.prefix_at) return;
    leg.prefix_at = Instant::never();
    // What the client says next takes it along, or the probe to the server does.
    if (leg.phase == Phase::translated && !client_was_heard(slot)) return;
    if (leg.prefix_tries >= s_.config.tcp.data_retries) {
        s_.counters.add(Counter::sessions_timed_out);
        return reset_both(slot);
    }
    ++leg.prefix_tries;
    s_.counters.add(Counter::prefix_repeated);
    send_prefix(slot);
}

/// A segment of a server that got a header, as if there had been none: an ACK below the client's first byte
/// becomes one of it, with the window's edge where it was, and SACK blocks below are left out. `near` is a
/// position of the client's bytes that the server may be at.
wire::Frame Sessions::without_prefix(const SessionRecord& r, Position near, const wire::Frame& frame) const {
    auto f = frame;
    const auto iss = r.leg[index(Side::server)].iss;
    near = std::max<Position>(near, 1);
    const auto ack = to_position(iss, f.tcp.ack, near);
    if (f.tcp.has(flag::ack) && is_below_stream(ack) && distance(ack, 1) <= prefix_size(r)) {
        const auto missing = static_cast<std::uint64_t>(distance(ack, 1));
        const auto unit = std::uint64_t{1} << r.scale_server;
        const auto units = (missing + unit - 1) / unit;
        f.tcp.ack = to_seq(iss, 1);
        f.tcp.window = static_cast<std::uint16_t>(f.tcp.window > units ? f.tcp.window - units : 0);
    }
    auto& o = f.tcp.options;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < o.sack_count; ++i)
        if (!is_below_stream(to_position(iss, o.sack[i].begin, near))) o.sack[kept++] = o.sack[i];
    o.sack_count = static_cast<std::uint8_t>(kept);
    return f;
}

/// Server core: what every segment of a server goes through that got a header. When it acknowledges position
/// 1, and no more than was sent, it has all of the header.
wire::Frame Sessions::take_prefix_ack(std::uint32_t slot, const wire::Frame& frame) {
    auto& leg = legs_[slot];
    const auto& snd = leg.tcb.soft.snd;
    const bool translated = leg.phase == Phase::translated;
    const auto near = translated ? std::max(leg.heard->ack, leg.hints->una) : snd.una;
    const bool says_ack = frame.tcp.has(flag::ack) && !frame.tcp.has(flag::rst) && !frame.tcp.has(flag::syn);
    if (leg.prefix_pending && says_ack) {
        const auto ack = to_position(leg.tcb.hard.leg.iss, frame.tcp.ack, 1);
        const bool sent = translated ? plausible(leg, frame) && credible(slot, frame)
                                     : ack <= std::max(snd.nxt, snd.valid_ack_max);
        if (!is_below_stream(ack) && sent) {
            leg.prefix_pending = false;
            leg.prefix_at = Instant::never();
        }
    }
    return without_prefix(record(slot), near, frame);
}

}  // namespace holdfast::proxy
