// The ledger of one receiving direction: the only source of ACK numbers of a terminated leg (R1).
//
//     acknowledged <= releasable <= received
//     ------------|==============|---------------|....  sequence positions
//       told X      every gate     taken, gates
//                   has passed     still open
//
// An ACK number that leaves a SACKed segment at the head of the sender's queue looks like reneging (Linux:
// tcp_check_sack_reneging): that is, one from the start of such a range up to its last byte. ack_number()
// stops one byte below the range until all of it is releasable.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "lib/base/seq_num.hpp"

namespace holdfast::tcp {

struct PositionRange {
    Position begin = 0, end = 0;
};

class AckLedger {
  public:
    static constexpr std::size_t sacked_max = 8;

    /// Starts with everything below `position` received and acknowledged.
    void start(Position position) { *this = AckLedger{position}; }
    AckLedger() = default;

    Position acknowledged() const { return acknowledged_; }
    Position releasable() const { return releasable_; }
    Position received() const { return received_; }
    bool nothing_withheld() const { return releasable_ == received_; }

    /// `position` is now known to be received in full.
    void receive_until(Position position) { received_ = std::max(received_, position); }
    /// All gates have passed for what lies below `position`; returns false when that was more than received
    /// (clamped, for the caller to count).
    bool release_until(Position position) {
        const bool sane = position <= received_;
        releasable_ = std::max(releasable_, std::min(position, received_));
        return sane;
    }
    /// The ACK number that may be sent now.
    Position ack_number() const {
        auto ack = releasable_;
        // Stepping below one range may lead into another that touches it.
        for (bool moved = sacked_count_ > 0; moved;) {
            moved = false;
            for (std::size_t i = 0; i < sacked_count_; ++i)
                if (const auto r = sacked(i); r.begin <= ack && ack < r.end) {
                    ack = r.begin - 1;
                    moved = true;
                }
        }
        return std::max(ack, acknowledged_);
    }
    /// An ACK with ack_number() leaves now.
    void note_ack_sent() {
        acknowledged_ = ack_number();
        for (std::size_t i = 0; i < sacked_count_;)
            if (sacked(i).end <= acknowledged_) forget(i);
            else ++i;
    }
    /// `range`, which was reported by SACK, is received in order now, or will be next; ranges come in order.
    /// Where there are too many to remember, the last one grows over what lies between: its ACK comes later,
    /// never early.
    void note_sacked(PositionRange range) {
        const bool full = sacked_count_ == sacked_max;
        if (sacked_count_ > 0) {
            const auto last = sacked(sacked_count_ - 1u);
            if (full || range.begin <= last.end)
                return remember(sacked_count_ - 1u, {last.begin, std::max(last.end, range.end)});
        }
        remember(sacked_count_++, range);
    }
    bool is_clamped() const { return ack_number() < releasable_; }

  private:
    explicit AckLedger(Position position)
        : acknowledged_(position), releasable_(position), received_(position) {}

    /// A remembered range lies within 2^31 of the last ACK, like all that a window can hold: its low halves
    /// tell the whole.
    struct LowHalves {
        std::uint32_t begin = 0, end = 0;
    };
    PositionRange sacked(std::size_t i) const {
        return {near_acknowledged(sacked_[i].begin), near_acknowledged(sacked_[i].end)};
    }
    Position near_acknowledged(std::uint32_t low) const {
        return acknowledged_ + static_cast<Position>(std::int64_t{static_cast<std::int32_t>(
                                   low - static_cast<std::uint32_t>(acknowledged_))});
    }
    /// The others stay in order.
    void forget(std::size_t i) {
        std::copy(sacked_.begin() + i + 1, sacked_.begin() + sacked_count_, sacked_.begin() + i);
        --sacked_count_;
    }
    void remember(std::size_t i, PositionRange r) {
        sacked_[i] = {static_cast<std::uint32_t>(r.begin), static_cast<std::uint32_t>(r.end)};
    }

    Position acknowledged_ = 0, releasable_ = 0, received_ = 0;
    std::uint8_t sacked_count_ = 0;
    std::array<LowHalves, sacked_max> sacked_{};
};

}  // namespace holdfast::tcp
