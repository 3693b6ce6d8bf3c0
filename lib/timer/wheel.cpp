#include "lib/timer/wheel.hpp"

namespace holdfast {

Wheel::Wheel(std::uint32_t size, Instant now) : entries_(size), now_tick_(tick_of(now)) {
    for (auto& level : heads_) level.fill(none);
}

void Wheel::arm(std::uint32_t slot, Instant at) {
    disarm(slot);
    if (at.is_never()) return;
    entries_[slot].at = at;
    link(slot, now_tick_ + 1);
    ++armed_;
}

void Wheel::disarm(std::uint32_t slot) {
    if (entries_[slot].at.is_never()) return;
    unlink(slot);
    entries_[slot].at = Instant::never();
    --armed_;
}

void Wheel::link(std::uint32_t slot, std::uint64_t first_tick) {
    auto& e = entries_[slot];
    // Rounded up, so that a slot never fires before its time.
    auto tick = e.at.ns <= 0 ? 0 : tick_of(e.at) + 1;
    if (tick < first_tick) tick = first_tick;
    constexpr std::uint64_t horizon = (std::uint64_t{1} << (8 * levels)) - 1;
    if (tick - now_tick_ > horizon) tick = now_tick_ + horizon;
    // The level is the highest byte in which the tick differs from now: there it waits for its cascade.
    std::uint32_t level = 0;
    while (level + 1 < levels && (tick >> (8 * (level + 1))) != (now_tick_ >> (8 * (level + 1)))) ++level;
    e.level = static_cast<std::uint8_t>(level);
    e.bucket = static_cast<std::uint16_t>(tick >> (8 * level) & 255);
    auto& head = heads_[level][e.bucket];
    e.previous = none;
    e.next = head;
    if (head != none) entries_[head].previous = slot;
    head = slot;
}

void Wheel::unlink(std::uint32_t slot) {
    auto& e = entries_[slot];
    if (e.previous != none) entries_[e.previous].next = e.next;
    else heads_[e.level][e.bucket] = e.next;
    if (e.next != none) entries_[e.next].previous = e.previous;
}

void Wheel::cascade() {
    for (std::uint32_t level = 1; level < levels; ++level) {
        if ((now_tick_ & ((std::uint64_t{1} << (8 * level)) - 1)) != 0) return;
        auto& head = heads_[level][now_tick_ >> (8 * level) & 255];
        auto slot = head;
        head = none;
        while (slot != none) {
            const auto next = entries_[slot].next;
            link(slot, now_tick_);
            slot = next;
        }
    }
}

Instant Wheel::next_deadline() const {
    if (armed_ == 0) return Instant::never();
    // Level 0 up to its wrap; beyond that the next cascade is the next thing to do.
    for (std::uint64_t tick = now_tick_ + 1; (tick & 255) != 0; ++tick)
        if (heads_[0][tick & 255] != none) return {static_cast<std::int64_t>(tick << tick_shift)};
    return {static_cast<std::int64_t>(((now_tick_ | 255) + 1) << tick_shift)};
}

}  // namespace holdfast
