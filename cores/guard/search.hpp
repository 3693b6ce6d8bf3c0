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
        since_ = earlier(since_, now);
        first_ = earlier(first_, now);
    }
    /// Somebody answered, another one searches, or there is nothing to search for: it begins anew.
    void restart() { since_ = first_ = Instant::never(); }
    /// Since when queries left without a pause and without an answer; never = none did.
    Instant unanswered_since() const { return since_; }
    /// When the first query of the search left; pauses since then matter not to it. Never = none did.
    Instant first_query() const { return first_; }
    /// This node did not run between `last_ran` and now: somebody may have begun to speak unasked, and a
    /// query handed out since then may have left only now.
    void note_gap(Instant last_ran) {
        since_ = Instant::never();
        if (first_ >= last_ran) first_ = Instant::never();
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
    Instant since_ = Instant::never(), first_ = Instant::never();
    std::array<Instant, references_max> open_since_ = none_open();
    Instant proof_{};
    bool answered_ = false;
};

}  // namespace holdfast::guard
