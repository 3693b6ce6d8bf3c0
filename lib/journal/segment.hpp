// A segment: one file of a log. A header that says where in the log it begins, then whole records.
#pragma once

#include <functional>

#include "lib/journal/record.hpp"

namespace holdfast::journal {

struct SegmentHeader {
    LogPosition first = 0;  ///< of its first record
    Term term;              ///< in which the log is there
};
inline constexpr std::size_t segment_header_size = 40;

/// To the front of `out`, which has room for segment_header_size bytes.
void encode(const SegmentHeader& h, std::span<std::uint8_t> out);
/// nullopt when it does not check, or is of a version that this program does not know.
std::optional<SegmentHeader> decode_segment(std::span<const std::uint8_t> bytes);

/// What follows the last sound record of a segment.
enum class Tail : std::uint8_t {
    none,
    torn,  ///< the beginning of a record, or what became of one that was being written: nothing sound follows
    damaged,  ///< sound records follow: what stood here was lost
};

struct Scan {
    LogPosition end = 0;  ///< behind the last sound record
    Tail tail = Tail::none;
};

/// Sees each record in order; `at` is where it stands. False: it contradicts what came before.
using RecordVisitor = std::function<bool(const Record& r, LogPosition at)>;

/// Reads the records of a segment, `bytes` being what follows its header. `term` is the header's, and
/// becomes that of the end. A record that `visit` refuses ends the scan as damage.
Scan scan_segment(std::span<const std::uint8_t> bytes, LogPosition first, Term& term,
                  const RecordVisitor& visit);

}  // namespace holdfast::journal
