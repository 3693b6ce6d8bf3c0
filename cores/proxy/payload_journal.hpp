// What the standby holds of the bytes on their way to this side's endpoints: the active's account of it, and
// the records that tell the standby.
#pragma once

#include <span>

#include "cores/proxy/counters.hpp"
#include "cores/proxy/lane.hpp"

namespace holdfast::proxy {

/// A leg as bytes leave on it. Positions as in PayloadRecord.
struct PayloadContext {
    SessionId id;
    Position una = 1, edge = 1, ack = 1, window = 1;
    bool entrusted = false;  ///< gate standby alone
};

/// One writer of payload records: the core of `side`. Of each leg it keeps one range without a hole, the end
/// of what is on its way. It is bounded by leg and in all, and the standby never needs more room than this
/// account allows: records and account go the same way, in order.
class PayloadJournal {
  public:
    /// References outlive the journal.
    PayloadJournal(Side side, const LimitsConfig& limits, Ring<PayloadEntry>& ring, ProxyCounters& counters,
                   std::uint32_t slots);

    /// The mirror's epoch, 0 = no standby: what an earlier one was told is void.
    void follow(std::uint32_t epoch);
    /// Writes the epoch's first entry, if it is due. False when the ring is full.
    bool begin_epoch();
    /// Writes the end of the snapshot. False when the ring is full.
    bool end_snapshot();

    enum class Verdict : std::uint8_t {
        told,     ///< now or before; or there is nobody to be told
        limit,    ///< limits.payload_bytes or limits.payloads is reached
        refused,  ///< the ring is full
    };
    /// The bytes from `begin` on follow on the leg. They are told in whole or not at all.
    Verdict add(const PayloadContext& leg, Position begin, std::span<const std::uint8_t> bytes);
    /// Entrusted: what is told of the leg in this epoch begins at `begin`. False when the ring is full.
    bool begin_leg(const PayloadContext& leg, Position begin);
    /// Entrusted: behind what was told stands the far end's FIN. False when the ring is full.
    bool add_fin(const PayloadContext& leg);
    /// What lies below `una` has been acknowledged. False when that is yet to be told: the ring is full.
    bool release(const PayloadContext& leg);
    /// The last record of the leg in this epoch; 0 = none.
    std::uint64_t told(SessionId id) const { return is_of(id) ? told_[id.slot].sequence : 0; }
    /// Something was told of the leg in this epoch.
    bool is_told(SessionId id) const { return is_of(id); }
    /// Up to where it was, its FIN counted; 0 = nothing was.
    Position told_end(SessionId id) const {
        return is_of(id) ? told_[id.slot].end + (told_[id.slot].fin ? 1 : 0) : 0;
    }
    /// The last record of all.
    std::uint64_t written() const { return sequence_; }
    /// The leg needs nothing of this any more. May be said again while the ring is full.
    void end(SessionId id);

  private:
    /// What the standby was told to hold of a leg: [begin, end).
    struct Told {
        std::uint32_t generation = 0;
        std::uint32_t epoch = 0;
        Position begin = 0, end = 0;
        Position una = 0;            ///< as in the last record
        bool fin = false;            ///< and the FIN behind `end`
        std::uint64_t sequence = 0;  ///< of the last record with bytes or FIN
    };
    bool runs() const { return epoch_ != 0 && !start_pending_; }
    /// The entry is this session's, in this epoch.
    bool is_of(SessionId id) const {
        const auto& t = told_[id.slot];
        return runs() && t.epoch == epoch_ && t.generation == id.generation;
    }
    bool holds(SessionId id) const { return is_of(id) && told_[id.slot].begin < told_[id.slot].end; }
    Told& begin_told(SessionId id);
    void account(Told& told, Position begin, Position end);
    bool write(JournalKind kind);
    PayloadRecord& fill(const PayloadContext& leg, Position begin);

    const Side side_;
    const std::uint32_t leg_max_, blocks_max_;
    Ring<PayloadEntry>& ring_;
    ProxyCounters& counters_;
    ZeroedArray<Told> told_;
    PayloadEntry entry_{};  ///< being written; large
    std::uint32_t blocks_ = 0, epoch_ = 0;
    std::uint64_t sequence_ = 0;
    bool start_pending_ = false;
};

}  // namespace holdfast::proxy
