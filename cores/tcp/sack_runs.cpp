#include "cores/tcp/sack_runs.hpp"

namespace holdfast::tcp {

rte_mbuf* SackRuns::first_of(rte_mbuf* m) {
    while (!meta(m).run_first) {
        auto*& lead = meta(m).next;
        // Halves the way for the next one that comes here.
        if (!meta(lead).run_first) lead = meta(lead).next;
        m = lead;
    }
    return m;
}

/// The run of `next` becomes part of that of `last`, which ends where it begins; one of them is new. Returns
/// the first of both.
rte_mbuf* SackRuns::join(rte_mbuf* last, rte_mbuf* next) {
    auto* first = first_of(last);
    auto &f = meta(first), &n = meta(next);
    f.next = n.next;
    f.reported = f.reported || n.reported;
    n.next = first;
    n.run_first = n.run_news = false;
    runs_.remove(next);
    note_news(first);
    return first;
}

void SackRuns::note_news(rte_mbuf* first) {
    meta(first).run_news = true;
    runs_.remove(first);
    runs_.push_front(first);
}

void SackRuns::note_reported(rte_mbuf* first) {
    auto& f = meta(first);
    f.reported = true;
    if (!f.run_news) return;
    f.run_news = false;
    runs_.remove(first);
    runs_.push_back(first);
}

void SackRuns::add(rte_mbuf* m, rte_mbuf* before, rte_mbuf* after) {
    auto& d = meta(m);
    d.sacked = true;
    d.run_first = d.run_news = true;
    d.next = m;
    runs_.push_front(m);
    if (before != nullptr && meta(before).sacked && meta(before).end() == d.begin) m = join(before, m);
    if (after != nullptr && meta(after).sacked && meta(after).begin == d.end()) join(m, after);
}

}  // namespace holdfast::tcp
