// Records for the mirror: what the standby must know, written by the core that knows it.
#include <algorithm>

#include "cores/proxy/sessions.hpp"

namespace holdfast::proxy {

using namespace literals;

namespace {
constexpr std::uint32_t none = FlowTable::none;
constexpr std::uint32_t snapshot_per_cycle = 32;

bool has_record(Phase phase) {
    return phase == Phase::storing || phase == Phase::answering || phase == Phase::accepted ||
           phase == Phase::terminated || phase == Phase::translated || phase == Phase::installed ||
           phase == Phase::resuming;
}
}  // namespace

void Sessions::follow_mirror() {
    const auto epoch = s_.lane.node.mirror_epoch.load(std::memory_order_acquire);
    if (epoch != mirror_epoch_) {
        mirror_epoch_ = epoch;
        journal_sequence_ = 0;
        epoch_start_pending_ = epoch != 0;
        snapshot_end_pending_ = false;
        snapshot_next_ = epoch != 0 ? 0 : none;
        if (payload_) payload_->journal.follow(epoch);
    }
    if (mirror_epoch_ != 0) continue_snapshot();
}

bool Sessions::write_journal(JournalEntry& entry) {
    entry.side = s_.side;
    entry.epoch = mirror_epoch_;
    entry.sequence = journal_sequence_ + 1;
    if (!s_.lane.journal[index(s_.side)].push(entry)) {
        s_.counters.add(Counter::journal_refused);
        return false;
    }
    ++journal_sequence_;
    return true;
}

void Sessions::continue_snapshot() {
    JournalEntry entry;
    if (payload_ && !payload_->journal.begin_epoch()) return;
    if (epoch_start_pending_) {
        entry.kind = JournalKind::epoch_start;
        if (!write_journal(entry)) return;
        epoch_start_pending_ = false;
    }
    auto& ring = s_.lane.journal[index(s_.side)];
    for (std::uint32_t i = 0; i < snapshot_per_cycle * 8 && snapshot_next_ < legs_.size(); ++i) {
        // Room for what one slot needs, and a reserve so that live records are never crowded out.
        if (ring.free_count() < ring.count() + 4) return;
        const auto slot = snapshot_next_;
        // What still waits to be taken over is part of the table.
        if (inherited_[slot].waiting) wake(slot);
        const auto& leg = legs_[slot];
        // Of what is entrusted to the pair the new standby has to know all, of a leg that is over, too.
        if (is_entrusted(leg) && leg.phase == Phase::installed) take_over(slot);
        const bool over = leg.phase == Phase::dead && !leg.reset_sent;
        const bool tells = over || leg.phase == Phase::terminated || leg.phase == Phase::resuming;
        if (is_entrusted(leg) && tells && !mirror_queue(slot)) return;
        ++snapshot_next_;
        if (!has_record(leg.phase)) continue;
        if (is_client()) journal_opened(slot);
        const bool has_progress = leg.phase == Phase::terminated || leg.phase == Phase::translated ||
                                  (leg.phase == Phase::installed && leg.hints->version > 0);
        if (has_progress) journal_progress(slot);
        if (has_progress && !is_entrusted(leg)) mirror_queue(slot);
    }
    if (snapshot_next_ != none && snapshot_next_ >= legs_.size()) {
        snapshot_next_ = none;
        snapshot_end_pending_ = true;
    }
    if (!snapshot_end_pending_) return;
    if (payload_ && !payload_->journal.end_snapshot()) return;
    entry.kind = JournalKind::snapshot_end;
    snapshot_end_pending_ = !write_journal(entry);
}

void Sessions::journal_opened(std::uint32_t slot) {
    auto& leg = legs_[slot];
    leg.opened_pending = false;
    // Before the epoch's start mark nothing may be written; the snapshot will come to this slot.
    if (mirror_epoch_ == 0 || epoch_start_pending_) return;
    JournalEntry entry;
    entry.kind = JournalKind::opened;
    entry.opened = record(slot);
    if (!write_journal(entry)) {
        leg.opened_pending = true;
        try_again(slot);
        return;
    }
    leg.opened_sequence = journal_sequence_;
    leg.opened_epoch = mirror_epoch_;
    cell(slot).opened_sequence.store(static_cast<std::uint32_t>(journal_sequence_),
                                     std::memory_order_relaxed);
    const bool goes_on = survives(static_cast<Gate>(leg.gates));
    cell(slot).opened_epoch.store(goes_on ? mirror_epoch_ : 0, std::memory_order_release);
}

void Sessions::journal_closed(std::uint32_t slot) {
    auto& leg = legs_[slot];
    leg.closed_written = true;
    if (mirror_epoch_ == 0 || leg.opened_epoch != mirror_epoch_) return;
    JournalEntry entry;
    entry.kind = JournalKind::closed;
    entry.closed = {id_of(slot), leg.reset_sent ? std::uint8_t{1} : std::uint8_t{0}};
    leg.closed_written = write_journal(entry);
}

/// Schedules a Progress record: bounded in rate, and the trailing edge of activity always follows.
void Sessions::note_progress(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (mirror_epoch_ == 0 || !leg.progress_at.is_never()) return;
    leg.progress_at = now_ + s_.config.mirror_link.progress_every;
}

void Sessions::journal_progress(std::uint32_t slot) {
    auto& leg = legs_[slot];
    leg.progress_at = Instant::never();
    if (mirror_epoch_ == 0 || epoch_start_pending_) return;
    JournalEntry entry;
    entry.kind = JournalKind::progress;
    auto& p = entry.progress;
    p.id = id_of(slot);
    p.side = s_.side;
    p.version = ++leg.progress_version;
    p.established = leg.established;
    p.last_active =
        leg.phase == Phase::installed ? Instant{} + seconds(leg.hints->last_active_s) : shared_now();
    // Where silence ends sessions the payload counts.
    if (!leg.silent_at.is_never())
        p.last_active = shared_now() - (service_of(leg)->idle_timeout - (leg.silent_at - now_));
    const auto& t = leg.tcb.soft;
    if (leg.phase == Phase::terminated) {
        p.una = t.snd.una;
        p.ack = t.rcv.ledger.acknowledged();
        p.last_byte = t.snd.last_byte;
        // Above our FIN there is no byte to repeat.
        p.has_last_byte = t.snd.has_last_byte && !t.snd.fin_acknowledged;
        p.fin_received = leg.fin_received;
        p.fin_sent = t.snd.fin_acknowledged;
    } else {
        p.una = known_una(slot);
        p.ack = std::max(
            leg.hints->ack,
            std::min(leg.heard->seq_edge, other_cell(slot).acknowledged.load(std::memory_order_acquire)));
        const bool tail = leg.heard->tail_end == p.una;
        p.has_last_byte = tail || (p.una == leg.hints->una && leg.hints->has_last_byte);
        p.last_byte = tail ? leg.heard->tail_byte : leg.hints->last_byte;
        const auto& theirs = other_cell(slot);
        const auto sent = theirs.received.load(std::memory_order_acquire);
        const bool their_fin = theirs.fin.load(std::memory_order_relaxed) != 0 && sent > 0;
        p.fin_received = leg.fin_received ||
                         (leg.heard->closed() &&
                          theirs.acknowledged.load(std::memory_order_acquire) > leg.heard->fin_position);
        p.fin_sent = leg.hints->fin_sent || (their_fin && p.una >= sent);
    }
    if (t.rcv.ts_recent_valid) p.ts_recent = t.rcv.ts_recent;
    else if (leg.hints != nullptr) p.ts_recent = leg.hints->ts_recent;
    if (is_entrusted(leg)) cover_payload(slot);
    const bool written = write_journal(entry);
    if (written) s_.counters.add(Counter::progress_sent);
    if (!release_payload(slot) || !written) leg.progress_at = now_ + 1_ms;
}

}  // namespace holdfast::proxy
