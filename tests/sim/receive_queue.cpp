#include "tests/sim/receive_queue.hpp"

#include <algorithm>

namespace holdfast::sim {

ReceiveQueue::Arrival ReceiveQueue::add(Range r) {
    if (distance(next_, r.begin) > 0) return add_island(r);
    Arrival arrival;
    if (distance(r.begin, next_) > 0)
        arrival.duplicate = Range{r.begin, distance(r.end, next_) > 0 ? r.end : next_};
    if (distance(next_, r.end) > 0) {
        next_ = r.end;
        arrival.advanced = true;
        absorb();
    }
    return arrival;
}

ReceiveQueue::Arrival ReceiveQueue::add_island(Range r) {
    Arrival arrival;
    arrival.out_of_order = true;
    for (std::size_t i = 0; i < islands_.size();) {
        const Range old = islands_[i];
        if (r.end < old.begin || old.end < r.begin) {
            ++i;
            continue;
        }
        const Range common{std::max(r.begin, old.begin), std::min(r.end, old.end)};
        if (common.begin < common.end && !arrival.duplicate) arrival.duplicate = common;
        r = {std::min(r.begin, old.begin), std::max(r.end, old.end)};
        islands_.erase(islands_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    islands_.insert(islands_.begin(), r);
    return arrival;
}

bool ReceiveQueue::holds(Range r) const {
    if (distance(r.end, next_) >= 0) return true;
    return std::any_of(islands_.begin(), islands_.end(),
                       [&](const Range& i) { return i.begin <= std::max(r.begin, next_) && r.end <= i.end; });
}

void ReceiveQueue::absorb() {
    for (std::size_t i = 0; i < islands_.size();) {
        if (islands_[i].begin > next_) {
            ++i;
            continue;
        }
        next_ = std::max(next_, islands_[i].end);
        islands_.erase(islands_.begin() + static_cast<std::ptrdiff_t>(i));
        i = 0;
    }
}

}  // namespace holdfast::sim
