#include "lib/journal/contents.hpp"

#include <algorithm>

namespace holdfast::journal {

bool Contents::add(const Record& r, LogPosition at) {
    if (r.kind == Kind::term) {
        const auto starts = terms_.starts();
        if (starts.empty() || starts.back().at < at) terms_.begin({{r.number, r.offset}, at, r.complete});
        // Sessions of before are nobody's, and their names may be used again.
        if (r.fresh && forget_all()) displaced_at_ = at;
        return true;
    }
    data_at_ = std::min(data_at_, at);
    if (r.session.slot >= held_.size()) return true;
    auto& h = held_[r.session.slot];
    const bool same = h.known && h.generation == r.session.generation && h.number == r.number;
    if (r.kind == Kind::opened) {
        if (same || r.number != at) return false;
        if (h.known) displaced_at_ = at;
        h = {true, false, r.session.generation, party_hash(r.body), r.number, 0};
        return true;
    }
    if (!same || h.ended || r.offset != h.offset) return false;
    h.offset += r.body.size();
    h.ended = r.kind == Kind::end;
    return true;
}

void Contents::take_back(const Record& r) {
    if (r.kind == Kind::term || r.session.slot >= held_.size()) return;
    auto& h = held_[r.session.slot];
    if (!h.known || h.generation != r.session.generation || h.number != r.number) return;
    if (r.kind == Kind::opened) {
        h = {};
        return;
    }
    h.offset = std::min(h.offset, r.offset);
    h.ended = false;
}

void Contents::truncate(LogPosition to) {
    terms_.truncate(to);
    if (data_at_ >= to) data_at_ = nowhere;
}

void Contents::begin_again() {
    data_at_ = nowhere;
    displaced_at_ = 0;
    forget_all();
}

/// Whether there was anything.
bool Contents::forget_all() {
    bool any = false;
    for (auto& h : held_) {
        if (!h.known) continue;
        h = {};
        any = true;
    }
    return any;
}

const Held* Contents::find(SessionId id) const {
    if (id.slot >= held_.size()) return nullptr;
    const auto& h = held_[id.slot];
    return h.known && h.generation == id.generation ? &h : nullptr;
}

void Contents::forget(std::uint32_t slot) {
    if (slot < held_.size()) held_[slot] = {};
}

}  // namespace holdfast::journal
