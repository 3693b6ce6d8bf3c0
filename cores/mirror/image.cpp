#include "cores/mirror/image.hpp"

namespace holdfast::mirror {

void Image::clear() {
    for (auto& e : entries_) e = Entry{};
    sessions_ = 0;
}

std::optional<SessionId> Image::sweep(std::uint32_t& slot) {
    for (; slot < entries_.size(); ++slot) {
        auto& e = entries_[slot];
        if (!e.present || e.mark == mark_) continue;
        e.present = false;
        --sessions_;
        return SessionId{slot++, e.generation};
    }
    return std::nullopt;
}

bool Image::holds(SessionId id) const {
    return id.slot < entries_.size() && entries_[id.slot].present &&
           entries_[id.slot].generation == id.generation;
}

Image::Verdict Image::opened(const SessionRecord& r) {
    if (r.id.slot >= entries_.size()) return Verdict::out_of_range;
    auto& e = entries_[r.id.slot];
    // Generations grow; the difference is judged circularly.
    // Within a snapshot's epoch; what an earlier active left is replaced whatever it was.
    if (e.present && e.mark == mark_ && static_cast<std::int32_t>(r.id.generation - e.generation) < 0)
        return Verdict::stale;
    if (!e.present) ++sessions_;
    e.present = true;
    e.generation = r.id.generation;
    e.mark = mark_;
    return Verdict::news;
}

Image::Verdict Image::progress(const ProgressRecord& p) {
    if (p.id.slot >= entries_.size()) return Verdict::out_of_range;
    auto& e = entries_[p.id.slot];
    if (e.present && e.mark == mark_ && static_cast<std::int32_t>(p.id.generation - e.generation) < 0)
        return Verdict::stale;
    auto& known = e.progress[index(p.side)];
    if (known.id == p.id && p.version <= known.version) return Verdict::stale;
    known = p;
    return holds(p.id) ? Verdict::news : Verdict::stale;
}

Image::Verdict Image::closed(SessionId id) {
    if (id.slot >= entries_.size()) return Verdict::out_of_range;
    if (!holds(id)) return Verdict::stale;
    entries_[id.slot].present = false;
    --sessions_;
    return Verdict::news;
}

const ProgressRecord* Image::early_progress(SessionId id, Side side) const {
    const auto& p = entries_[id.slot].progress[index(side)];
    return p.version > 0 && p.id == id ? &p : nullptr;
}

}  // namespace holdfast::mirror
