// What goes wrong in a run, and when.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/random.hpp"
#include "lib/base/time.hpp"
#include "tests/sim/socket.hpp"

namespace holdfast::sim {

enum class FaultKind : std::uint8_t {
    kill,           ///< the active node dies between two events
    kill_in_burst,  ///< the active node dies in the middle of a burst
    pause,          ///< the active node stops and goes on (SIGSTOP, SIGCONT)
    stall,          ///< one protocol core of the active stops
    cut_client,     ///< the active's link to the client network
    cut_server,
    cut_mirror,
    kill_standby,
    pause_standby,
    count_
};
inline constexpr std::string_view fault_names[] = {"kill",       "kill in burst", "pause",
                                                   "stall",      "cut client",    "cut server",
                                                   "cut mirror", "kill standby",  "pause standby"};
constexpr std::string_view name(FaultKind k) { return fault_names[static_cast<std::size_t>(k)]; }

/// A fault happens at a time, or when a socket gets into a state.
struct Trigger {
    Duration after{};            ///< since the fault before it was over (the first: since the traffic began)
    std::optional<State> state;  ///< wait for this, at most until `latest`
    unsigned conversation = 0;
    bool at_server = false;
    Duration latest = seconds(3);
};

struct Fault {
    FaultKind kind{};
    Trigger trigger;
    Duration lasts{};  ///< of pause, stall, cut; until the restart of a killed node
    bool restarts = true;
    bool keeps_term = true;
    bool waits_for_standby = true;  ///< only when the standby is ready
    std::size_t core = 0;           ///< of stall and kill_in_burst

    std::string to_string() const;
};

Fault draw_fault(Random& random, FaultKind kind, unsigned conversations);

}  // namespace holdfast::sim
