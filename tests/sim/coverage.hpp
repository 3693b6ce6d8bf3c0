// Which states connections were in when something went wrong.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "tests/sim/fault.hpp"

namespace holdfast::sim {

/// Limits of a node that some run must reach, by the name of the counter that tells.
inline constexpr std::string_view refusal_names[] = {
    "relay_refused", "translate_refused",   "ring_refused",     "tx_queue_full",
    "no_buffer",     "payload_over_budget", "sessions_no_slot", "cookies_accepted"};

class Coverage {
  public:
    void count(FaultKind fault, StatePair states) { ++cells_[cell(states, fault)]; }
    /// A counter of a node; those that are no refusals are ignored.
    void count_refusals(std::string_view name, std::uint64_t n);
    /// How often the fault met a connection in these states.
    std::uint64_t at(StatePair states, FaultKind fault) const;
    /// One line per cell, for another process to read back.
    std::string save() const;
    void load_line(const std::string& line);
    /// A table: rows are pairs of states, columns are faults.
    std::string print() const;
    /// Cells that must not be empty and are, and limits never reached, in words.
    std::vector<std::string> empty_cells() const;

  private:
    using Cell = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>;
    static Cell cell(StatePair states, FaultKind fault) {
        return {static_cast<std::uint8_t>(states.client), static_cast<std::uint8_t>(states.server),
                static_cast<std::uint8_t>(fault)};
    }
    std::map<Cell, std::uint64_t> cells_;
    std::array<std::uint64_t, std::size(refusal_names)> refusals_{};
};

}  // namespace holdfast::sim
