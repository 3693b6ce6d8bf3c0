#include "cores/proxy/payload_journal.hpp"

#include <algorithm>
#include <cstring>

#include "cores/proxy/payload_store.hpp"

namespace holdfast::proxy {

PayloadJournal::PayloadJournal(Side side, const LimitsConfig& limits, Ring<PayloadEntry>& ring,
                               ProxyCounters& counters, std::uint32_t slots)
    : side_(side),
      leg_max_(limits.payload_bytes),
      blocks_max_(payload_blocks(limits)),
      ring_(ring),
      counters_(counters),
      told_(slots) {}

void PayloadJournal::follow(std::uint32_t epoch) {
    epoch_ = epoch;
    blocks_ = 0;
    sequence_ = 0;
    start_pending_ = epoch != 0;
}

bool PayloadJournal::begin_epoch() {
    if (start_pending_) start_pending_ = !write(JournalKind::epoch_start);
    return !start_pending_;
}

bool PayloadJournal::end_snapshot() { return write(JournalKind::snapshot_end); }

/// Writes entry_ as the next of the epoch.
bool PayloadJournal::write(JournalKind kind) {
    entry_.kind = kind;
    entry_.epoch = epoch_;
    entry_.sequence = sequence_ + 1;
    entry_.record.side = side_;
    if (!ring_.push(entry_)) return false;
    ++sequence_;
    return true;
}

PayloadRecord& PayloadJournal::fill(const PayloadContext& leg, Position begin) {
    auto& r = entry_.record;
    r.id = leg.id;
    r.over = false;
    r.entrusted = leg.entrusted;
    r.fin = told_[leg.id.slot].fin;
    r.size = 0;
    r.una = leg.una;
    r.edge = leg.edge;
    r.ack = leg.ack;
    r.window = leg.window;
    r.begin = begin;
    return r;
}

void PayloadJournal::account(Told& told, Position begin, Position end) {
    blocks_ += blocks_for(end - begin);
    blocks_ -= blocks_for(told.end - told.begin);
    told.begin = begin;
    told.end = end;
}

/// The account of the session, which may be new in the epoch or in its slot.
PayloadJournal::Told& PayloadJournal::begin_told(SessionId id) {
    auto& told = told_[id.slot];
    // What an earlier session of the slot held, the standby forgets when it hears of this one.
    if (told.epoch != epoch_) told = Told{};
    if (told.generation != id.generation) {
        account(told, 0, 0);
        told = Told{};
    }
    told.epoch = epoch_;
    told.generation = id.generation;
    return told;
}

bool PayloadJournal::begin_leg(const PayloadContext& leg, Position begin) {
    if (!runs()) return true;
    auto& told = begin_told(leg.id);
    fill(leg, begin);
    if (!write(JournalKind::progress)) {
        told = Told{};
        return false;
    }
    account(told, begin, begin);
    told.una = leg.una;
    told.sequence = sequence_;
    return true;
}

bool PayloadJournal::add_fin(const PayloadContext& leg) {
    if (!runs()) return true;
    auto& told = told_[leg.id.slot];
    if (told.fin) return true;
    fill(leg, told.end).fin = true;
    if (!write(JournalKind::progress)) return false;
    told.fin = true;
    told.una = leg.una;
    told.sequence = sequence_;
    return true;
}

PayloadJournal::Verdict PayloadJournal::add(const PayloadContext& leg, Position begin,
                                            std::span<const std::uint8_t> bytes) {
    if (!runs()) return Verdict::told;
    auto& told = begin_told(leg.id);
    // A translated segment may say again what was said before.
    const auto known = std::max(told.end, leg.una);
    if (begin + bytes.size() <= known) return Verdict::told;
    if (begin < known) {
        bytes = bytes.subspan(known - begin);
        begin = known;
    }
    const auto end = begin + bytes.size();
    const auto first = begin == told.end ? std::clamp(leg.una, told.begin, begin) : begin;
    const auto others = blocks_ - blocks_for(told.end - told.begin);
    if (end - first > leg_max_ || others + blocks_for(end - first) > blocks_max_) return Verdict::limit;
    if (ring_.free_count() < bytes.size() / payload_record_max + 1) return Verdict::refused;
    account(told, first, end);
    told.una = leg.una;
    counters_.add(Counter::payload_mirrored, bytes.size());
    while (!bytes.empty()) {
        auto& r = fill(leg, end - bytes.size());
        const auto size = std::min(bytes.size(), payload_record_max);
        std::memcpy(r.bytes.data(), bytes.data(), size);
        r.size = static_cast<std::uint16_t>(size);
        write(JournalKind::progress);
        bytes = bytes.subspan(size);
    }
    told.sequence = sequence_;
    return Verdict::told;
}

bool PayloadJournal::release(const PayloadContext& leg) {
    auto& told = told_[leg.id.slot];
    const bool news =
        leg.entrusted ? is_of(leg.id) && leg.una > told.una : holds(leg.id) && leg.una > told.begin;
    if (!news) return true;
    fill(leg, told.end);
    if (!write(JournalKind::progress)) return false;
    told.una = leg.una;
    account(told, std::min(leg.una, told.end), told.end);
    return true;
}

void PayloadJournal::end(SessionId id) {
    auto& told = told_[id.slot];
    if (!holds(id)) return;
    fill({id}, told.end).over = true;
    if (write(JournalKind::progress)) account(told, told.end, told.end);
}

}  // namespace holdfast::proxy
