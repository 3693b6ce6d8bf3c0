// A log on a disk: segment files, written and made durable by io_uring.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/journal/directory.hpp"
#include "engine/journal/uring.hpp"
#include "lib/journal/store.hpp"

namespace holdfast::engine {

/// What other threads may know of a store.
struct StoreStatus {
    std::atomic<int> error{0};               ///< of the last operation, an errno; 0: the disk works
    std::atomic<std::uint64_t> failures{0};  ///< of operations, which are tried again
    std::atomic<bool> full{false};           ///< its bound is reached: until it is opened with a higher one
    std::atomic<bool> aside_full{false};     ///< what was set aside has reached the bound, and is in the way
    /// What was set aside last: `asides` counts them, and moves when all of it is written.
    std::atomic<std::uint64_t> aside_term{0}, aside_at{0}, aside_bytes{0}, aside_nth{0}, asides{0};
};

struct DiskStoreSettings {
    std::filesystem::path directory;
    std::uint64_t bytes_max = 0;              ///< of the log
    std::uint64_t segment_bytes = 64u << 20;  ///< of a file, at most
    std::uint32_t buffer_bytes = 8u << 20;    ///< in memory, until they are durable
};

/// One batch is on its way to the disk at a time: a write and, behind it, what makes it durable; meanwhile
/// the next one gathers. What fails is done again, from the first byte that is not durable: after a failed
/// fdatasync nobody knows what of it the kernel still has (man 2 fsync), so it is written again, too.
class DiskStore final : public journal::Store {
  public:
    /// Reads the log, shows its records to `visit`, and cuts off a torn tail. Throws StartRefused: the
    /// directory is in use or can not be used, or the log is damaged.
    DiskStore(const DiskStoreSettings& settings, const journal::RecordVisitor& visit);
    ~DiskStore() override;

    journal::LogPosition end() const override { return end_; }
    journal::LogPosition durable() const override { return durable_; }
    std::size_t capacity() const override { return buffer_.size(); }
    bool append(std::span<const std::uint8_t> record) override;
    std::size_t read(journal::LogPosition at, std::span<std::uint8_t> out) override;
    std::size_t read_now(journal::LogPosition at, std::span<std::uint8_t> out) override;
    bool set_aside(journal::LogPosition at, const journal::Term& term) override;
    void truncate(journal::LogPosition to, const journal::Term& term) override;
    void advance(Instant now) override;
    Instant next_deadline() const override;

    const StoreStatus& status() const { return status_; }
    /// Bytes of a torn tail that were cut off at the start.
    std::uint64_t repaired() const { return repaired_; }

  private:
    enum class Operation : std::uint64_t { open, mark, write, sync, read };
    struct Segment {
        journal::LogPosition first;
        journal::Term term;
        bool created;  ///< its file is there, with its header, whatever happens
    };

    // disk_store.cpp
    void lock_directory();
    void load(const journal::RecordVisitor& visit);
    journal::LogPosition cached_from() const;
    void copy_out(journal::LogPosition at, std::span<std::uint8_t> out) const;
    void fail(int error);
    // disk_store_io.cpp
    void cut_files();
    void start_write();
    void open_segment(const Segment& segment);
    void write_header(const Segment& segment);
    void write_from(const Segment& segment, journal::LogPosition limit);
    void put_sync(unsigned flags, int fd, unsigned how);
    void start_read(journal::LogPosition at);
    void reap(bool wait);
    void take(Operation operation, int result);
    void finish_write();
    std::size_t segment_of(journal::LogPosition at) const;
    journal::LogPosition end_of(std::size_t segment) const;
    void pass_records();
    /// Below it whole records are durable: batches end anywhere.
    journal::LogPosition whole_records() const { return next_record_ == durable_ ? durable_ : record_; }
    // disk_store_aside.cpp
    std::filesystem::path place_aside(journal::LogPosition at, std::uint64_t& nth) const;
    void keep_pieces(const std::filesystem::path& directory, journal::LogPosition at,
                     const journal::Term& term);
    void copy_piece(const std::filesystem::path& path, const journal::SegmentHeader& header);

    DiskStoreSettings s_;
    StoreStatus status_;
    std::string path_;                     ///< of the segment that is being opened
    int directory_ = -1, file_ = -1;       ///< file_: of the segment in which durable_ lies
    journal::LogPosition file_first_ = 0;  ///< of the segment that file_ is
    Uring ring_{8};
    std::vector<Segment> segments_;
    journal::LogPosition durable_ = 0, end_ = 0;
    /// Beginnings of records: of the last one below durable_, and of the first one not below.
    journal::LogPosition record_ = 0, next_record_ = 0;
    journal::Term term_;
    std::uint64_t repaired_ = 0;
    Instant now_{}, retry_at_{};

    std::vector<std::uint8_t> buffer_;        ///< the byte at a position stands at position % size
    journal::LogPosition buffered_from_ = 0;  ///< below it the buffer never held this log
    bool files_stale_ = false;                ///< files hold what truncate() took back

    unsigned in_flight_ = 0;  ///< operations of the batch at hand
    int batch_error_ = 0;
    std::size_t batch_size_ = 0, written_ = 0;
    bool batch_is_header_ = false;
    std::size_t batch_max_;
    std::uint64_t batches_ = 0;
    std::uint8_t header_[journal::segment_header_size]{}, mark_[journal::mark_size]{};

    std::vector<std::uint8_t> read_buffer_;
    journal::LogPosition read_at_ = 0;
    std::size_t read_size_ = 0;
    int read_file_ = -1;
    bool reading_ = false;
    int read_error_ = 0;
};

}  // namespace holdfast::engine
