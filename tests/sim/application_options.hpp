// What a run of clients with an application on the pair is drawn from its seed.
#pragma once

#include <vector>

#include "tests/sim/backing.hpp"
#include "tests/sim/options.hpp"

namespace holdfast::sim {

/// Who serves the clients: what is built in, Scribe, Ledger, the journal, or a process of gate host.
enum class Service : std::uint8_t { echo, scribe, ledger, journal, process };

struct ApplicationOptions : Options {
    /// Seeds below it have no backing; of those from there on every second one has a journal.
    static constexpr std::uint64_t first_with_backing = 40;
    static constexpr std::uint64_t seeds = 60;

    Service service{};
    std::vector<Outage> outages;  ///< of disks or processes
};

ApplicationOptions draw_application_options(std::uint64_t seed);

}  // namespace holdfast::sim
