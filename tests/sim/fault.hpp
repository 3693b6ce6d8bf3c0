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
    empty_pools,  ///< the active finds no free mbuf
    count_
};
inline constexpr std::string_view fault_names[] = {
    "kill",       "kill in burst", "pause",        "stall",         "cut client",
    "cut server", "cut mirror",    "kill standby", "pause standby", "empty pools"};
constexpr std::string_view name(FaultKind k) { return fault_names[static_cast<std::size_t>(k)]; }

/// States of both ends of a relayed connection; a server that knows nothing of it is closed.
struct StatePair {
    State client{}, server{};
    bool operator==(const StatePair&) const = default;
    std::string to_string() const;
};

/// The pairs in which a relayed connection lives for a while: where faults are aimed at, and where coverage
/// is counted.
inline constexpr StatePair state_pairs[] = {
    {State::syn_sent, State::closed},          {State::syn_sent, State::syn_received},
    {State::established, State::syn_received}, {State::established, State::established},
    {State::fin_wait_1, State::established},   {State::fin_wait_2, State::close_wait},
    {State::fin_wait_1, State::close_wait},    {State::established, State::fin_wait_1},
    {State::close_wait, State::fin_wait_2},    {State::close_wait, State::fin_wait_1},
    {State::fin_wait_1, State::fin_wait_1},    {State::closing, State::fin_wait_1},
    {State::fin_wait_1, State::closing},       {State::closing, State::closing},
    {State::last_ack, State::fin_wait_2},      {State::fin_wait_2, State::last_ack},
    {State::last_ack, State::time_wait},       {State::time_wait, State::last_ack},
    {State::time_wait, State::closed},         {State::closed, State::time_wait},
    {State::time_wait, State::time_wait},      {State::fin_wait_1, State::last_ack},
    {State::last_ack, State::fin_wait_1},
};

/// A fault happens at a time, or when a connection gets into a pair of states.
struct Trigger {
    Duration after{};  ///< since the fault before it was over (the first: since the traffic began)
    std::optional<StatePair> states;  ///< wait for these, at most until `latest`; `after` counts from then
    unsigned skips = 0;               ///< connections that get there before it counts
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

Fault draw_fault(Random& random, FaultKind kind);

}  // namespace holdfast::sim
