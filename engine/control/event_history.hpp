// The last events of the node, for people who ask later.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "lib/report/event.hpp"

namespace holdfast::engine {

/// A bounded list of events, numbered from 0 since start; the oldest make room. Any thread.
class EventHistory {
  public:
    struct Entry {
        std::uint64_t number;
        Event event;
    };

    explicit EventHistory(std::size_t capacity) : entries_(capacity) {}

    void add(const Event& event) {
        const std::lock_guard lock(mutex_);
        entries_[total_++ % entries_.size()] = event;
    }

    /// Up to `count` events that are still kept, from number `from` on.
    std::vector<Entry> page(std::uint64_t from, std::size_t count) const {
        const std::lock_guard lock(mutex_);
        const std::uint64_t oldest = total_ > entries_.size() ? total_ - entries_.size() : 0;
        std::vector<Entry> out;
        for (std::uint64_t n = from < oldest ? oldest : from; n < total_ && out.size() < count; ++n)
            out.push_back({n, entries_[n % entries_.size()]});
        return out;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<Event> entries_;
    std::uint64_t total_ = 0;
};

}  // namespace holdfast::engine
