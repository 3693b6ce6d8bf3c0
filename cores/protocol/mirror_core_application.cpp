// The mirror's work for applications: their records to and from the application core, which stores them
// itself and says how far it has come.
#include <algorithm>

#include "cores/protocol/mirror_core.hpp"
#include "cores/protocol/state_record.hpp"

namespace holdfast::protocol {

using namespace literals;
using mirror::Counter;
using proxy::AppEntryKind;
using proxy::StoredWord;

/// install_application_ without what a record of its own says.
void MirrorCore::push_install(AppEntryKind kind, std::uint32_t epoch, std::uint64_t sequence) {
    auto& e = install_application_;
    e.kind = kind;
    e.epoch = epoch;
    e.sequence = sequence;
    // A record is read only where there is room for what it makes.
    lane_.application->install.push(e);
}

bool MirrorCore::take_application(const mirror::Application& a) {
    if (!lane_.application) return false;
    if (a.record.id.slot >= lane_.slots) {
        counters_.add(Counter::records_out_of_range);
        return false;  // both nodes have the same slots, as their hellos said
    }
    install_application_.record = a.record;
    push_install(a.record.closed ? AppEntryKind::closed : AppEntryKind::progress, connection_, a.sequence);
    return true;
}

bool MirrorCore::take_state(const mirror::State& s) {
    if (!lane_.application) return false;
    take_record(install_application_, s.record);
    push_install(AppEntryKind::state, connection_, s.sequence);
    return true;
}

/// What the standby's instance of a service holds: for the active's.
bool MirrorCore::take_described(const mirror::Described& d) {
    if (!lane_.application) return false;
    take_record(install_application_, d.record);
    push_install(AppEntryKind::described, epoch_, 0);
    return true;
}

/// The protocol cores' word of a session's end.
void MirrorCore::end_application(SessionId id) {
    auto& r = install_application_.record;
    r = ApplicationRecord{};
    r.id = id;
    r.closed = true;
    push_install(AppEntryKind::closed, connection_, 0);
}

/// As standby: what the applications say that they hold goes to the active.
std::uint32_t MirrorCore::pass_descriptions(Instant now) {
    std::uint32_t n = 0;
    for (auto& e = held_application_; lane_.application->journal.pop(e); ++n) {
        const bool wanted = e.kind == AppEntryKind::described && e.epoch == connection_ &&
                            (state_ == MirrorState::syncing || state_ == MirrorState::in_sync);
        if (!wanted) counters_.add(Counter::journal_stale);
        else if (!send(mirror::Described{state_record(e)}, now)) link_.close(now);  // the active waits for it
    }
    return n;
}

/// As standby: only what the application core has stored is confirmed; what it can not hold ends the
/// connection, as a standby that lacks it must not be taken for one in sync.
void MirrorCore::note_application_stored(Instant now) {
    if (!lane_.application || role_ != proxy::Role::standby ||
        (state_ != MirrorState::syncing && state_ != MirrorState::in_sync))
        return;
    if (lane_.application->refused.load(std::memory_order_acquire) == connection_) {
        refused_until_ = now + 1_s;
        return refuse(mirror::Refusal::no_room, true, now);
    }
    const auto word = lane_.application->stored.load(std::memory_order_acquire);
    auto& stored = stored_[index(Journal::application)];
    stored = std::max(stored, StoredWord::of(word, connection_));
    ended_[index(Journal::application)] = application_end_ != 0 && stored >= application_end_;
}

}  // namespace holdfast::protocol
