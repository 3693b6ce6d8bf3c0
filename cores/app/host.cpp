#include "cores/app/host.hpp"

#include <algorithm>
#include <array>

namespace holdfast::app {

using host::Kind;

namespace {
/// What a session may send in a duty cycle before others have their turn.
constexpr std::uint32_t frames_per_turn = 32;
/// So many sessions have their turn in one.
constexpr std::size_t sessions_per_cycle = 64;
/// What the link had no room for is tried again after this time.
constexpr Duration retry_after = microseconds(50);
}  // namespace

Host::Host(const HostSettings& settings) : s_(settings), sessions_(settings.slots) {
    waiting_.reserve(settings.slots);
    serving_.reserve(settings.slots);
}

// ---- what the application core says ----

Host::Served* Host::find(SessionId id) {
    auto& s = sessions_[id.slot];
    return s.open && s.generation == id.generation ? &s : nullptr;
}

Host::Served& Host::begin(const app::Opened& session) {
    auto& s = sessions_[session.session.slot];
    const bool listed = s.listed;
    // The process finds by the generation that the one before is over, if it was not told yet.
    s = Served{};
    s.listed = listed;
    s.open = true;
    s.generation = session.session.generation;
    s.client = session.client;
    s.local = session.local;
    list(session.session.slot);
    return s;
}

void Host::opened(const Opened& session) { begin(session); }

void Host::resumed(const Resumed& session) {
    auto& s = begin(session.opened);
    s.resumed = true;
    s.committed = s.sent = s.sent_before = session.committed;
    s.ended = s.end_told = s.end_taken = session.end_taken;
    s.end = session.committed;
    s.finished = session.finished;
}

std::size_t Host::receive(SessionId id, Offset offset, std::span<const std::uint8_t> bytes) {
    auto* s = find(id);
    // One that is to be told first gets its bytes then, from where they come again.
    if (s == nullptr || !s->told) return 0;
    const auto n = send_bytes(id.slot, offset, bytes);
    s->sent = offset + n;
    if (n < bytes.size() || (s->ended && !s->end_told)) list(id.slot);
    return n;
}

void Host::end_of_stream(SessionId id, Offset end) {
    auto* s = find(id);
    if (s == nullptr) return;
    s->ended = true;
    s->end = end;
    list(id.slot);
}

void Host::writable(SessionId id) {
    auto* s = find(id);
    if (s == nullptr) return;
    s->news = s->again = true;
    list(id.slot);
}

void Host::closed(SessionId id) {
    auto* s = find(id);
    if (s == nullptr) return;
    s->open = false;
    list(id.slot);
}

void Host::advance(Instant now) {
    now_ = now;
    ++cycle_;
    take_frames();
    watch();
    say_pending();
    serve_waiting();
    s_.link.flush();
}

Instant Host::next_deadline() const {
    if (!attached_) return Instant::never();
    return waiting_.empty() ? heard_at_ + s_.timeout : now_ + retry_after;
}

// ---- what is sent ----

/// Something is to be sent of the slot's session.
void Host::list(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (s.listed || !attached_) return;
    s.listed = true;
    waiting_.push_back(slot);
}

host::Frame Host::frame(Kind kind, std::uint32_t slot) const {
    return {kind, 0, attachment_, {slot, sessions_[slot].generation}, 0, 0, {}};
}

bool Host::send(const host::Frame& frame) {
    const auto room = s_.link.prepare();
    if (room.empty()) {
        s_.counters.add(HostCounter::link_full);
        return false;
    }
    s_.link.send(host::write(frame, room));
    s_.counters.add(HostCounter::frames_sent);
    return true;
}

/// In the order in which they came. The first one that the link has no room for waits at the front.
void Host::serve_waiting() {
    if (welcome_due_ || s_.link.prepare().empty()) return;
    serving_.swap(waiting_);
    const auto turns = std::min(serving_.size(), sessions_per_cycle);
    std::size_t i = 0;
    for (; i < turns && serve(serving_[i]); ++i) {
    }
    // Those that were listed meanwhile stand behind those that still wait.
    waiting_.insert(waiting_.begin(), serving_.begin() + static_cast<std::ptrdiff_t>(i), serving_.end());
    serving_.clear();
}

/// False when the link is full.
bool Host::serve(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const SessionId id{slot, s.generation};
    if (!s.open) {
        if (s.told && !send(frame(Kind::closed, slot))) return false;
        s.told = s.listed = false;
        return true;
    }
    if (!s.told && !tell_opened(slot)) return false;
    if (s.ended && !s.end_told && s.sent == s.end && !tell_end(slot)) return false;
    if (s.news && !tell_state(slot)) return false;
    s.listed = false;
    s_.channel.deliver(id, s.sent);
    return true;
}

bool Host::tell_opened(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const SessionId id{slot, s.generation};
    auto f = frame(Kind::opened, slot);
    f.flags = static_cast<std::uint8_t>((s.resumed ? host::flag::resumed : 0) |
                                        (s.end_taken ? host::flag::end_taken : 0) |
                                        (s.finished ? host::flag::finished : 0));
    f.offset = s.committed;
    f.second = s_.channel.replied(id);
    std::array<std::uint8_t, host::Greeting::size> bytes;
    host::write({s.client, s.local, f.second + s_.channel.room(id)}, bytes);
    f.bytes = bytes;
    if (!send(f)) return false;
    s.told = s.resumed = true;
    // Before anything else is: what the core has given already was another process's.
    s_.channel.deliver(id, s.sent);
    return true;
}

bool Host::tell_end(std::uint32_t slot) {
    auto& s = sessions_[slot];
    auto f = frame(Kind::end, slot);
    f.offset = s.end;
    s.end_told = send(f);
    return s.end_told;
}

bool Host::tell_state(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const SessionId id{slot, s.generation};
    auto f = frame(Kind::state, slot);
    f.flags = s.again ? host::flag::again : std::uint8_t{0};
    f.offset = s_.channel.replied(id);
    f.second = f.offset + s_.channel.room(id);
    if (!send(f)) return false;
    s.news = s.again = false;
    return true;
}

/// Returns how many bytes the session's turn and the link had room for.
std::size_t Host::send_bytes(std::uint32_t slot, Offset offset, std::span<const std::uint8_t> bytes) {
    auto& s = sessions_[slot];
    if (s.cycle != cycle_) s.frames = 0;
    s.cycle = cycle_;
    std::size_t done = 0;
    for (; done < bytes.size() && s.frames < frames_per_turn; ++s.frames) {
        auto f = frame(Kind::data, slot);
        f.offset = offset + done;
        f.bytes = bytes.subspan(done, std::min(bytes.size() - done, host::payload_max));
        if (!send(f)) break;
        done += f.bytes.size();
    }
    s_.counters.add(HostCounter::bytes_sent, done);
    if (offset < s.sent_before)
        s_.counters.add(HostCounter::bytes_again, std::min<std::uint64_t>(done, s.sent_before - offset));
    return done;
}

}  // namespace holdfast::app
