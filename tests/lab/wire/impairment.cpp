#include "impairment.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "lib/base/check.hpp"

namespace holdfast::lossy {

Impairment::Impairment(Limits limits, std::uint64_t seed_value)
    : limits_(limits),
      store_(std::make_unique_for_overwrite<std::byte[]>(limits.frame_bytes_max * limits.frames_max)),
      free_(limits.frames_max) {
    std::iota(free_.rbegin(), free_.rend(), 0U);
    lent_.reserve(limits.frames_max);
    heap_.reserve(limits.frames_max);
    seed(seed_value);
}

void Impairment::seed(std::uint64_t seed_value) {
    std::uint64_t kind = 0;
    for (Random* each : {&loss_, &dup_, &reorder_, &jitter_}) *each = Random(mix64(seed_value) + ++kind);
}

void Impairment::set(const Settings& settings) {
    if (settings.seed) seed(*settings.seed);
    settings_ = settings;
    rate_free_at_ = {};
    jitter_until_ = {};
}

void Impairment::receive(std::span<const Bytes> pieces, Instant at) {
    at = last_arrival_ = later(at, last_arrival_);
    const bool lost = loss_.chance(settings_.loss_ppm);
    const bool twice = dup_.chance(settings_.dup_ppm);
    const bool hold_back = reorder_.chance(settings_.reorder_ppm);
    counters_.add(Count::received);
    if (lost) return counters_.add(Count::lost);

    std::size_t length = 0;
    for (const Bytes piece : pieces) length += piece.size();
    admit(pieces, length, at, hold_back);
    if (!twice) return;
    counters_.add(Count::duplicated);
    admit(pieces, length, at, hold_back);
}

void Impairment::admit(std::span<const Bytes> pieces, std::size_t length, Instant at, bool hold_back) {
    HF_CHECK(length <= limits_.frame_bytes_max);
    if (free_.empty()) return counters_.add(Count::store_full);

    Instant out_of_queue = at;
    if (const std::uint64_t rate = settings_.rate_bps) {
        const Instant start = later(at, rate_free_at_);
        const std::uint64_t waiting = static_cast<std::uint64_t>((start - at).to_us()) * rate / 8'000'000;
        if (waiting && waiting + length > settings_.queue_limit()) return counters_.add(Count::queue_full);
        out_of_queue = start + nanoseconds(static_cast<std::int64_t>(length * 8'000'000'000 / rate));
        rate_free_at_ = out_of_queue;
    }
    // Nothing overtakes, except what is held back: that moves the mark for nobody else.
    Instant due = later(out_of_queue + settings_.delay + jitter_at(at), last_due_);
    if (hold_back) {
        due = due + settings_.reorder_by;
    } else {
        last_due_ = due;
    }

    const std::uint32_t slot = free_.back();
    free_.pop_back();
    std::byte* to = memory(slot);
    for (const Bytes piece : pieces) to = std::copy(piece.begin(), piece.end(), to);
    heap_.push_back({due, ++next_number_, slot, static_cast<std::uint32_t>(length)});
    std::push_heap(heap_.begin(), heap_.end(), later_first);
}

// Drawn anew only once it has lasted as long as it may be: with a draw for every frame, a dense stream in
// which nothing may overtake would see nothing but the maximum.
Duration Impairment::jitter_at(Instant at) {
    if (settings_.jitter.ns == 0) return {};
    if (at >= jitter_until_) {
        jitter_now_ = nanoseconds(jitter_.between(0, settings_.jitter.ns));
        jitter_until_ = at + settings_.jitter;
    }
    return jitter_now_;
}

std::size_t Impairment::transmit(Instant now, std::span<Bytes> out) {
    free_.insert(free_.end(), lent_.begin(), lent_.end());
    lent_.clear();
    std::size_t n = 0;
    while (n < out.size() && !heap_.empty() && heap_.front().due <= now) {
        const Entry entry = heap_.front();
        std::pop_heap(heap_.begin(), heap_.end(), later_first);
        heap_.pop_back();
        lent_.push_back(entry.slot);
        out[n++] = {memory(entry.slot), entry.length};
        if (entry.number < highest_sent_) counters_.add(Count::reordered);
        highest_sent_ = std::max(highest_sent_, entry.number);
        counters_.add(Count::passed);
        counters_.add(Count::passed_bytes, entry.length);
    }
    return n;
}

Instant Impairment::next_deadline() const { return heap_.empty() ? Instant::never() : heap_.front().due; }

bool Impairment::later_first(const Entry& a, const Entry& b) {
    return a.due != b.due ? a.due > b.due : a.number > b.number;
}

}  // namespace holdfast::lossy
