#include "cores/tcp/reassembly.hpp"

#include <cstring>
#include <utility>

#include "lib/wire/checksum.hpp"

namespace holdfast::tcp {
namespace {

void trim_back(rte_mbuf* m, Position to) {
    auto& d = meta(m);
    d.payload_len = static_cast<std::uint16_t>(to - d.begin);
    d.sum_known = false;
}

}  // namespace

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

Reassembly::Insertion Reassembly::insert(Packet packet, Position next, bool may_report) {
    auto* m = packet.get();
    const bool in_order = meta(m).begin == next;
    // The common case.
    if (in_order && waiting_.empty()) return append(std::move(packet));
    Neighbours n{nullptr, waiting_.first()};
    if (!in_order && !trim_front_to_gap(m, n)) return Insertion::duplicate;
    n.after = make_way(m, n.after, may_report);
    if (!in_order) return wait(std::move(packet), n, may_report);
    const auto result = append(std::move(packet));
    join_in_order();
    return result;
}

/// Cuts off what waits already at the begin of `m`, and finds its neighbours. False if all of it waits.
bool Reassembly::trim_front_to_gap(rte_mbuf* m, Neighbours& n) const {
    const auto& d = meta(m);
    auto* before = waiting_.last_until(d.begin);
    while (before != nullptr) {
        const auto& b = meta(before);
        auto* last = b.sacked && b.end() > d.begin ? SackRuns::last_of(before) : before;
        const auto end = meta(last).end();
        if (end >= d.end()) return false;
        if (end > d.begin) trim_front(m, end);
        n = {last, waiting_.after(last)};
        before = n.after != nullptr && meta(n.after).begin == d.begin ? n.after : nullptr;
    }
    return true;
}

/// What `m` covers completely is replaced by it: both hold the same positions. Not what the far end may have:
/// an endpoint that repeats itself with other bytes is held to its first word (R3). Nor a part of a run, nor
/// what was reported in the place of bytes that may not be. There `m` is cut. Returns the one behind it.
rte_mbuf* Reassembly::make_way(rte_mbuf* m, rte_mbuf* after, bool may_report) {
    auto& d = meta(m);
    while (after != nullptr && meta(after).begin < d.end()) {
        const auto& a = meta(after);
        // What begins above a gap is the first of its run.
        auto* last = a.sacked ? a.next : after;
        if (a.ahead || (a.sacked && !may_report) || meta(last).end() > d.end()) {
            trim_back(m, a.begin);
            break;
        }
        d.reported = d.reported || a.reported;
        auto* next = waiting_.after(last);
        if (a.sacked) drop_run(after);
        else drop(after);
        after = next;
    }
    return after;
}

Reassembly::Insertion Reassembly::append(Packet packet) {
    auto* m = packet.get();
    if (tail_ != nullptr && !meta(m).reported && coalesce_small(tail_, m)) return Insertion::coalesced;
    (tail_ != nullptr ? meta(tail_).next : head_) = m;
    tail_ = packet.release();
    ++mbufs_;
    return Insertion::stored;
}

Reassembly::Insertion Reassembly::wait(Packet packet, Neighbours n, bool may_report) {
    auto* m = packet.get();
    if (n.before != nullptr && n.after == nullptr && meta(n.before).sacked == may_report &&
        !meta(m).reported && coalesce_small(n.before, m)) {
        if (may_report) runs_.note_growth(n.before);
        return Insertion::coalesced;
    }
    waiting_.insert(packet.release(), n.after);
    ++mbufs_;
    if (may_report) runs_.add(m, n.before, n.after);
    else unoffered_.push_back(m);
    return Insertion::stored;
}

/// What has no hole below it any more can be taken.
void Reassembly::join_in_order() {
    bool reported = false;
    for (auto* m = waiting_.first(); m != nullptr && meta(m).begin == in_order_end();) {
        auto& d = meta(m);
        auto* after = waiting_.after(m);
        waiting_.remove(m);
        if (!d.sacked) list_of(m).remove(m);
        if (d.run_first) {
            runs_.remove(m);
            reported = d.reported;
        }
        d.reported = d.sacked && reported;
        d.sacked = d.run_first = d.run_news = false;
        d.next = nullptr;
        meta(tail_).next = m;
        tail_ = m;
        m = after;
    }
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
    while (auto* m = waiting_.first()) drop(m);
}

/// Frees one that waits.
void Reassembly::drop(rte_mbuf* m) {
    waiting_.remove(m);
    if (!meta(m).sacked) list_of(m).remove(m);
    else if (meta(m).run_first) runs_.remove(m);
    rte_pktmbuf_free(m);
    --mbufs_;
}

void Reassembly::drop_run(rte_mbuf* first) {
    auto* end = waiting_.after(meta(first).next);
    for (auto* m = first; m != end;) {
        auto* after = waiting_.after(m);
        drop(m);
        m = after;
    }
}

bool Reassembly::drop_unreported() {
    auto* m = waiting_.last();
    if (m == nullptr) return false;
    if (meta(m).sacked) m = !unoffered_.empty() ? unoffered_.last() : offered_.last();
    if (m == nullptr) return false;
    drop(m);
    return true;
}

bool Reassembly::mark_sacked(PositionRange range) {
    bool news = false;
    // A far end that tells the truth has hardly anything between two holes of ours but what went ahead.
    constexpr int runs_passed_max = 64;
    int runs_passed = 0;
    for (auto* m = waiting_.first_from(range.begin); m != nullptr && meta(m).begin < range.end;
         m = waiting_.after(m)) {
        if (meta(m).sacked) {
            if (++runs_passed > runs_passed_max) break;
            m = SackRuns::last_of(m);
        } else if (meta(m).end() <= range.end) {
            list_of(m).remove(m);
            runs_.add(m, waiting_.before(m), waiting_.after(m));
            news = true;
        }
    }
    return news;
}

void Reassembly::mark_reported(PositionRange range) { runs_.note_reported(waiting_.first_from(range.begin)); }

Reassembly::Ranges Reassembly::ranges(Position newest) const {
    Ranges result;
    auto& count = result.count;
    const auto take = [&](const rte_mbuf* first) { result.range[count++] = SackRuns::range_of(first); };
    const rte_mbuf* of_newest = nullptr;
    if (auto* m = waiting_.last_until(newest); m != nullptr && meta(m).sacked && newest < meta(m).end()) {
        of_newest = SackRuns::first_of(m);
        take(of_newest);
    }
    const auto& list = runs_.list();
    for (auto* r = list.first(); r != nullptr && meta(r).run_news; r = meta(r).list_after) {
        if (r == of_newest) continue;
        result.more = count == result.range.size();
        if (result.more) break;
        take(r);
    }
    result.fresh = count;
    for (auto* r = list.last(); r != nullptr && !meta(r).run_news && count < result.range.size();
         r = meta(r).list_before)
        if (r != of_newest) take(r);
    return result;
}

void Reassembly::note_offered() {
    auto* m = unoffered_.first();
    unoffered_.remove(m);
    meta(m).ahead = true;
    offered_.push_back(m);
}

void Reassembly::offer_later() {
    auto* m = unoffered_.first();
    unoffered_.remove(m);
    unoffered_.push_back(m);
}

}  // namespace holdfast::tcp
