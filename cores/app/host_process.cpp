// Gate host: the process, and what it says. None of it is trusted.
#include <algorithm>

#include "cores/app/host.hpp"

namespace holdfast::app {

using host::Kind;
using proxy::HostLoss;

namespace {
/// A duty cycle takes no more: there are other services.
constexpr int frames_per_cycle = 256;
}  // namespace

void Host::take_frames() {
    for (int i = 0; i < frames_per_cycle; ++i) {
        const auto bytes = s_.link.next();
        if (bytes.empty()) return;
        s_.counters.add(HostCounter::frames_received);
        const auto frame = host::read(bytes);
        if (frame) take(*frame);
        else s_.counters.add(HostCounter::frames_malformed);
    }
}

void Host::take(const host::Frame& frame) {
    if (frame.kind == Kind::hello) return take_hello(frame);
    const bool from_process =
        frame.kind == Kind::answer || frame.kind == Kind::abort || frame.kind == Kind::alive;
    if (!from_process) return s_.counters.add(HostCounter::frames_malformed);
    if (!attached_ || frame.attachment != attachment_) {
        // It was taken for dead, and may not know.
        detached_due_ = !attached_;
        return s_.counters.add(HostCounter::frames_stale);
    }
    heard_at_ = now_;
    if (frame.kind == Kind::alive) return;
    const SessionId id{frame.session.slot, frame.session.generation};
    const bool known = id.slot < sessions_.size() && find(id) != nullptr && sessions_[id.slot].told;
    if (!known) return s_.counters.add(HostCounter::frames_stale);
    if (frame.kind == Kind::abort) return s_.channel.abort(id);
    take_answer(frame);
}

void Host::take_hello(const host::Frame& frame) {
    if (frame.offset != host::protocol_version) {
        refused_due_ = true;
        return s_.counters.add(HostCounter::hellos_refused);
    }
    // It is being attached, and its welcome answers all that it said: each costs as much as there are slots.
    if (attached_ && welcome_due_) return s_.counters.add(HostCounter::hellos_again);
    if (attached_) detach(HostLoss::again);
    attach();
}

/// The replies first, and when all were taken what follows from them.
void Host::take_answer(const host::Frame& frame) {
    const SessionId id{frame.session.slot, frame.session.generation};
    auto& s = sessions_[id.slot];
    const auto replied = s_.channel.replied(id);
    if (frame.offset > replied) return s_.counters.add(HostCounter::frames_gap);
    const auto end = frame.offset + frame.bytes.size();
    if (end > replied) {
        s_.channel.reply(id, frame.bytes.subspan(replied - frame.offset));
        s.news = true;
        list(id.slot);
        if (s_.channel.replied(id) != end) return;
    }
    take_confirmed(id, s, frame);
    if ((frame.flags & host::flag::finished) == 0 || s.finished) return;
    s.finished = true;
    s_.channel.finish(id);
}

void Host::take_confirmed(SessionId id, Served& s, const host::Frame& frame) {
    if (frame.second > s.sent) return s_.counters.add(HostCounter::confirms_refused);
    if (frame.second > s.committed) {
        s.committed = frame.second;
        s_.channel.commit(id, s.committed);
    }
    if ((frame.flags & host::flag::end) == 0 || s.end_taken) return;
    if (!s.end_told || s.committed != s.end) return s_.counters.add(HostCounter::confirms_refused);
    s.end_taken = true;
    s_.channel.commit_end(id);
}

/// Whether it still is there.
void Host::watch() {
    if (!attached_) return;
    if (!s_.link.up()) return detach(HostLoss::link);
    if (now_ - heard_at_ >= s_.timeout) detach(HostLoss::silent);
}

/// It gets every open session, and what was not confirmed of it.
void Host::attach() {
    attached_ = welcome_due_ = true;
    detached_due_ = refused_due_ = false;
    heard_at_ = now_;
    ++attachment_;
    s_.counters.add(HostCounter::attached);
    s_.cell.attached.store(true, std::memory_order_release);
    for (std::uint32_t slot = 0; slot < sessions_.size(); ++slot) {
        auto& s = sessions_[slot];
        if (!s.open) continue;
        offer_again(s);
        list(slot);
    }
}

void Host::offer_again(Served& s) {
    s.sent_before = std::max(s.sent_before, s.sent);
    s.sent = s.committed;
    s.told = s.news = s.again = false;
    s.end_told = s.end_taken;
}

void Host::detach(HostLoss why) {
    attached_ = false;
    s_.link.drop();
    s_.counters.add(why == HostLoss::link     ? HostCounter::lost_link
                    : why == HostLoss::silent ? HostCounter::lost_silent
                                              : HostCounter::lost_again);
    for (const auto slot : waiting_) sessions_[slot].listed = false;
    waiting_.clear();
    for (auto& s : sessions_) s.told = false;
    s_.cell.loss.store(why, std::memory_order_relaxed);
    s_.cell.attached.store(false, std::memory_order_release);
    s_.cell.losses.store(s_.cell.losses.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

/// Answers to the process that is not about a session.
void Host::say_pending() {
    const auto say = [this](bool& due, Kind kind, std::uint64_t offset) {
        if (due) due = !send({kind, 0, attachment_, {}, offset, sessions_.size(), {}});
    };
    say(refused_due_, Kind::refused, host::protocol_version);
    say(detached_due_, Kind::detached, 0);
    say(welcome_due_, Kind::welcome, 0);
}

}  // namespace holdfast::app
