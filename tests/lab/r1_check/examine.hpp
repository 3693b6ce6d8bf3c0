// The proof: every ACK of a session held against what the other end had acknowledged before.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "capture.hpp"

namespace holdfast::r1 {

/// A moment at which somebody wants to know what was in flight.
struct Moment {
    std::int64_t time_ns = 0;
    std::array<std::int64_t, 2>
        unacknowledged{};                ///< bytes sent and not acknowledged to their sender, by side
    std::array<unsigned, 2> sessions{};  ///< sessions that had such bytes
};

struct Violation {
    Side to{};
    std::int64_t time_ns = 0;
    std::int64_t covered = 0, allowed = 0;
    const Leg* leg = nullptr;
};

/// What the examination of all pairs found.
struct Findings {
    std::uint64_t acks = 0;
    std::int64_t peak_withheld = 0;
    std::vector<Violation> violations;
    std::vector<Violation> reneged;            ///< ACKs that stopped inside a range reported by SACK
    std::vector<std::size_t> tight_to_client;  ///< packets whose ACK covered all it might, no more
};

/// Checks every ACK of a session, and looks at the given moments (may be null; ordered by time).
void examine(const Leg& client, const Leg& server, std::vector<Moment>* moments, Findings& findings);

/// The server leg out of `free` that carries a client leg's session, or nullptr.
const Leg* partner(const Leg& client, const std::vector<const Leg*>& free);

}  // namespace holdfast::r1
