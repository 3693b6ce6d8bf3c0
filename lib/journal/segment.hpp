// A segment: one file of a log. A header that says where in the log it begins, then whole records.
//
//     0        512     1024          4096
//     | header | mark  | mark  | --  | records ...
//
// A mark says up to where the log was on the disk when a batch of records was written. It goes with the batch
// to the disk, in turn to the one place and to the other: whichever of the two checks and is greater holds.
// What the end of the power leaves of a batch may have holes, and all of them lie at or above that mark;
// below it what does not check is damage. The marks are this file's alone: a log that is a copy of another
// one's records has its own.
#pragma once

#include <functional>

#include "lib/journal/record.hpp"

namespace holdfast::journal {

struct SegmentHeader {
    LogPosition first = 0;  ///< of its first record
    Term term;              ///< in which the log is there
    LogPosition durable =
        0;  ///< what the marks say; not below `first`: it is made when all before is durable
};
inline constexpr std::size_t segment_header_size = 4096, mark_size = 20;

/// To the front of `out`, which has room for segment_header_size bytes. Both marks say `durable`.
void encode(const SegmentHeader& h, std::span<std::uint8_t> out);
/// nullopt when it does not check, or is of a version that this program does not know.
std::optional<SegmentHeader> decode_segment(std::span<const std::uint8_t> bytes);

/// Where in the file the mark with the number stands.
constexpr std::size_t mark_place(std::uint64_t number) { return 512 + 512 * (number % 2); }
/// The mark of `h`, of mark_size bytes.
void encode_mark(const SegmentHeader& h, std::span<std::uint8_t> out);

/// What follows the last sound record of a segment.
enum class Tail : std::uint8_t {
    none,
    torn,     ///< what became of a batch that was being written: nobody was told of it
    damaged,  ///< what was durable does not check any more, or is not there; or contradicts what came before
};

struct Scan {
    LogPosition end = 0;  ///< behind the last sound record
    Tail tail = Tail::none;
};

/// Sees each record in order; `at` is where it stands. False: it contradicts what came before.
using RecordVisitor = std::function<bool(const Record& r, LogPosition at)>;

/// Reads the records of a segment, `bytes` being what follows its header. The log is known to have been
/// durable up to `durable`. `term` is the header's, and becomes that of the end. A record that `visit`
/// refuses ends the scan as damage.
Scan scan_segment(std::span<const std::uint8_t> bytes, LogPosition first, LogPosition durable, Term& term,
                  const RecordVisitor& visit);

}  // namespace holdfast::journal
