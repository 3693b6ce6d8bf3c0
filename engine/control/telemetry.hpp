// The node's state over DPDK's telemetry socket, under /holdfast/.
#pragma once

#include <span>
#include <string>

#include "cores/protocol/node.hpp"
#include "engine/control/event_history.hpp"
#include "engine/lcore/runner.hpp"

namespace holdfast::engine {

/// What the commands read. Everything must outlive the Telemetry object.
struct TelemetrySources {
    protocol::Node& node;
    std::string node_name;
    std::span<Runner* const> runners;
    const EventHistory& events;
    Instant started_at;
};

/// Answers commands while it lives; afterwards they answer null. One at a time in a process.
class Telemetry {
  public:
    /// Throws std::runtime_error when DPDK refuses a command.
    explicit Telemetry(TelemetrySources sources);
    ~Telemetry();
    Telemetry(const Telemetry&) = delete;
    Telemetry& operator=(const Telemetry&) = delete;

  private:
    TelemetrySources sources_;
};

}  // namespace holdfast::engine
