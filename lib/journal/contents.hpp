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
    /// Whether take_back() of what stands at `to` and above leaves exactly what was known before: nothing
    /// there took the place of another session. If not, begin_again().
    bool can_take_back(LogPosition to) const { return to > displaced_at_; }
    /// The record, the first of its session that does, goes with all that follows. In the log's order, from
    /// the record at `to` on; then truncate(to).
    void take_back(const Record& r);
    void truncate(LogPosition to);
    /// Nothing is known of sessions: all of the log is to be added anew. The terms stay.
    void begin_again();

    /// nullptr when the log has nothing of it.
    const Held* find(SessionId id) const;
    /// What is held of the slot's session is another one's.
    void forget(std::uint32_t slot);
    const Terms& terms() const { return terms_; }
    /// Something of a session.
    bool holds_data() const { return data_at_ != nowhere; }

  private:
    static constexpr LogPosition nowhere = ~LogPosition{0};
    bool forget_all();

    ZeroedArray<Held> held_;
    Terms terms_;
    LogPosition data_at_ = nowhere;  ///< of the first record of a session
    LogPosition displaced_at_ = 0;   ///< of the last record that took the place of a session
};

}  // namespace holdfast::journal
