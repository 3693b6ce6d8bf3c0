// What a store asks of the kernel.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/journal/disk_store.hpp"

namespace holdfast::engine {

using journal::LogPosition;

std::size_t DiskStore::segment_of(LogPosition at) const {
    const auto next = std::ranges::upper_bound(segments_, at, {}, &Segment::first);
    return static_cast<std::size_t>(next - segments_.begin()) - 1;
}

LogPosition DiskStore::end_of(std::size_t segment) const {
    return segment + 1 < segments_.size() ? segments_[segment + 1].first : end_;
}

/// The files become what the store believes of them: at the start, and after truncate(). The newest goes
/// first, so that whatever ends this halfway leaves a log without a gap.
void DiskStore::cut_files() {
    files_stale_ = true;
    if (file_ >= 0) close(file_);
    file_ = -1;
    std::error_code error;
    std::vector<SegmentFile> files;
    try {
        files = segment_files(s_.directory);
    } catch (const std::filesystem::filesystem_error& e) {
        return fail(e.code().value());  // tried again, as all that fails
    }
    for (auto f = files.rbegin(); f != files.rend() && !error; ++f)
        if (f->first >= durable_) std::filesystem::remove(f->path, error);
    if (error) return fail(error.value());
    for (auto& s : segments_) s.created = s.created && s.first < durable_;
    const auto last =
        std::find_if(segments_.rbegin(), segments_.rend(), [](const Segment& s) { return s.created; });
    if (last != segments_.rend()) {
        file_ = open(segment_path(s_.directory, last->first).c_str(), O_RDWR | O_CLOEXEC);
        file_first_ = last->first;
        const auto size = journal::segment_header_size + (durable_ - last->first);
        // The marks first: they may say that more was durable, which would be damage where it is missing.
        journal::encode(journal::SegmentHeader{last->first, last->term, whole_records()}, header_);
        if (file_ < 0 || pwrite(file_, header_, sizeof header_, 0) != sizeof header_ ||
            fdatasync(file_) != 0 || ftruncate(file_, static_cast<off_t>(size)) != 0 || fdatasync(file_) != 0)
            return fail(errno);
    }
    if (fsync(directory_) != 0) return fail(errno);
    files_stale_ = false;
}

void DiskStore::start_write() {
    const auto i = segment_of(durable_);
    const auto& segment = segments_[i];
    if (segment.created) return write_from(segment, end_of(i));
    if (file_ >= 0 && file_first_ == segment.first) return write_header(segment);
    open_segment(segment);
}

void DiskStore::open_segment(const Segment& segment) {
    if (file_ >= 0) close(file_);
    file_ = -1;
    file_first_ = segment.first;
    path_ = segment_path(s_.directory, segment.first).string();
    ring_.put(static_cast<std::uint64_t>(Operation::open), 0, [this](io_uring_sqe* sqe) {
        io_uring_prep_openat(sqe, AT_FDCWD, path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    });
    in_flight_ = 1;
    ring_.submit();
}

void DiskStore::put_sync(unsigned flags, int fd, unsigned how) {
    ring_.put(static_cast<std::uint64_t>(Operation::sync), flags,
              [=](io_uring_sqe* sqe) { io_uring_prep_fsync(sqe, fd, how); });
}

/// Before any record is written behind it: so a header that does not check has none.
void DiskStore::write_header(const Segment& segment) {
    journal::encode(journal::SegmentHeader{segment.first, segment.term, segment.first}, header_);
    batch_is_header_ = true;
    batch_size_ = sizeof header_;
    written_ = 0;
    batch_error_ = 0;
    ring_.put(static_cast<std::uint64_t>(Operation::write), IOSQE_IO_LINK,
              [this](io_uring_sqe* sqe) { io_uring_prep_write(sqe, file_, header_, sizeof header_, 0); });
    put_sync(IOSQE_IO_LINK, file_, IORING_FSYNC_DATASYNC);
    // The name of a new file must be durable, too.
    put_sync(0, directory_, 0);
    in_flight_ = 3;
    ring_.submit();
}

/// A batch: from durable_ to `limit` or less, which lie in one segment, and what makes it durable. Its mark
/// says what was durable before it.
void DiskStore::write_from(const Segment& segment, LogPosition limit) {
    const auto place = durable_ % buffer_.size();
    const auto n = std::min({static_cast<std::size_t>(limit - durable_), buffer_.size() - place, batch_max_});
    const auto at = journal::segment_header_size + (durable_ - segment.first);
    journal::encode_mark(journal::SegmentHeader{segment.first, segment.term, whole_records()}, mark_);
    batch_is_header_ = false;
    batch_size_ = n;
    written_ = 0;
    batch_error_ = 0;
    const auto mark_at = journal::mark_place(batches_++);
    ring_.put(static_cast<std::uint64_t>(Operation::mark), IOSQE_IO_LINK, [=, this](io_uring_sqe* sqe) {
        io_uring_prep_write(sqe, file_, mark_, sizeof mark_, mark_at);
    });
    ring_.put(static_cast<std::uint64_t>(Operation::write), IOSQE_IO_LINK, [=, this](io_uring_sqe* sqe) {
        io_uring_prep_write(sqe, file_, &buffer_[place], static_cast<unsigned>(n), at);
    });
    put_sync(0, file_, IORING_FSYNC_DATASYNC);
    in_flight_ = 3;
    ring_.submit();
}

void DiskStore::start_read(LogPosition at) {
    const auto i = segment_of(at);
    const auto& segment = segments_[i];
    const auto limit = std::min(end_of(i), durable_);
    if (read_file_ >= 0) close(read_file_);
    read_file_ = open(segment_path(s_.directory, segment.first).c_str(), O_RDONLY | O_CLOEXEC);
    if (read_file_ < 0) {
        read_error_ = errno;
        return fail(errno);
    }
    read_at_ = at;
    read_size_ = 0;
    const auto n = static_cast<unsigned>(std::min<std::uint64_t>(read_buffer_.size(), limit - at));
    ring_.put(static_cast<std::uint64_t>(Operation::read), 0, [&](io_uring_sqe* sqe) {
        io_uring_prep_read(sqe, read_file_, read_buffer_.data(), n,
                           journal::segment_header_size + (at - segment.first));
    });
    reading_ = true;
    ring_.submit();
}

void DiskStore::reap(bool wait) {
    ring_.reap(wait, [this](std::uint64_t tag, int result) { take(static_cast<Operation>(tag), result); });
}

void DiskStore::take(Operation operation, int result) {
    if (operation == Operation::read) {
        reading_ = false;
        read_size_ = result > 0 ? static_cast<std::size_t>(result) : 0;
        read_error_ = result > 0 ? 0 : result < 0 ? -result : EIO;
        if (read_error_ != 0) fail(read_error_);
        return;
    }
    --in_flight_;
    if (operation == Operation::open) {
        if (result < 0) return fail(-result);
        file_ = result;
        return;
    }
    if (operation == Operation::mark && result >= 0 && result != journal::mark_size) result = -EIO;
    if (operation == Operation::write && result > 0) written_ = static_cast<std::size_t>(result);
    // What follows in a chain that broke is only canceled.
    if (result < 0 && result != -ECANCELED && batch_error_ == 0) batch_error_ = -result;
    if (in_flight_ == 0) finish_write();
}

/// After durable_ has moved, while what it passed is in memory.
void DiskStore::pass_records() {
    while (next_record_ < durable_) {
        std::uint8_t front[journal::record_header_size];
        copy_out(next_record_, front);
        record_ = next_record_;
        next_record_ += *journal::claimed_size(front);
    }
}

void DiskStore::finish_write() {
    constexpr std::size_t batch_default = 1u << 20;
    if (batch_error_ == 0 && written_ == batch_size_) {
        if (batch_is_header_) segments_[segment_of(durable_)].created = true;
        else durable_ += batch_size_, pass_records();
        batch_max_ = batch_default;
        return status_.error.store(0, std::memory_order_relaxed);
    }
    if (batch_error_ != 0) return fail(batch_error_);
    if (batch_is_header_ || written_ == 0) return fail(ENOSPC);
    // The disk took the beginning: that alone is made durable next, and the rest says what is wrong.
    batch_max_ = written_;
}

}  // namespace holdfast::engine
