#include "cores/tcp/scoreboard.hpp"

namespace holdfast::tcp {
namespace {

/// Segments from one station to the next: for queues of some thousands both ways are about as long.
constexpr std::uint8_t station_distance = 64;

/// Takes `m` out of the list that it is in.
void unlist(SendSide& s, rte_mbuf* m) {
    const auto& d = meta(m);
    if (d.lost) s.lost.remove(m);
    else if (d.sent && !d.sacked) s.in_flight.remove(m);
}

void forget_loss(SendSide& s, PacketMeta& d) {
    if (!d.lost) return;
    d.lost = false;
    s.lost_bytes -= d.payload_len;
}

}  // namespace

void append(SendSide& s, rte_mbuf* m) {
    auto& d = meta(m);
    d.sent = d.sacked = d.lost = d.retransmitted = false;
    d.next = nullptr;
    d.out = SendingMeta{};
    (s.tail != nullptr ? meta(s.tail).next : s.head) = m;
    s.tail = m;
    if (s.unsent == nullptr) s.unsent = m;
    ++s.mbufs;
    if (s.first_station != nullptr && ++s.since_station < station_distance) return;
    (s.first_station != nullptr ? meta(s.last_station).out.station : s.first_station) = m;
    s.last_station = m;
    s.since_station = 0;
}

rte_mbuf* take_first(SendSide& s) {
    auto* m = s.head;
    auto& d = meta(m);
    unlist(s, m);
    forget_loss(s, d);
    if (d.sacked) s.sacked_bytes -= d.payload_len;
    s.head = d.next;
    if (s.unsent == m) s.unsent = s.head;
    if (s.tail == m) s.tail = nullptr;
    if (s.last_left == m) s.last_left = nullptr;
    if (s.first_station == m) s.first_station = d.out.station;
    --s.mbufs;
    return m;
}

void mark_sent(SendSide& s, rte_mbuf* m, Instant now) {
    auto& d = meta(m);
    if (d.sacked) return;
    unlist(s, m);
    forget_loss(s, d);
    //= rfc8985#4
    //  Each transmission has its time, of a clock much finer than any round trip.
    d.out.sent_at = now;
    d.sent = true;
    s.in_flight.push_back(m);
}

void mark_sacked(SendSide& s, rte_mbuf* m) {
    auto& d = meta(m);
    unlist(s, m);
    forget_loss(s, d);
    d.sacked = true;
    s.sacked_bytes += d.payload_len;
}

void mark_lost(SendSide& s, rte_mbuf* m) {
    auto& d = meta(m);
    if (d.lost || d.sacked || !d.sent) return;
    unlist(s, m);
    d.lost = true;
    s.lost_bytes += d.payload_len;
    // A repetition that was lost, too, stands below what was found since.
    if (!s.lost.empty() && d.begin < meta(s.lost.first()).begin) s.lost.push_front(m);
    else s.lost.push_back(m);
}

void unmark_sacked(SendSide& s) {
    MbufList dropped;
    for (auto* m = s.head; m != nullptr; m = meta(m).next) {
        auto& d = meta(m);
        if (!d.sacked) continue;
        d.sacked = false;
        d.out.skip_to = nullptr;
        dropped.push_back(m);
    }
    s.sacked_bytes = 0;
    // Most of them left before what has not been reported.
    s.in_flight.put_in_front(dropped);
}

void unmark_lost(SendSide& s) {
    for (auto* m = s.lost.first(); m != nullptr; m = meta(m).list_after) meta(m).lost = false;
    s.lost_bytes = 0;
    // They left before what was sent since.
    s.in_flight.put_in_front(s.lost);
}

rte_mbuf* seek(const SendSide& s, Position position) {
    auto* from = s.head;
    for (auto* m = s.first_station; m != nullptr && meta(m).begin <= position; m = meta(m).out.station)
        from = m;
    return from;
}

rte_mbuf* last_of_run(rte_mbuf* m) {
    for (;;) {
        auto& skip_to = meta(m).out.skip_to;
        auto* next = meta(m).next;
        if (skip_to == nullptr && (next == nullptr || !meta(next).sacked)) return m;
        if (skip_to == nullptr) skip_to = next;
        // Who passes leaves the way half as long.
        else if (auto* further = meta(skip_to).out.skip_to; further != nullptr) skip_to = further;
        m = skip_to;
    }
}

void clear(SendSide& s) {
    while (s.head != nullptr) rte_pktmbuf_free(take_first(s));
}

}  // namespace holdfast::tcp
