// Virtual time: a queue of events, in order of time and then of scheduling, so a run has exactly one order.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "lib/base/time.hpp"
#include "tests/sim/frame.hpp"

namespace holdfast::sim {

/// Somebody to whom events happen. `token` and `frame` come back as they were given to the scheduler.
class Actor {
  public:
    virtual ~Actor() = default;
    virtual void wake(std::uint64_t token, const Frame& frame) = 0;
};

class Scheduler {
  public:
    Instant now() const { return now_; }
    std::uint64_t events() const { return events_; }

    /// Wakes `actor` at `at` (now, if that has passed). The actor must outlive the scheduler's last step.
    void at(Instant at, Actor& actor, std::uint64_t token, Frame frame = {}) {
        queue_.push({later(at, now_), next_++, token, &actor, std::move(frame)});
    }
    Instant next() const { return queue_.empty() ? Instant::never() : queue_.top().at; }

    /// Lets the next event happen; false when there is none.
    bool step() {
        if (queue_.empty()) return false;
        const Event event = queue_.top();
        queue_.pop();
        now_ = event.at;
        ++events_;
        event.actor->wake(event.token, event.frame);
        return true;
    }

  private:
    struct Event {
        Instant at;
        std::uint64_t order, token;
        Actor* actor;
        Frame frame;
        friend bool operator<(const Event& a, const Event& b) {
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };
    std::priority_queue<Event> queue_;
    Instant now_{};
    std::uint64_t next_ = 0, events_ = 0;
};

}  // namespace holdfast::sim
