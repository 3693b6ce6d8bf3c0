#include "tests/sim/send_queue.hpp"

#include <algorithm>

namespace holdfast::sim {

void SendQueue::delivered(const Sent& s) {
    if (s.sent_at < newest_delivered_ || (s.sent_at == newest_delivered_ && s.end <= newest_end_)) return;
    newest_delivered_ = s.sent_at;
    newest_end_ = s.end;
}

SendQueue::Progress SendQueue::acknowledge(Position una) {
    Progress progress;
    bool resent = false;
    while (!sent_.empty() && sent_.front().begin < una) {
        Sent& head = sent_.front();
        if (head.end > una) {
            head.begin = una;
            break;
        }
        if (!head.sacked) delivered(head);
        if (!head.retransmitted && !head.sacked) progress.sent_at = head.sent_at;
        resent |= head.retransmitted;
        ++progress.segments;
        sent_.pop_front();
    }
    if (resent) progress.sent_at.reset();  // Karn: the rest may have waited for the hole
    return progress;
}

unsigned SendQueue::sack(Range r) {
    unsigned fresh = 0;
    for (auto& s : sent_) {
        if (s.sacked || s.begin < r.begin || s.end > r.end) continue;
        s.sacked = true;
        s.lost = false;
        delivered(s);
        ++fresh;
    }
    return fresh;
}

void SendQueue::mark_all_lost(bool sacked_too) {
    for (auto& s : sent_) {
        s.sacked = s.sacked && !sacked_too;
        s.lost = !s.sacked;
    }
}

void SendQueue::mark_head_lost() {
    if (!sent_.empty() && !sent_.front().sacked) sent_.front().lost = true;
}

Instant SendQueue::mark_overdue(Duration rtt, Duration reorder, Instant now) {
    Instant again = Instant::never();
    for (auto& s : sent_) {
        if (s.sacked || s.lost) continue;
        if (s.sent_at > newest_delivered_ || (s.sent_at == newest_delivered_ && s.end >= newest_end_))
            continue;
        const Instant due = s.sent_at + rtt + reorder;
        if (due <= now) s.lost = true;
        else again = earlier(again, due);
    }
    return again;
}

bool SendQueue::any_lost() const {
    return std::any_of(sent_.begin(), sent_.end(), [](const Sent& s) { return s.lost; });
}

Sent* SendQueue::next_lost() {
    for (auto& s : sent_)
        if (s.lost) return &s;
    return nullptr;
}

unsigned SendQueue::sacked() const {
    return static_cast<unsigned>(
        std::count_if(sent_.begin(), sent_.end(), [](const Sent& s) { return s.sacked; }));
}

unsigned SendQueue::in_flight() const {
    return static_cast<unsigned>(
        std::count_if(sent_.begin(), sent_.end(), [](const Sent& s) { return !s.sacked && !s.lost; }));
}

}  // namespace holdfast::sim
