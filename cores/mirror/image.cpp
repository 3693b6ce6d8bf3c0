#include "cores/mirror/image.hpp"

namespace holdfast::mirror {

void Image::clear() {
    for (auto& e : entries_)
        if (e.written) e = Entry{};
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
    e.present = e.written = true;
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
    if (known.version > 0 && known.generation == p.id.generation && p.version <= known.version)
        return Verdict::stale;
    known = {p.id.generation, p.version,       p.una,
             p.ack,           p.ts_recent,     in_seconds(p.last_active),
             p.last_byte,     p.has_last_byte, p.established,
             p.fin_received,  p.fin_sent};
    e.written = true;
    return holds(p.id) ? Verdict::news : Verdict::stale;
}

Image::Verdict Image::closed(SessionId id) {
    if (id.slot >= entries_.size()) return Verdict::out_of_range;
    if (!holds(id)) return Verdict::stale;
    entries_[id.slot].present = false;
    --sessions_;
    return Verdict::news;
}

std::optional<ProgressRecord> Image::early_progress(SessionId id, Side side) const {
    const auto& k = entries_[id.slot].progress[index(side)];
    if (k.version == 0 || k.generation != id.generation) return std::nullopt;
    ProgressRecord p;
    p.id = id;
    p.side = side;
    p.last_byte = k.last_byte;
    p.has_last_byte = k.has_last_byte;
    p.established = k.established;
    p.fin_received = k.fin_received;
    p.fin_sent = k.fin_sent;
    p.version = k.version;
    p.una = k.una;
    p.ack = k.ack;
    p.ts_recent = k.ts_recent;
    p.last_active = Instant{} + seconds(k.last_active_s);
    return p;
}

}  // namespace holdfast::mirror
