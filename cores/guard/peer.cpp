#include "cores/guard/peer.hpp"

#include <algorithm>

namespace holdfast::guard {

Peer::Admission Peer::admit(const Heartbeat& h, bool proven, Instant now) {
    if (h.boot_nonce != nonce_) {
        if (retired(h.boot_nonce)) return Admission::replayed;
        if (!proven) {
            note_candidate(h, now);
            return Admission::unproven;
        }
        become_current(h);
    }
    PathState& path = paths_[index(h.path)];
    if (h.counter <= path.counter) return Admission::replayed;
    // An unproven one moves the counter too: the same frame can not come back later as something else.
    path.counter = h.counter;
    if (!proven) return Admission::unproven;
    path.heard = true;
    path.heard_at = now;
    if (h.counter <= claim_.counter) return Admission::taken;
    claim_ = h;
    heard_at_ = now;
    return Admission::newest;
}

Peer::Echo Peer::next_echo(Instant now, Duration quiet) {
    if (heard_within(quiet, now)) return echo_of_current();
    for (std::size_t i = 0; i <= candidates_.size(); ++i) {
        const std::size_t turn = next_candidate_++ % (candidates_.size() + 1);
        if (turn == candidates_.size()) {
            if (known()) return echo_of_current();
            continue;
        }
        const Candidate& c = candidates_[turn];
        if (c.nonce != 0 && now - c.heard_at < quiet) return {c.nonce, c.counter, {}, false};
    }
    return {};
}

Peer::Echo Peer::echo_of_current() const {
    Echo echo{nonce_, 0, {}, true};
    for (std::size_t i = 0; i < path_count; ++i) {
        echo.path_counter[i] = paths_[i].counter;
        echo.counter = std::max(echo.counter, paths_[i].counter);
    }
    return echo;
}

bool Peer::path_heard_within(Path path, Duration bound, Instant now) const {
    const PathState& p = paths_[index(path)];
    return p.heard && now - p.heard_at < bound;
}

bool Peer::retired(std::uint64_t nonce) const {
    return std::find(retired_.begin(), retired_.end(), nonce) != retired_.end();
}

void Peer::note_candidate(const Heartbeat& h, Instant now) {
    const auto same = std::find_if(candidates_.begin(), candidates_.end(),
                                   [&](const Candidate& c) { return c.nonce == h.boot_nonce; });
    Candidate& c =
        same != candidates_.end()
            ? *same
            : *std::min_element(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) {
                  return a.nonce == 0 ? b.nonce != 0 : b.nonce != 0 && a.heard_at < b.heard_at;
              });
    c = {h.boot_nonce, same != candidates_.end() ? std::max(c.counter, h.counter) : h.counter, now};
}

void Peer::become_current(const Heartbeat& h) {
    if (nonce_ != 0) retired_[boots_ % retired_.size()] = nonce_;
    ++boots_;
    nonce_ = h.boot_nonce;
    claim_ = {};
    paths_ = {};
    candidates_ = {};
}

}  // namespace holdfast::guard
