// The search for another speaker: queries for the virtual address, and to the reference targets.
#pragma once

#include <array>

#include "cores/guard/settings.hpp"
#include "lib/base/time.hpp"

namespace holdfast::guard {

/// Keeps since when nobody has answered for the virtual address although asked, and how fresh the proof is
/// that this node is not the isolated one.
class Search {
  public:
    /// A query for the virtual address leaves now; the first one begins the search.
    void vip_queried(Instant now) {
        if (unanswered_since_.is_never()) unanswered_since_ = now;
    }
    /// Somebody answered, another one searches, or there is nothing to search for: it begins anew.
    void restart() { unanswered_since_ = Instant::never(); }
    /// Send time of the first query since the search began; never = no query is out.
    Instant unanswered_since() const { return unanswered_since_; }
    /// The guard was not run for `gap` up to `now`. Queries may have left that much later, so the time proves
    /// nothing.
    void note_gap(Duration gap, Instant now) {
        if (!unanswered_since_.is_never()) unanswered_since_ = earlier(unanswered_since_ + gap, now);
    }

    /// A query to each target leaves now.
    void references_queried(Instant now) {
        for (auto& t : open_since_)
            if (t.is_never()) t = now;
    }
    /// ARP answers carry no mark of their query, so one is taken for the answer to the oldest open query of
    /// its target: the proof is never younger than it should be. False when none was open.
    bool reference_answered(unsigned target, Instant& sent_at) {
        if (target >= references_max || open_since_[target].is_never()) return false;
        sent_at = open_since_[target];
        open_since_[target] = Instant::never();
        if (!answered_ || proof_ < sent_at) proof_ = sent_at;
        return answered_ = true;
    }
    /// Link on a service port stands in for references where none are configured.
    void take_as_proof(Instant now) { proof_ = now, answered_ = true; }
    /// True when a query that left less than `bound` ago was answered.
    bool connected(Duration bound, Instant now) const { return answered_ && now - proof_ < bound; }
    /// Send time of the newest query that was answered; only if connected() ever was true.
    Instant proof() const { return proof_; }

  private:
    static constexpr std::array<Instant, references_max> none_open() {
        std::array<Instant, references_max> a{};
        a.fill(Instant::never());
        return a;
    }
    Instant unanswered_since_ = Instant::never();
    std::array<Instant, references_max> open_since_ = none_open();
    Instant proof_{};
    bool answered_ = false;
};

}  // namespace holdfast::guard
