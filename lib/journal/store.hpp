// What a journal needs of a disk. engine/journal has one on io_uring; tests have one in memory.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/time.hpp"
#include "lib/journal/record.hpp"

namespace holdfast::journal {

/// Beyond a store's bound there is room for the records of so many terms: a log that is full does not keep
/// its node from becoming active, nor another one from joining it.
inline constexpr std::size_t terms_beyond_bound = 4096;

/// A log that survives its program. Calls never wait for the disk, but for truncate(), set_aside() and
/// read_now(), which are for the moments in which a standby joins. Called by one thread.
///
///     0                    durable()           end()
///     |--- on the disk ----|-- in memory only --|
class Store {
  public:
    virtual ~Store() = default;

    virtual LogPosition end() const = 0;
    /// What lies below is on the disk, and stays there when the power fails.
    virtual LogPosition durable() const = 0;

    /// Bytes that may wait for the disk.
    virtual std::size_t capacity() const = 0;
    /// Appends a whole record, or nothing: then there is no room in memory (the disk is slow, full or fails)
    /// or within the store's bound, beyond which only records of terms go.
    virtual bool append(std::span<const std::uint8_t> record) = 0;
    /// Copies bytes from `at` on, which lies in [0, end]. Returns how many; 0 when they must be fetched
    /// first, which this call has begun.
    virtual std::size_t read(LogPosition at, std::span<std::uint8_t> out) = 0;
    /// The same, and waits. 0: the disk fails.
    virtual std::size_t read_now(LogPosition at, std::span<std::uint8_t> out) = 0;
    /// Keeps what lies from `at` on, where the log is in `term`, apart from the log and for good; the log is
    /// as before. False, and nothing is kept: the disk fails or is full, or what is kept already has reached
    /// the store's bound.
    virtual bool set_aside(LogPosition at, const Term& term) = 0;
    /// The log ends at `to`, which lies in [0, end], and in `term`: what lies above never was.
    virtual void truncate(LogPosition to, const Term& term) = 0;

    /// Takes what the disk has done, and asks for more.
    virtual void advance(Instant now) = 0;
    virtual Instant next_deadline() const = 0;
};

}  // namespace holdfast::journal
