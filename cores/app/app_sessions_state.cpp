// State records: what applications keep at the standby beside their replies. The active's instance stores
// them, in the same order as the groups of records of its sessions; the standby's takes them, and says from
// where on.
#include <algorithm>

#include "cores/app/app_sessions.hpp"

namespace holdfast::app {

using proxy::AppEntryKind;

namespace {
/// State records on their way that the standby has not confirmed, 2 MB of them: as much as a link of 10
/// Gbit/s carries in a millisecond and a half, and a quarter of what a standby's journal can keep until its
/// disk has it. A disk slower than the link then slows down the active, and never finds its standby without
/// room.
constexpr std::uint64_t states_ahead_max = (std::size_t{2} << 20) / state_record_max;
}  // namespace

/// Half of the ring is for sessions.
bool AppSessions::write_state(std::uint16_t service, std::span<const std::uint8_t> record) {
    if (!active_ || epoch_ == 0 || epoch_start_pending_ || !joined_[service]) return false;
    if (record.size() > state_record_max) {
        s_.counters.add(Counter::states_too_long);
        return false;
    }
    if (app_.journal.free_count() < app_.journal.count()) {
        s_.counters.add(Counter::states_wait);
        return false;
    }
    const auto confirmed = lane_.node.confirmed[index(Journal::application)].load(std::memory_order_acquire);
    if (sequence_ >= confirmed + states_ahead_max) {
        s_.counters.add(Counter::states_paced);
        return false;
    }
    entry_.service = service;
    entry_.record.size = static_cast<std::uint16_t>(record.size());
    std::copy(record.begin(), record.end(), entry_.record.bytes.begin());
    if (!write(AppEntryKind::state)) return false;
    s_.counters.add(Counter::states_written);
    return true;
}

/// As active: the standby's instance says what it holds.
void AppSessions::take_described(const proxy::ApplicationEntry& e) {
    // The mirror core knows of a connection before this core does.
    follow_mirror();
    if (!active_ || e.epoch != epoch_ || e.service >= applications_.size() || !stores_state(e.service) ||
        joined_[e.service])
        return s_.counters.add(Counter::stale_message);
    joined_[e.service] = true;
    call(e.service)->standby_joined({e.record.bytes.data(), e.record.size});
}

void AppSessions::standby_leaves() {
    for (std::size_t service = 0; service < applications_.size(); ++service) {
        if (joined_[service]) call(service)->standby_left();
        joined_[service] = false;
    }
}

bool AppSessions::joined_and_caught_up() const {
    for (std::size_t service = 0; service < applications_.size(); ++service)
        if (stores_state(service) && (!joined_[service] || !applications_[service]->caught_up()))
            return false;
    return true;
}

/// As standby: the mirror has reached the active.
void AppSessions::begin_connection(std::uint32_t connection) {
    connection_ = connection;
    processed_ = settled_ = 0;
    checkpoint_count_ = 0;
    states_.assign(states_.size(), 0);
    describe_next_ = 0;
}

/// One record for each application; a service without has none to tell.
void AppSessions::describe() {
    for (; describe_next_ < applications_.size(); ++describe_next_) {
        if (!stores_state(describe_next_)) continue;
        entry_.kind = AppEntryKind::described;
        entry_.epoch = connection_;
        entry_.service = static_cast<std::uint16_t>(describe_next_);
        const std::span out(entry_.record.bytes.data(), description_max);
        entry_.record.size =
            static_cast<std::uint16_t>(std::min(call(describe_next_)->describe(out), out.size()));
        if (!app_.journal.push(entry_)) return s_.counters.add(Counter::journal_refused);
    }
}

bool AppSessions::take_state(const proxy::ApplicationEntry& e) {
    if (e.service >= applications_.size() || !stores_state(e.service)) return false;
    if (!call(e.service)->stored({e.record.bytes.data(), e.record.size})) return false;
    ++states_[e.service];
    s_.counters.add(Counter::states_stored);
    return true;
}

/// How far the active may take its records for stored: as far as all that applications have not settled yet.
void AppSessions::publish_stored() {
    if (active_ || connection_ == 0 || refused_ == connection_) return;
    const auto settled = [this](const Checkpoint& c) {
        for (std::size_t i = 0; i < applications_.size(); ++i)
            if (stores_state(i) &&
                states_[i] - std::min(states_[i], applications_[i]->unsettled()) < c.counts[i])
                return false;
        return true;
    };
    const auto at = [this](std::size_t i) -> Checkpoint& {
        return checkpoints_[(checkpoint_first_ + i) % checkpoints_.size()];
    };
    const auto newest = checkpoint_count_ == 0 ? settled_ : at(checkpoint_count_ - 1).sequence;
    if (processed_ != newest) {
        // With many on their way the last one waits for the newest, too.
        if (checkpoint_count_ < checkpoints_.size()) ++checkpoint_count_;
        auto& c = at(checkpoint_count_ - 1);
        c.sequence = processed_;
        std::copy(states_.begin(), states_.end(), c.counts.begin());
    }
    for (; checkpoint_count_ != 0 && settled(at(0)); --checkpoint_count_) {
        settled_ = at(0).sequence;
        checkpoint_first_ = (checkpoint_first_ + 1) % checkpoints_.size();
    }
    const auto word = proxy::StoredWord::pack(connection_, settled_);
    if (app_.stored.load(std::memory_order_relaxed) != word)
        app_.stored.store(word, std::memory_order_release);
}

}  // namespace holdfast::app
