#include "lib/journal/contents.hpp"

#include <algorithm>

namespace holdfast::journal {

bool Contents::add(const Record& r, LogPosition at) {
    if (r.kind == Kind::term) {
        terms_.begin({{r.number, r.offset}, at});
        // Sessions of before are nobody's, and their names may be used again.
        if (r.fresh) forget_all();
        return true;
    }
    holds_data_ = true;
    if (r.session.slot >= held_.size()) return true;
    auto& h = held_[r.session.slot];
    const bool same = h.known && h.generation == r.session.generation && h.number == r.number;
    if (r.kind == Kind::opened) {
        if (same || r.number != at) return false;
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
    if (to > 0) return;
    holds_data_ = false;
    forget_all();
}

void Contents::forget_all() {
    for (auto& h : held_)
        if (h.known) h = {};
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
