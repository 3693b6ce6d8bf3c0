// The terms of a log, and how two logs find what they have in common.
//
// A term is written by one node, one record after the other, and every other log that has records of it has
// them from there: so two logs that share a term are the same up to where the shorter one's part of it ends.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "lib/journal/record.hpp"

namespace holdfast::journal {

struct TermStart {
    Term term;
    LogPosition at = 0;     ///< of the record that begins it
    bool complete = false;  ///< as that record says
};

class Terms {
  public:
    /// So many are kept; the oldest goes.
    static constexpr std::size_t kept_max = 256;

    Terms() { starts_.reserve(kept_max); }
    /// Not before the last one.
    void begin(const TermStart& start);
    /// Those that begin at or above `to` never were.
    void truncate(LogPosition to);
    /// {0, 0} before the first.
    Term last() const { return starts_.empty() ? Term{} : starts_.back().term; }
    /// Of the records just before `position`.
    Term at(LogPosition position) const;
    /// nullptr when none begins there.
    const TermStart* beginning_at(LogPosition position) const;
    std::span<const TermStart> starts() const { return starts_; }

  private:
    std::vector<TermStart> starts_;
};

/// What a log tells of itself to the one that it is to be continued from.
struct Description {
    static constexpr std::size_t size_max = 256, terms_max = 10;

    LogPosition end = 0;
    bool holds_data = false;  ///< something of a session, not only terms
    std::size_t count = 0;
    std::array<TermStart, terms_max> newest{};  ///< its last terms, the newest first
};

Description describe(const Terms& terms, LogPosition end, bool holds_data);
/// Returns the size. `out` has room for size_max bytes.
std::size_t encode(const Description& d, std::span<std::uint8_t> out);
std::optional<Description> decode_description(std::span<const std::uint8_t> bytes);

/// Up to where the log with these terms, which ends at `end`, and the described one are the same.
/// nullopt: they have nothing in common, and the other one holds data, which is not for us to throw away.
std::optional<LogPosition> common_end(const Terms& terms, LogPosition end, const Description& other);

}  // namespace holdfast::journal
