#include "engine/journal/directory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;
using journal::LogPosition;

constexpr std::string_view suffix = ".seg";
constexpr std::size_t digits = 20;

/// A file's bytes, mapped.
class MappedFile {
  public:
    explicit MappedFile(const fs::path& path) {
        const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status {};
        if (fd < 0 || fstat(fd, &status) != 0) fail(path, fd);
        size_ = static_cast<std::size_t>(status.st_size);
        if (size_ != 0) data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data_ == MAP_FAILED) fail(path, fd);
        close(fd);
    }
    ~MappedFile() {
        if (size_ != 0) munmap(data_, size_);
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::uint8_t> bytes() const { return {static_cast<const std::uint8_t*>(data_), size_}; }

  private:
    [[noreturn]] static void fail(const fs::path& path, int fd) {
        const std::error_code error(errno, std::generic_category());
        if (fd >= 0) close(fd);
        throw fs::filesystem_error("a segment can not be read", path, error);
    }

    void* data_ = nullptr;
    std::size_t size_ = 0;
};

[[noreturn]] void damaged(const fs::path& path, const std::string& what, LogPosition sound) {
    throw DamagedLog(
        path.string() + ": " + what + ". Below position " + std::to_string(sound) +
        " the log is sound, and holdfast-journal reads it; what stood above may have been acknowledged, and "
        "can not be read here. If the other node runs and holds this log, keep this directory elsewhere and "
        "let the node start with an empty one: it gets all records from there. If not, a start with an empty "
        "one loses the whole log");
}

/// A header that got to the disk in part or not at all: nothing is written behind it before it is there.
bool is_unborn(std::span<const std::uint8_t> bytes) {
    constexpr std::size_t words = 40;  // of the header; the rest are marks and room
    if (bytes.size() > journal::segment_header_size) return false;
    std::array<std::uint8_t, journal::segment_header_size> whole{};
    std::ranges::copy(bytes, whole.begin());
    return bytes.size() < words || std::ranges::all_of(bytes, [](std::uint8_t b) { return b == 0; }) ||
           journal::decode_segment(whole);
}

/// One segment into `log`; `last`, it may have a torn tail.
void read_segment(LogFiles& log, SegmentFile& segment, bool last, const journal::RecordVisitor& visit) {
    // First the mark, then how much there is: a node may be writing meanwhile.
    const auto header = journal::decode_segment(MappedFile(segment.path).bytes());
    const MappedFile file(segment.path);
    const auto bytes = file.bytes();
    if (!header && last && is_unborn(bytes)) {
        log.torn = bytes.size();
        return;
    }
    if (!header || header->first != segment.first)
        damaged(segment.path, "its header does not check, or is of another version of Holdfast", log.end);
    if (log.end != segment.first || log.term != header->term)
        damaged(segment.path,
                "begins at " + std::to_string(segment.first) + ", but the log before it ends at " +
                    std::to_string(log.end),
                log.end);
    segment.term = header->term;
    const auto records = bytes.subspan(journal::segment_header_size);
    const auto scan = journal::scan_segment(records, segment.first, header->durable, log.term, visit);
    if (scan.tail == journal::Tail::damaged || (scan.tail == journal::Tail::torn && !last))
        damaged(segment.path, "the record at position " + std::to_string(scan.end) + " is damaged", scan.end);
    log.end = scan.end;
    log.torn = records.size() - (scan.end - segment.first);
    log.segments.push_back(segment);
}

}  // namespace

fs::path segment_path(const fs::path& directory, LogPosition first) {
    auto name = std::to_string(first);
    return directory / (std::string(digits - name.size(), '0') + name + std::string(suffix));
}

std::string set_aside_name(std::uint64_t term, LogPosition at, std::uint64_t nth) {
    const auto name = std::string(set_aside_prefix) + std::to_string(term) + "-" + std::to_string(at);
    return nth == 1 ? name : name + "-" + std::to_string(nth);
}

bool is_set_aside(const fs::path& directory) {
    const auto name = directory.has_filename() ? directory.filename() : directory.parent_path().filename();
    return name.string().starts_with(set_aside_prefix);
}

std::vector<SegmentFile> segment_files(const fs::path& directory) {
    std::vector<SegmentFile> files;
    for (const auto& entry : fs::directory_iterator(directory)) {
        const auto name = entry.path().filename().string();
        if (name.size() != digits + suffix.size() || !name.ends_with(suffix)) continue;
        SegmentFile file{0, {}, entry.path()};
        const auto* end = name.data() + digits;
        if (std::from_chars(name.data(), end, file.first).ptr == end) files.push_back(file);
    }
    std::ranges::sort(files, {}, &SegmentFile::first);
    return files;
}

LogFiles read_log(const fs::path& directory, const journal::RecordVisitor& visit) {
    LogFiles log;
    auto files = segment_files(directory);
    if (!files.empty() && is_set_aside(directory)) {
        // What comes before is the log that it was cut from.
        const MappedFile file(files.front().path);
        log.begin = log.end = files.front().first;
        if (const auto header = journal::decode_segment(file.bytes())) log.term = header->term;
    }
    for (auto& file : files) read_segment(log, file, &file == &files.back(), visit);
    return log;
}

}  // namespace holdfast::engine
