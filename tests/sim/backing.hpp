// What an application of the pair stands on: the disks of journals, or the processes of gate host. It fails
// now and then, and judges what the pair tells its clients by what it has.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "tests/sim/machine.hpp"
#include "tests/sim/stream.hpp"

namespace holdfast::sim {

/// A client of a run: what it says, and how much of that a node has acknowledged to it.
struct ClientView {
    Stream says;
    std::uint64_t bytes = 0;  ///< that it says in all
    std::uint64_t acknowledged = 0;
    bool end_acknowledged = false;  ///< its FIN, too
};
using ClientBook = std::map<Endpoint, ClientView>;

/// For so long after the beginning of the traffic the disk or the process of a machine fails.
struct Outage {
    std::size_t machine = 0;
    Duration begins{}, lasts{};
};

class Backing {
  public:
    virtual ~Backing() = default;

    /// Before machine `i` is made.
    virtual void equip(std::size_t i, MachineOptions& options) = 0;
    virtual void attach(std::size_t, Machine&) {}
    /// The clients begin.
    virtual void begin() = 0;
    virtual void machine_died(std::size_t) {}
    /// Before node `speaker` tells the client more than anybody told it before.
    virtual void judge_acknowledgment(std::size_t speaker, const Endpoint& client,
                                      const ClientView& told) = 0;
    /// The other machine was killed.
    virtual void judge_survivor(std::size_t) {}
    /// All clients are done.
    virtual void judge_end() {}
};

/// What backings are made with. References outlive them.
struct BackingParts {
    Scheduler& scheduler;
    Journal& journal;
    const ClientBook& clients;
    std::uint64_t seed = 0;
    std::vector<Outage> outages;
};

}  // namespace holdfast::sim
