// Records for the standby. What applications did to a session since its last group of records goes out as the
// next group, when that one is confirmed: one is on its way at a time, however much they do.
#include <algorithm>

#include "cores/app/app_sessions.hpp"

namespace holdfast::app {

using proxy::AppEntryKind;

void AppSessions::follow_mirror() {
    auto& node = lane_.node;
    const auto epoch = node.mirror_epoch.load(std::memory_order_acquire);
    if (epoch != epoch_) {
        epoch_ = epoch;
        sequence_ = 0;
        outstanding_.clear();
        outstanding_head_ = 0;
        epoch_start_pending_ = epoch != 0;
        snapshot_end_pending_ = false;
        snapshot_next_ = epoch != 0 ? 0 : no_slot;
        standby_leaves();
    }
    const bool in_sync = epoch_ != 0 && node.in_sync.load(std::memory_order_acquire);
    if (in_sync == in_sync_) return;
    in_sync_ = in_sync;
    // Who waits, and for what, has changed for all.
    for (std::uint32_t slot = 0; slot < sessions_.size(); ++slot)
        if (sessions_[slot].phase == AppPhase::open) touch(slot);
}

/// Writes entry_ as the next of the epoch.
bool AppSessions::write(AppEntryKind kind) {
    entry_.kind = kind;
    entry_.epoch = epoch_;
    entry_.sequence = sequence_ + 1;
    if (!app_.journal.push(entry_)) {
        s_.counters.add(Counter::journal_refused);
        return false;
    }
    ++sequence_;
    return true;
}

void AppSessions::continue_snapshot() {
    if (epoch_ == 0) return;
    if (epoch_start_pending_) {
        if (!write(AppEntryKind::epoch_start)) return;
        epoch_start_pending_ = false;
    }
    constexpr std::uint32_t slots_per_cycle = 256;
    for (std::uint32_t i = 0; i < slots_per_cycle && snapshot_next_ < sessions_.size(); ++i) {
        // A reserve, so that live records are never crowded out.
        if (app_.journal.free_count() < app_.journal.count()) return;
        journal(snapshot_next_);
        if (sessions_[snapshot_next_].partial) return;
        ++snapshot_next_;
    }
    if (snapshot_next_ != no_slot && snapshot_next_ >= sessions_.size()) {
        snapshot_next_ = no_slot;
        snapshot_end_pending_ = true;
    }
    if (snapshot_end_pending_ && joined_and_caught_up())
        snapshot_end_pending_ = !write(AppEntryKind::snapshot_end);
}

/// Writes what the standby does not know of the session.
void AppSessions::journal(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (epoch_ == 0 || epoch_start_pending_ || s.phase != AppPhase::open || !has_standby_gate(s)) return;
    if (s.epoch != epoch_) {
        s.journaled = Extent{};
        s.outstanding = s.partial = false;
    }
    const auto now = extent(s);
    if (s.outstanding || now == s.journaled) return;
    s.partial = !write_group(slot);
    if (s.partial) return try_again(slot);
    s_.counters.add(Counter::groups_written);
    s.group = s.journaled = now;
    s.group_sequence = sequence_;
    s.outstanding = true;
    outstanding_.push_back({id_of(slot), sequence_});
}

/// The records of one group: new replies in pieces, the last one with all the rest. False when the ring is
/// full; what was written is gone on with.
bool AppSessions::write_group(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto now = extent(s);
    for (bool complete = false; !complete;) {
        auto& r = entry_.record;
        r.id = id_of(slot);
        r.first = s.epoch != epoch_;
        r.begin = r.first ? s.replies.begin() : s.journaled.end;
        const auto size = std::min<std::uint64_t>(now.end - r.begin, reply_record_max);
        complete = r.begin + size == now.end;
        r.complete = complete;
        r.client_fin = now.client_fin;
        r.finished = now.finished;
        r.closed = false;
        r.committed = now.committed;
        r.una = now.una;
        r.size = static_cast<std::uint16_t>(size);
        s.replies.copy(replies_, r.begin, {r.bytes.data(), size});
        if (!write(AppEntryKind::progress)) return false;
        s.epoch = epoch_;
        s.journaled.end = r.begin + size;
        // Of what was not written yet nothing may be dropped.
        s.journaled.una = std::min(now.una, s.journaled.end);
    }
    return true;
}

bool AppSessions::write_closed(std::uint32_t slot) {
    auto& s = sessions_[slot];
    auto& r = entry_.record;
    r = ApplicationRecord{};
    r.id = id_of(slot);
    r.closed = true;
    if (!write(AppEntryKind::closed)) return false;
    s.epoch = 0;
    return true;
}

/// Groups that the standby has stored take effect.
void AppSessions::take_confirmations() {
    auto& node = lane_.node;
    if (!in_sync_ || outstanding_head_ == outstanding_.size()) return;
    const auto confirmed = node.confirmed[index(Journal::application)].load(std::memory_order_acquire);
    // A number of a later epoch would say nothing of this one's.
    if (node.mirror_epoch.load(std::memory_order_acquire) != epoch_) return;
    for (; outstanding_head_ < outstanding_.size(); ++outstanding_head_) {
        const auto& o = outstanding_[outstanding_head_];
        if (o.sequence > confirmed) break;
        auto* s = open_session(o.id);
        if (s == nullptr || !s->outstanding || s->group_sequence != o.sequence) continue;
        s_.counters.add(Counter::groups_stored);
        s->outstanding = false;
        // Before the standby was in sync more may have been let go without it.
        const auto &a = s->allowed, &g = s->group;
        if (g.committed >= a.committed && g.end >= a.end && (g.finished || !a.finished)) s->allowed = g;
        touch(o.id.slot);
    }
    // What is done leaves the front, so that the list never outgrows its reserve.
    if (outstanding_head_ == outstanding_.size() || outstanding_head_ >= sessions_.size()) {
        outstanding_.erase(outstanding_.begin(),
                           outstanding_.begin() + static_cast<std::ptrdiff_t>(outstanding_head_));
        outstanding_head_ = 0;
    }
}

}  // namespace holdfast::app
