#include "cores/tcp/reassembly.hpp"

#include <algorithm>
#include <cstring>

#include "lib/wire/checksum.hpp"

namespace holdfast::tcp {

bool coalesce_small(rte_mbuf* held, const rte_mbuf* m) {
    constexpr std::uint16_t small = 512;
    auto& h = meta(held);
    const auto& n = meta(m);
    if (h.sent || h.ahead || n.ahead || n.payload_len > small || h.end() != n.begin ||
        rte_mbuf_refcnt_read(held) != 1)
        return false;
    const std::uint32_t used = h.payload_offset + h.payload_len;
    if (used + n.payload_len > held->buf_len) return false;
    std::memcpy(payload(held) + h.payload_len, payload(m), n.payload_len);
    h.payload_len = static_cast<std::uint16_t>(h.payload_len + n.payload_len);
    h.sum_known = false;
    h.push = h.push || n.push;
    return true;
}

void trim_front(rte_mbuf* m, Position to) {
    auto& d = meta(m);
    const auto cut = static_cast<std::uint16_t>(to - d.begin);
    d.begin = to;
    d.payload_offset = static_cast<std::uint16_t>(d.payload_offset + cut);
    d.payload_len = static_cast<std::uint16_t>(d.payload_len - cut);
    d.sum_known = false;
}

void Reassembly::trim_back(rte_mbuf* m, Position to) {
    auto& d = meta(m);
    d.payload_len = static_cast<std::uint16_t>(to - d.begin);
    d.sum_known = false;
}

Reassembly::Insertion Reassembly::insert(Packet packet) {
    auto* m = packet.get();
    auto& d = meta(m);
    rte_mbuf* before = nullptr;
    // In order at the tail is the common case.
    if (tail_ != nullptr && meta(tail_).end() <= d.begin) before = tail_;
    else
        for (auto* p = head_; p != nullptr && meta(p).begin <= d.begin; p = meta(p).next) before = p;
    if (before != nullptr && meta(before).end() > d.begin) {
        if (meta(before).end() >= d.end()) return Insertion::duplicate;
        trim_front(m, meta(before).end());
    }
    if (before != nullptr && before == tail_ && coalesce_small(before, m)) return Insertion::coalesced;

    if (contiguous_end(d.begin) >= d.end()) return Insertion::duplicate;
    auto* after = before != nullptr ? meta(before).next : head_;
    // What the new segment covers completely is replaced by it: both hold the same positions. Not what the
    // far end may have: an endpoint that repeats itself with other bytes is held to its first word (R3).
    while (after != nullptr && meta(after).end() <= d.end() && !meta(after).ahead) {
        auto* next = meta(after).next;
        d.reported = d.reported || meta(after).reported;
        rte_pktmbuf_free(after);
        --mbufs_;
        after = next;
    }
    if (after != nullptr && meta(after).begin < d.end()) trim_back(m, meta(after).begin);
    if (d.payload_len == 0) return Insertion::duplicate;
    d.next = after;
    (before != nullptr ? meta(before).next : head_) = m;
    if (after == nullptr) tail_ = m;
    ++mbufs_;
    packet.release();
    return Insertion::stored;
}

Position Reassembly::contiguous_end(Position position) const {
    // Without any hole the tail tells.
    if (tail_ == nullptr || meta(tail_).end() <= position) return position;
    for (auto* p = head_; p != nullptr && meta(p).begin <= position; p = meta(p).next)
        position = position < meta(p).end() ? meta(p).end() : position;
    return position;
}

Packet Reassembly::pop() {
    auto* m = head_;
    head_ = meta(m).next;
    if (head_ == nullptr) tail_ = nullptr;
    meta(m).next = nullptr;
    --mbufs_;
    return Packet(m);
}

void Reassembly::clear() {
    while (head_ != nullptr) pop();
}

bool Reassembly::mark_sacked(PositionRange range) {
    bool news = false;
    for (auto* p = head_; p != nullptr && meta(p).begin < range.end; p = meta(p).next) {
        auto& d = meta(p);
        if (d.sacked || d.begin < range.begin || d.end() > range.end) continue;
        d.sacked = news = true;
    }
    return news;
}

void Reassembly::mark_reported(PositionRange range) {
    for (auto* p = head_; p != nullptr && meta(p).begin < range.end; p = meta(p).next)
        if (meta(p).begin >= range.begin) meta(p).reported = true;
}

bool Reassembly::drop_last_unreported() {
    rte_mbuf *before = nullptr, *last = nullptr, *previous = nullptr;
    for (auto* p = head_; p != nullptr; previous = p, p = meta(p).next)
        if (!meta(p).sacked) {
            before = previous;
            last = p;
        }
    if (last == nullptr) return false;
    (before != nullptr ? meta(before).next : head_) = meta(last).next;
    if (tail_ == last) tail_ = before;
    --mbufs_;
    rte_pktmbuf_free(last);
    return true;
}

Reassembly::Ranges Reassembly::ranges(Position above, Position newest, bool only_sacked) const {
    // What joins on to the bytes below `above` lies above no hole.
    above = std::max(above, contiguous_end(above - 1));
    Ranges result;
    std::array<PositionRange, 4> known;
    std::size_t known_count = 0;
    PositionRange run{};
    bool news = false;
    const auto finish_run = [&] {
        if (run.begin == run.end) return;
        auto& out = result.range;
        if (run.begin <= newest && newest < run.end) {
            // Ahead of all, whatever has been found before.
            if (result.fresh == out.size()) result.more = true;
            else ++result.fresh;
            std::copy_backward(out.begin(), out.begin() + result.fresh - 1, out.begin() + result.fresh);
            out[0] = run;
        } else if (news && result.fresh < out.size()) {
            out[result.fresh++] = run;
        } else if (news) {
            result.more = true;
        } else if (known_count < known.size()) {
            known[known_count++] = run;
        }
    };
    for (auto* p = head_; p != nullptr; p = meta(p).next) {
        const auto& d = meta(p);
        if (d.begin < above || (only_sacked && !d.sacked)) continue;
        if (run.end != d.begin || run.end == run.begin) {
            finish_run();
            run = {d.begin, d.begin};
            news = false;
        }
        run.end = d.end();
        news = news || !d.reported;
    }
    finish_run();
    result.count = result.fresh;
    for (std::size_t i = 0; i < known_count && result.count < result.range.size(); ++i)
        result.range[result.count++] = known[i];
    return result;
}

}  // namespace holdfast::tcp
