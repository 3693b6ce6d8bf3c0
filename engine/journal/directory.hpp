// A journal's directory: its segments, and reading all of them.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "lib/journal/segment.hpp"

namespace holdfast::engine {

/// A log that can not be used as it is; says what is wrong in which file, and what to do.
class DamagedLog : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct SegmentFile {
    journal::LogPosition first = 0;
    journal::Term term;  ///< at its first record
    std::filesystem::path path;
};

std::filesystem::path segment_path(const std::filesystem::path& directory, journal::LogPosition first);

/// The files that are named like segments, in the order of the log; their headers are not read. Throws
/// std::filesystem::filesystem_error.
std::vector<SegmentFile> segment_files(const std::filesystem::path& directory);

/// Directories in a journal's directory with what was set aside: pieces of a log, which begin anywhere.
inline constexpr std::string_view set_aside_prefix = "cut-";
/// By the number of the term in which the log ended, and where the piece begins; the `nth` of that name.
std::string set_aside_name(std::uint64_t term, journal::LogPosition at, std::uint64_t nth);
bool is_set_aside(const std::filesystem::path& directory);

struct LogFiles {
    std::vector<SegmentFile> segments;
    journal::LogPosition begin = 0;  ///< 0, or where a piece that was set aside begins
    journal::LogPosition end = 0;
    journal::Term term;      ///< at the end
    std::uint64_t torn = 0;  ///< bytes behind the end, of what was being written when the node died
};

/// Reads the whole log and checks every record. Throws DamagedLog, or filesystem_error.
LogFiles read_log(const std::filesystem::path& directory, const journal::RecordVisitor& visit);

}  // namespace holdfast::engine
