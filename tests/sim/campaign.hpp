// Many runs in child processes: a run that crashes or hangs is a failure of its seed and does not end the
// campaign.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/world.hpp"

namespace holdfast::sim {

struct CampaignOptions {
    std::uint64_t first = 0, last = 0;
    unsigned jobs = 1;
    unsigned stop_after = 20;        ///< failures
    unsigned seconds_per_run = 60;   ///< of CPU time
    bool coverage = false;           ///< print the table
    bool coverage_required = false;  ///< empty cells are a failure
};

/// Runs `run` for every number and prints failures as they come; returns the number of failures. `prepare` is
/// called once in every child.
std::uint64_t run_campaign(const CampaignOptions& options, const std::function<void()>& prepare,
                           const std::function<Outcome(std::uint64_t)>& run);

}  // namespace holdfast::sim
