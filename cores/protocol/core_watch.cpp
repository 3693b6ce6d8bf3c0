#include "cores/protocol/core_watch.hpp"

namespace holdfast::protocol {

CoreWatch::CoreWatch(const proxy::Lane& lane, Duration stall_max, Instant now)
    : lane_(lane), stall_max_(stall_max) {
    for (auto& s : seen_) s.moved_at = now;
}

std::uint64_t CoreWatch::cycles(std::size_t core) const {
    const auto& cells = core < 2 ? lane_.core[core] : lane_.application->core;
    return cells.cycles.load(std::memory_order_relaxed);
}

void CoreWatch::look(Instant now) {
    for (std::size_t core = 0; core < cores(); ++core) {
        const auto now_at = cycles(core);
        if (now_at == seen_[core].cycles) continue;
        seen_[core] = {now_at, now, false};
    }
    constexpr auto server = index(Journal::server), application = index(Journal::application);
    const bool moved = seen_[server].cycles != both_seen_[0] &&
                       (!lane_.application || seen_[application].cycles != both_seen_[1]);
    if (!moved) return;
    ++both_;
    both_seen_ = {seen_[server].cycles, seen_[application].cycles};
}

std::optional<Journal> CoreWatch::take_stalled(Instant now) {
    for (std::size_t core = 0; core < cores(); ++core) {
        auto& s = seen_[core];
        // One that has not begun yet starts up.
        if (s.told || s.cycles == 0 || now - s.moved_at < stall_max_) continue;
        s.told = true;
        return static_cast<Journal>(core);
    }
    return std::nullopt;
}

}  // namespace holdfast::protocol
