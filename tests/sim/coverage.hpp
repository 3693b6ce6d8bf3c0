// Which states connections were in when something went wrong.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "tests/sim/fault.hpp"

namespace holdfast::sim {

class Coverage {
  public:
    /// `client` and `server` are the states of the two endpoints; a server that knows nothing yet is closed.
    void count(FaultKind fault, State client, State server) {
        ++cells_[{static_cast<std::uint8_t>(client), static_cast<std::uint8_t>(server),
                  static_cast<std::uint8_t>(fault)}];
    }
    void add(const Coverage& o) {
        for (const auto& [cell, n] : o.cells_) cells_[cell] += n;
    }
    /// One line per cell, for another process to read back.
    std::string save() const;
    void load_line(const std::string& line);
    /// A table: rows are pairs of states, columns are faults.
    std::string print() const;
    /// Cells that must not be empty and are.
    unsigned empty_cells() const;

  private:
    using Cell = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>;
    std::uint64_t at(State client, State server, FaultKind fault) const;
    std::map<Cell, std::uint64_t> cells_;
};

}  // namespace holdfast::sim
