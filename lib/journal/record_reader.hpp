// The records of a store's log, one behind the other.
#pragma once

#include <vector>

#include "lib/journal/store.hpp"

namespace holdfast::journal {

/// Reads ahead, and may wait for the disk.
class RecordReader {
  public:
    /// `store` outlives it.
    explicit RecordReader(Store& store);

    /// next() gives the record at `at` first, which is of `term` or begins one.
    void start(LogPosition at, const Term& term);
    /// Where the next one stands.
    LogPosition at() const { return at_; }
    /// False: the log ends at at(), or its disk fails. The body is there until the next call.
    bool next(Record& r);

  private:
    Store& store_;
    std::vector<std::uint8_t> bytes_;  ///< a part of the log
    LogPosition begin_ = 0;            ///< where in the log it stands
    std::size_t size_ = 0;
    LogPosition at_ = 0;
    Term term_;
};

}  // namespace holdfast::journal
