// What the stories of two nodes begin with and ask.
#pragma once

#include <catch2/catch.hpp>

#include <algorithm>

#include "guard_harness.hpp"

namespace holdfast::guard::test {

/// Both nodes run and are in sync; node `first` is active. Checks at its end that the two never spoke at
/// once.
struct Healthy : World {
    explicit Healthy(unsigned first = 0) {
        start(first);
        REQUIRE(run_until([&] { return speaking(first); }, 1_s));
        start(1 - first);
        REQUIRE(run_until([&] { return is(first, State::protected_) && is(1 - first, State::ready); }, 1_s));
        run_for(100_ms);
        forget_silence();
    }
    ~Healthy() { CHECK_FALSE(violation()); }
};

/// Whether a node has told of such an event.
inline bool logged(const Node& n, EventKind kind) {
    return std::any_of(n.log.begin(), n.log.end(), [&](const Event& e) { return e.kind == kind; });
}

/// From the last heartbeat that can have left to the earliest and latest takeover by a ready standby.
constexpr Duration bound = 30_ms + 10_ms;

}  // namespace holdfast::guard::test
