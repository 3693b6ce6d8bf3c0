// What a log holds of the sessions that may live, and its terms: all that is known of it without reading it.
#pragma once

#include "lib/journal/terms.hpp"
#include "lib/table/zeroed_array.hpp"

namespace holdfast::journal {

/// One session. All bytes zero is none.
struct Held {
    bool known = false;
    bool ended = false;  ///< with its end of stream
    std::uint32_t generation = 0;
    std::uint32_t party = 0;  ///< party_hash() of its client
    std::uint64_t number = 0;
    std::uint64_t offset = 0;  ///< the log has the bytes below
};

class Contents {
  public:
    /// Sessions in higher slots are not kept: they can not live here.
    explicit Contents(std::uint32_t slots) : held_(slots) {}

    /// The next record of the log. False: it leaves a gap in its session or doubles something.
    bool add(const Record& r, LogPosition at);
    /// The record, the first of its session that does, goes with all that follows. In the log's order, from
    /// the record at `to` on; then truncate(to).
    void take_back(const Record& r);
    void truncate(LogPosition to);

    /// nullptr when the log has nothing of it.
    const Held* find(SessionId id) const;
    /// What is held of the slot's session is another one's.
    void forget(std::uint32_t slot);
    const Terms& terms() const { return terms_; }
    bool holds_data() const { return holds_data_; }

  private:
    void forget_all();

    ZeroedArray<Held> held_;
    Terms terms_;
    bool holds_data_ = false;
};

}  // namespace holdfast::journal
