// Payload from the mirror: what was on its way to an endpoint when the old active died may be lost, and its
// sender waits for a timeout to notice. After a takeover this node, which holds it, sends it at once. The
// sender's own retransmission, should it come, is forwarded as ever.
#include <algorithm>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/congestion.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

using namespace literals;
namespace flag = wire::flag;

namespace {
constexpr Duration first_repetition = milliseconds(100);
constexpr std::uint8_t repetitions_max = 8;
}  // namespace

/// Standby: what the active's core of this side tells.
void Sessions::take_payload() {
    if (!payload_) return;
    auto& entry = payload_->entry;
    while (s_.lane.payload->install[index(s_.side)].pop(entry)) switch (entry.kind) {
            case JournalKind::epoch_start: payload_->store.clear(); break;
            case JournalKind::progress: payload_->store.store(entry.record); break;
            case JournalKind::opened:
            case JournalKind::closed:
            case JournalKind::snapshot_end: break;
        }
}

/// Nothing of it is to be sent any more.
void Sessions::forget_held(std::uint32_t slot) {
    if (!payload_) return;
    payload_->store.forget(id_of(slot));
    legs_[slot].heard->payload_at = Instant::never();
}

/// The segment as the old active would send it again: it acknowledges and grants what that one had, or what
/// was heard since.
wire::TcpHeader Sessions::held_header(std::uint32_t slot, const HeldPayload& held) {
    auto& leg = legs_[slot];
    const auto& l = leg.tcb.hard.leg;
    const auto& theirs = other_cell(slot);
    const auto heard = std::min(leg.heard->seq_edge, theirs.acknowledged.load(std::memory_order_acquire));
    const auto ack = std::max({held.ack, leg.hints->ack, heard});
    const auto edge = std::max({held.window, theirs.edge.load(std::memory_order_acquire), ack});
    auto& rcv = leg.tcb.soft.rcv;
    const auto shift = leg.tcb.hard.receive_scale;
    wire::TcpHeader h;
    h.source_port = l.local.port;
    h.destination_port = l.remote.port;
    h.ack = to_seq(l.irs, ack);
    h.flags = flag::ack;
    h.window = static_cast<std::uint16_t>(std::min<Position>((edge - ack) >> shift, 0xffff));
    rcv.edge_sent = std::max(rcv.edge_sent, ack + (static_cast<Position>(h.window) << shift));
    if (leg.tcb.hard.timestamps) {
        h.options.has_timestamps = true;
        h.options.ts_value = context_.ts_now + l.ts_offset;
        h.options.ts_echo = rcv.ts_recent_valid ? rcv.ts_recent : 0;
    }
    return h;
}

/// Sends what is held and not acknowledged, an initial window at a time: after a takeover, and whenever the
/// endpoint has acknowledged some of it.
void Sessions::send_held(std::uint32_t slot) {
    auto& leg = legs_[slot];
    auto* held = payload_ ? payload_->store.find(id_of(slot)) : nullptr;
    if (held == nullptr) return;
    auto& heard = *leg.heard;
    payload_->store.drop_until(*held, std::max(leg.hints->una, heard.ack));
    if (!held->held) return forget_held(slot);
    const auto una = held->bytes.begin();
    const auto limit =
        std::min({held->bytes.end(), una + tcp::initial_window(leg.tcb), std::max(held->edge, heard.edge)});
    auto at = std::max(una, heard.payload_sent);
    auto h = held_header(slot, *held);
    std::array<std::uint8_t, 2048> piece;
    const auto mss = std::min<std::size_t>(tcp::effective_mss(leg.tcb), piece.size());
    for (; at < limit;) {
        const auto size = std::min<std::size_t>(limit - at, mss);
        payload_->store.copy(*held, at, {piece.data(), size});
        h.seq = to_seq(leg.tcb.hard.leg.iss, at);
        if (at + size == held->bytes.end()) h.flags |= flag::psh;
        if (!tcp::emit_copy(leg.tcb, h, piece.data(), static_cast<std::uint16_t>(size), context_)) break;
        s_.counters.add(Counter::payload_sent);
        at += size;
        if (at < heard.tail_end) continue;
        heard.tail_end = at;
        heard.tail_byte = piece[size - 1];
    }
    heard.payload_sent = std::max(heard.payload_sent, at);
    if (heard.payload_at.is_never()) heard.payload_at = now_ + first_repetition;
}

/// Nobody has acknowledged it: again from the beginning, ever slower, and in the end it is the endpoints'.
void Sessions::repeat_held(std::uint32_t slot) {
    auto& heard = *legs_[slot].heard;
    if (heard.payload_tries >= repetitions_max) {
        s_.counters.add(Counter::payload_given_up);
        return forget_held(slot);
    }
    s_.counters.add(Counter::payload_repeated);
    ++heard.payload_tries;
    heard.payload_sent = 0;
    send_held(slot);
    if (!heard.payload_at.is_never())
        heard.payload_at = now_ + first_repetition * (std::int64_t{1} << heard.payload_tries);
}

}  // namespace holdfast::proxy
