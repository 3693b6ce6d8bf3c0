#include "lib/host/client.hpp"

#include <algorithm>

namespace holdfast::host {
namespace {

/// A poll takes no more, so that what it causes is said in between.
constexpr std::uint32_t frames_per_poll = 256;
/// More sessions no appliance has.
constexpr std::uint64_t slots_max = 1u << 24;

}  // namespace

std::uint32_t Client::poll(Instant now) {
    if (!link_.up()) {
        detach();
        return 0;
    }
    std::uint32_t work = 0;
    for (; work < frames_per_poll; ++work) {
        const auto bytes = link_.next();
        if (bytes.empty()) break;
        if (const auto frame = read(bytes)) take(*frame);
    }
    if (attached_) answer_all();
    if (now >= say_at_) say_hello(now);
    link_.flush();
    return work + static_cast<std::uint32_t>(dirty_.size());
}

/// Or that it is there still.
void Client::say_hello(Instant now) {
    const auto kind = attached_ ? Kind::alive : Kind::hello;
    if (send({kind, 0, attachment_, {}, protocol_version, 0, {}})) say_at_ = now + alive_every;
}

bool Client::send(const Frame& frame) {
    const auto room = link_.prepare();
    if (room.empty()) return false;
    link_.send(write(frame, room));
    return true;
}

Client::State* Client::find(Session session) {
    if (!attached_ || session.slot >= sessions_.size()) return nullptr;
    auto& s = sessions_[session.slot];
    return s.open && s.generation == session.generation ? &s : nullptr;
}

void Client::mark(std::uint32_t slot) {
    if (sessions_[slot].dirty) return;
    sessions_[slot].dirty = true;
    dirty_.push_back(slot);
}

// ---- from the appliance ----

void Client::take(const Frame& frame) {
    if (frame.kind == Kind::welcome) return take_welcome(frame);
    // Of an attachment that is over there may be some left.
    if (!attached_ || frame.attachment != attachment_) return;
    switch (frame.kind) {
        case Kind::detached: return detach();
        case Kind::opened: return take_opened(frame);
        case Kind::data:
        case Kind::end:
        case Kind::state:
        case Kind::closed: return take_of_session(frame);
        default: return;
    }
}

void Client::take_welcome(const Frame& frame) {
    if (frame.second > slots_max) return;
    detach();
    attached_ = true;
    attachment_ = frame.attachment;
    sessions_.resize(frame.second);
}

void Client::detach() {
    if (!attached_) return;
    attached_ = false;
    say_at_ = Instant{};
    sessions_.clear();
    dirty_.clear();
    link_.drop();
    handler_.detached();
}

void Client::take_opened(const Frame& frame) {
    const auto greeting = read_greeting(frame.bytes);
    if (!greeting || frame.session.slot >= sessions_.size()) return;
    auto& s = sessions_[frame.session.slot];
    // The word of the end of the one before was overtaken.
    if (s.open) handler_.closed({frame.session.slot, s.generation});
    const bool dirty = s.dirty;
    s = State{};
    s.dirty = dirty;
    s.open = true;
    s.generation = frame.session.generation;
    s.received = s.confirmed = frame.offset;
    s.replied = s.said = s.confirm_at = frame.second;
    s.edge = greeting->edge;
    s.finished = (frame.flags & flag::finished) != 0;
    s.end_confirmed = (frame.flags & flag::end_taken) != 0;
    handler_.opened({frame.session, greeting->client, greeting->local, frame.offset, frame.second,
                     (frame.flags & flag::resumed) != 0, s.end_confirmed, s.finished});
}

void Client::take_of_session(const Frame& frame) {
    auto* s = find(frame.session);
    if (s == nullptr) return;
    switch (frame.kind) {
        case Kind::data:
            // A gap: the link lost something. All comes again, from what is committed.
            if (frame.offset != s->received) return detach();
            s->received += frame.bytes.size();
            return handler_.bytes(frame.session, frame.offset, frame.bytes);
        case Kind::end: return handler_.ended(frame.session, frame.offset);
        case Kind::state: return take_state(*s, frame);
        default:
            s->open = false;
            s->replies = {};
            return handler_.closed(frame.session);
    }
}

void Client::take_state(State& s, const Frame& frame) {
    if (frame.offset < s.replied || frame.offset > s.end()) return;
    s.replies.erase(s.replies.begin(),
                    s.replies.begin() + static_cast<std::ptrdiff_t>(frame.offset - s.replied));
    s.replied = frame.offset;
    s.said = std::max(s.said, s.replied);
    s.edge = frame.second;
    if ((frame.flags & flag::again) != 0) s.said = s.replied;
    if (s.said < s.end() || s.owed || (frame.flags & flag::again) != 0) mark(frame.session.slot);
    if (!s.short_of_room || s.replies.size() >= reply_bytes_max) return;
    s.short_of_room = false;
    handler_.writable(frame.session);
}

// ---- to the appliance ----

void Client::confirm(Session session, std::uint64_t offset) {
    auto* s = find(session);
    if (s == nullptr || offset <= s->confirmed || offset > s->received) return;
    s->confirmed = offset;
    s->confirm_at = s->end();
    s->owed = true;
    mark(session.slot);
}

void Client::confirm_end(Session session) {
    auto* s = find(session);
    if (s == nullptr || s->end_confirmed) return;
    s->end_confirmed = true;
    s->confirm_at = s->end();
    s->owed = true;
    mark(session.slot);
}

std::size_t Client::reply(Session session, std::span<const std::uint8_t> bytes) {
    auto* s = find(session);
    if (s == nullptr || s->finished) return 0;
    const auto n = std::min(bytes.size(), reply_bytes_max - s->replies.size());
    s->replies.insert(s->replies.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    s->short_of_room = n < bytes.size();
    mark(session.slot);
    return n;
}

void Client::finish(Session session) {
    auto* s = find(session);
    if (s == nullptr || s->finished) return;
    s->finished = true;
    s->owed = true;
    mark(session.slot);
}

void Client::abort(Session session) {
    auto* s = find(session);
    if (s == nullptr) return;
    s->aborted = true;
    mark(session.slot);
}

void Client::answer_all() {
    answering_.swap(dirty_);
    for (const auto slot : answering_) {
        sessions_[slot].dirty = false;
        if (sessions_[slot].open && !answer(slot)) mark(slot);
    }
    answering_.clear();
}

/// What the appliance has room for, and one frame more, which it does not take: it tells when there is room.
/// False when the link is full.
bool Client::answer(std::uint32_t slot) {
    const auto& s = sessions_[slot];
    if (s.aborted) return send({Kind::abort, 0, attachment_, {slot, s.generation}, 0, 0, {}});
    while (s.said <= s.edge) {
        if (!answer_once(slot)) return false;
        if (s.said == s.end()) break;
    }
    return true;
}

bool Client::answer_once(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto size = std::min<std::uint64_t>(s.end() - s.said, payload_max);
    const auto reached = s.said + size;
    const bool confirms = reached >= s.confirm_at, last = reached == s.end();
    const auto flags = static_cast<std::uint8_t>((confirms && s.end_confirmed ? flag::end : 0) |
                                                 (last && s.finished ? flag::finished : 0));
    const std::span bytes(s.replies.data() + (s.said - s.replied), size);
    if (!send({Kind::answer,
               flags,
               attachment_,
               {slot, s.generation},
               s.said,
               confirms ? s.confirmed : 0,
               bytes}))
        return false;
    s.said = reached;
    if (last) s.owed = false;
    return true;
}

}  // namespace holdfast::host
