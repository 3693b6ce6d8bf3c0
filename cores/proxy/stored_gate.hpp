// Gate standby of sessions with a backend: up to where the standby has all that it is to hold of the bytes on
// their way to this side's endpoints.
#pragma once

#include <vector>

#include "cores/proxy/lane.hpp"

namespace holdfast::proxy {

/// Kept by the core that sends the bytes; the other core reads what is stored (PayloadLane::stored). Of a leg
/// one point of its stream at a time waits for its confirmation, so nothing here grows with the traffic.
class StoredGate {
  public:
    explicit StoredGate(ZeroedArray<std::atomic<Position>>& stored);

    /// True when all legs have to be covered anew: the mirror's epoch (0 = no standby), or whether its
    /// standby is in sync, has changed.
    bool follow(std::uint32_t epoch, bool in_sync);
    bool in_sync() const { return in_sync_; }

    /// How far the records have come: the last one written, and the last one that the standby has stored.
    struct Records {
        std::uint64_t written = 0, stored = 0;
    };
    /// Of the bytes of a leg below `end` the standby holds what it is to hold once it has stored the record
    /// `told`. True when more is stored than before.
    bool cover(SessionId id, Position end, std::uint64_t told, const Records& records);
    /// Nothing below `end` waits for a standby.
    void pass(SessionId id, Position end);
    /// Calls `visit(slot)` for each leg of which more is stored than before.
    template <class Visit>
    void take(const Records& records, Visit&& visit);
    /// Sets whether the leg waits for a standby; true when that is news.
    bool note_waiting(SessionId id, bool waits);
    std::uint32_t waiting() const { return waiting_; }
    void clear(std::uint32_t slot);

  private:
    struct Leg {
        std::uint32_t generation = 0;
        bool waits = false;
        Position end = 0;    ///< what was covered
        Position point = 0;  ///< of that, what waits for its confirmation; 0 = nothing
        std::uint64_t told = 0;
    };
    struct Waiting {
        SessionId id;
        std::uint64_t sequence = 0;
    };
    Leg& leg_of(SessionId id);
    bool settle(std::uint32_t slot, const Records& records);
    bool store(std::uint32_t slot, Position position);

    ZeroedArray<std::atomic<Position>>& stored_;
    ZeroedArray<Leg> legs_;
    std::vector<Waiting> queue_;  ///< in order of sequence, from head_ on
    std::size_t head_ = 0;
    std::uint32_t epoch_ = 0, waiting_ = 0;
    bool in_sync_ = false;
};

template <class Visit>
void StoredGate::take(const Records& records, Visit&& visit) {
    for (; head_ < queue_.size() && queue_[head_].sequence <= records.stored; ++head_) {
        const auto id = queue_[head_].id;
        auto& leg = legs_[id.slot];
        if (leg.generation != id.generation || leg.point == 0) continue;
        store(id.slot, leg.point);
        leg.point = 0;
        settle(id.slot, records);
        visit(id.slot);
    }
    // What is done leaves the front, so that the list never outgrows its reserve.
    if (head_ == queue_.size() || head_ >= legs_.size()) {
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
}

}  // namespace holdfast::proxy
