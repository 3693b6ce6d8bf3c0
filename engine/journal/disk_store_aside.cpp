// What is cut from a log and may have been acknowledged: it is kept in a directory of its own, segments that
// the tool reads like those of a journal.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/journal/disk_store.hpp"

namespace holdfast::engine {

using journal::LogPosition;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view unfinished = "cut.unfinished";

[[noreturn]] void refuse(const fs::path& path, int error) {
    throw fs::filesystem_error("can not be kept", path, std::error_code(error, std::generic_category()));
}

/// A file of which all that was written is made durable at the end.
class NewFile {
  public:
    explicit NewFile(const fs::path& path)
        : path_(path), fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640)) {
        if (fd_ < 0) refuse(path_, errno);
    }
    ~NewFile() { close(fd_); }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    void write(std::span<const std::uint8_t> bytes) {
        while (!bytes.empty()) {
            const auto n = ::write(fd_, bytes.data(), bytes.size());
            if (n <= 0) refuse(path_, n < 0 ? errno : ENOSPC);
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
    }
    void sync() {
        if (fdatasync(fd_) != 0) refuse(path_, errno);
    }

  private:
    const fs::path& path_;
    int fd_;
};

void sync_directory(const fs::path& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) refuse(path, errno);
    const int error = fsync(fd) != 0 ? errno : 0;
    close(fd);
    if (error != 0) refuse(path, error);
}

/// Bytes of all that was set aside in a journal's directory.
std::uint64_t bytes_aside(const fs::path& directory) {
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(directory))
        if (entry.is_directory() && is_set_aside(entry.path()))
            for (const auto& file : segment_files(entry.path())) bytes += fs::file_size(file.path);
    return bytes;
}

}  // namespace

fs::path DiskStore::place_aside(LogPosition at, std::uint64_t& nth) const {
    for (nth = 1;; ++nth) {
        auto path = s_.directory / set_aside_name(term_.number, at, nth);
        if (!fs::exists(path)) return path;
    }
}

bool DiskStore::set_aside(LogPosition at, const journal::Term& term) {
    while (in_flight_ != 0 || reading_) reap(true);
    try {
        if (bytes_aside(s_.directory) + (end_ - at) > s_.bytes_max) {
            status_.aside_full.store(true, std::memory_order_relaxed);
            return false;
        }
        status_.aside_full.store(false, std::memory_order_relaxed);
        const auto making = s_.directory / unfinished;
        fs::remove_all(making);
        fs::create_directory(making);
        keep_pieces(making, at, term);
        sync_directory(making);
        std::uint64_t nth = 0;
        fs::rename(making, place_aside(at, nth));
        sync_directory(s_.directory);
        status_.aside_term.store(term_.number, std::memory_order_relaxed);
        status_.aside_at.store(at, std::memory_order_relaxed);
        status_.aside_bytes.store(end_ - at, std::memory_order_relaxed);
        status_.aside_nth.store(nth, std::memory_order_relaxed);
        status_.asides.fetch_add(1, std::memory_order_release);
        return true;
    } catch (const fs::filesystem_error& e) {
        fail(e.code().value());
        return false;
    }
}

/// Whole files that are not written to any more get a second name, as truncate() only takes the first one;
/// what is left of the others is copied.
void DiskStore::keep_pieces(const fs::path& directory, LogPosition at, const journal::Term& term) {
    for (auto i = segment_of(at); i < segments_.size() && at < end_; ++i) {
        const auto& segment = segments_[i];
        const auto end = end_of(i);
        const auto path = segment_path(directory, at);
        if (at == segment.first && end <= durable_ && i + 1 < segments_.size())
            fs::create_hard_link(segment_path(s_.directory, at), path);
        else copy_piece(path, {at, at == segment.first ? segment.term : term, end});
        at = end;
    }
}

/// `header.durable` is where the piece ends.
void DiskStore::copy_piece(const fs::path& path, const journal::SegmentHeader& header) {
    std::vector<std::uint8_t> bytes(1u << 20);
    NewFile file(path);
    encode(header, bytes);
    file.write(std::span(bytes).first(journal::segment_header_size));
    for (auto at = header.first; at < header.durable;) {
        const auto wanted = std::min<std::uint64_t>(bytes.size(), header.durable - at);
        const auto n = read_now(at, std::span(bytes).first(wanted));
        if (n == 0) refuse(path, read_error_ != 0 ? read_error_ : EIO);
        file.write(std::span(bytes).first(n));
        at += n;
    }
    file.sync();
}

}  // namespace holdfast::engine
