#include "lib/journal/terms.hpp"

#include <algorithm>

#include "lib/base/check.hpp"
#include "lib/journal/bytes.hpp"

namespace holdfast::journal {
namespace {

constexpr std::size_t description_header = 16, start_size = 24;
static_assert(description_header + Description::terms_max * start_size == Description::size_max);

}  // namespace

void Terms::begin(const TermStart& start) {
    if (starts_.size() == kept_max) starts_.erase(starts_.begin());
    starts_.push_back(start);
}

void Terms::truncate(LogPosition to) {
    while (!starts_.empty() && starts_.back().at >= to) starts_.pop_back();
}

Term Terms::at(LogPosition position) const {
    for (auto s = starts_.rbegin(); s != starts_.rend(); ++s)
        if (s->at < position) return s->term;
    return {};
}

const TermStart* Terms::beginning_at(LogPosition position) const {
    const auto s = std::ranges::find(starts_, position, &TermStart::at);
    return s == starts_.end() ? nullptr : &*s;
}

Description describe(const Terms& terms, LogPosition end, bool holds_data) {
    Description d{end, holds_data, 0, {}};
    const auto starts = terms.starts();
    for (auto s = starts.rbegin(); s != starts.rend() && d.count < Description::terms_max; ++s)
        d.newest[d.count++] = *s;
    return d;
}

std::size_t encode(const Description& d, std::span<std::uint8_t> out) {
    HF_CHECK(out.size() >= Description::size_max);
    auto* p = out.data();
    put(p, d.end);
    put(p + 8, std::uint64_t{d.holds_data});
    p += description_header;
    for (std::size_t i = 0; i < d.count; ++i, p += start_size) {
        put(p, d.newest[i].term.number);
        put(p + 8, d.newest[i].term.author);
        put(p + 16, d.newest[i].at);
    }
    return static_cast<std::size_t>(p - out.data());
}

std::optional<Description> decode_description(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < description_header || bytes.size() > Description::size_max ||
        (bytes.size() - description_header) % start_size != 0)
        return std::nullopt;
    const auto* p = bytes.data();
    Description d{get<std::uint64_t>(p),
                  get<std::uint64_t>(p + 8) != 0,
                  (bytes.size() - description_header) / start_size,
                  {}};
    p += description_header;
    for (std::size_t i = 0; i < d.count; ++i, p += start_size)
        d.newest[i] = {{get<std::uint64_t>(p), get<std::uint64_t>(p + 8)}, get<std::uint64_t>(p + 16), false};
    return d;
}

std::optional<LogPosition> common_end(const Terms& terms, LogPosition end, const Description& other) {
    const auto starts = terms.starts();
    for (std::size_t i = 0; i < other.count; ++i) {
        const auto& theirs = other.newest[i];
        const auto own = std::ranges::find(starts, theirs.term, &TermStart::term);
        if (own == starts.end() || own->at != theirs.at) continue;
        const auto own_end = own + 1 == starts.end() ? end : own[1].at;
        return std::min(own_end, i == 0 ? other.end : other.newest[i - 1].at);
    }
    return other.holds_data ? std::nullopt : std::optional<LogPosition>(0);
}

}  // namespace holdfast::journal
