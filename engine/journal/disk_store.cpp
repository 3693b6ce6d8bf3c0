#include "engine/journal/disk_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace holdfast::engine {

using journal::LogPosition;

namespace {
/// What failed, or had no room, is looked at again after this time.
constexpr Duration retry_after = milliseconds(100);
/// A disk is not asked more often whether it is done.
constexpr Duration poll_after = microseconds(50);
constexpr auto term_room = journal::terms_beyond_bound * journal::record_header_size;
constexpr auto term_room_in_memory = 64 * journal::record_header_size;
}  // namespace

DiskStore::DiskStore(const DiskStoreSettings& settings, const journal::RecordVisitor& visit)
    : s_(settings), buffer_(settings.buffer_bytes), batch_max_(1u << 20), read_buffer_(256u << 10) {
    // A node does not grow: what a very large bound asks for beyond this is left to the heap.
    segments_.reserve(std::min<std::uint64_t>(s_.bytes_max / s_.segment_bytes + 2, 1u << 16));
    try {
        std::filesystem::create_directories(s_.directory);
        lock_directory();
        load(visit);
    } catch (const std::runtime_error& e) {
        throw StartRefused(std::string("journal: ") + e.what());
    }
}

DiskStore::~DiskStore() {
    while (in_flight_ != 0 || reading_) reap(true);
    for (const int fd : {file_, read_file_, directory_})
        if (fd >= 0) close(fd);
}

void DiskStore::lock_directory() {
    directory_ = open(s_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_ < 0)
        throw std::filesystem::filesystem_error("can not be opened", s_.directory,
                                                std::error_code(errno, std::generic_category()));
    if (flock(directory_, LOCK_EX | LOCK_NB) != 0)
        throw StartRefused(s_.directory.string() +
                           " is in use by another process; stop it, or name another journal_dir");
}

void DiskStore::load(const journal::RecordVisitor& visit) {
    const auto log = read_log(s_.directory, visit);
    for (const auto& file : log.segments) segments_.push_back({file.first, file.term, true});
    end_ = durable_ = buffered_from_ = next_record_ = log.end;
    term_ = log.term;
    repaired_ = log.torn;
    cut_files();
    if (status_.error != 0)
        throw std::filesystem::filesystem_error("can not be written to", s_.directory,
                                                std::error_code(status_.error, std::generic_category()));
}

bool DiskStore::append(std::span<const std::uint8_t> record) {
    const auto n = record.size();
    const auto term = journal::term_of(record);
    if (end_ + n > s_.bytes_max + (term ? term_room : 0)) {
        status_.full.store(true, std::memory_order_relaxed);
        return false;
    }
    // In memory, too: a disk that fails keeps no standby of other services from joining.
    if (end_ + n - durable_ > buffer_.size() - (term ? 0 : term_room_in_memory)) return false;
    const bool cut = segments_.empty() ||
                     (end_ > segments_.back().first && end_ + n - segments_.back().first > s_.segment_bytes);
    if (cut) segments_.push_back({end_, term_, false});
    const auto place = end_ % buffer_.size();
    const auto first = std::min(n, buffer_.size() - place);
    std::memcpy(&buffer_[place], record.data(), first);
    std::memcpy(buffer_.data(), record.data() + first, n - first);
    end_ += n;
    if (term) term_ = *term;
    return true;
}

LogPosition DiskStore::cached_from() const {
    return std::max(buffered_from_, end_ > buffer_.size() ? end_ - buffer_.size() : 0);
}

void DiskStore::copy_out(LogPosition at, std::span<std::uint8_t> out) const {
    const auto place = at % buffer_.size();
    const auto first = std::min(out.size(), buffer_.size() - place);
    std::memcpy(out.data(), &buffer_[place], first);
    std::memcpy(out.data() + first, buffer_.data(), out.size() - first);
}

std::size_t DiskStore::read(LogPosition at, std::span<std::uint8_t> out) {
    const auto n = std::min<std::uint64_t>(out.size(), end_ - at);
    if (at >= cached_from()) {
        copy_out(at, out.first(n));
        return n;
    }
    if (at >= read_at_ && at < read_at_ + read_size_) {
        const auto m = std::min<std::uint64_t>(n, read_at_ + read_size_ - at);
        std::memcpy(out.data(), &read_buffer_[at - read_at_], m);
        return m;
    }
    if (!reading_ && now_ >= retry_at_) start_read(at);
    return 0;
}

std::size_t DiskStore::read_now(LogPosition at, std::span<std::uint8_t> out) {
    read_error_ = 0;
    retry_at_ = now_;
    for (;;) {
        if (const auto n = read(at, out); n != 0 || read_error_ != 0 || !reading_) return n;
        reap(true);
    }
}

void DiskStore::truncate(LogPosition to, const journal::Term& term) {
    while (in_flight_ != 0 || reading_) reap(true);
    // Where the buffer holds nothing of what remains, it holds nothing.
    buffered_from_ = std::min(cached_from(), to);
    while (!segments_.empty() && segments_.back().first >= to) segments_.pop_back();
    end_ = to;
    if (durable_ >= to) durable_ = next_record_ = to;
    term_ = term;
    read_size_ = 0;
    files_stale_ = true;
    status_.full.store(false, std::memory_order_relaxed);
}

void DiskStore::advance(Instant now) {
    now_ = now;
    reap(false);
    if (in_flight_ != 0 || now_ < retry_at_) return;
    if (files_stale_) cut_files();
    if (!files_stale_ && durable_ < end_) start_write();
}

Instant DiskStore::next_deadline() const {
    auto at = Instant::never();
    if (in_flight_ != 0 || reading_) at = now_ + poll_after;
    else if (durable_ < end_ || files_stale_) at = earlier(at, later(retry_at_, now_));
    return at;
}

void DiskStore::fail(int error) {
    status_.error.store(error, std::memory_order_relaxed);
    status_.failures.fetch_add(1, std::memory_order_relaxed);
    retry_at_ = now_ + retry_after;
}

}  // namespace holdfast::engine
