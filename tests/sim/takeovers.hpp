// A takeover in every pair of states of a connection, with every combination of what it agreed on.
#pragma once

#include <cstdint>

#include "tests/sim/world.hpp"

namespace holdfast::sim {

/// What is combined: all pairs of states with all that a connection may be.
struct TakeoverCase {
    StatePair states;
    Site site;
    bool sack = false, timestamps = false, scaling = false, cookies = false, headers = false;

    std::string to_string() const;
};

/// Cases are numbered from 0.
std::uint64_t takeover_cases();
TakeoverCase takeover_case(std::uint64_t number);

/// The active node is killed the moment the connection of the case is in its pair of states. Conversations
/// are drawn until one gets there; every one on the way must be judged good, too.
Outcome run_takeover_case(std::uint64_t number, bool verbose);

}  // namespace holdfast::sim
