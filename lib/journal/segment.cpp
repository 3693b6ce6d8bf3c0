#include "lib/journal/segment.hpp"

#include <algorithm>
#include <cstring>

#include "lib/base/check.hpp"
#include "lib/journal/bytes.hpp"
#include "lib/journal/crc.hpp"

namespace holdfast::journal {
namespace {

constexpr std::uint32_t magic = 0x73724648;  // "HFrs"
constexpr std::uint32_t version = 2;
constexpr std::size_t at_version = 4, at_first = 8, at_number = 16, at_author = 24, at_crc = 32;
constexpr std::size_t mark_at_first = 8, mark_at_crc = 16;

/// What a mark says of the segment; where it does not check, that nothing of it was durable.
LogPosition decode_mark(std::span<const std::uint8_t> bytes, LogPosition first) {
    const auto* p = bytes.data();
    const bool sound = get<std::uint32_t>(p + mark_at_crc) == crc32c(bytes.first(mark_at_crc)) &&
                       get<std::uint64_t>(p + mark_at_first) == first;
    return sound ? get<std::uint64_t>(p) : first;
}

}  // namespace

void encode(const SegmentHeader& h, std::span<std::uint8_t> out) {
    HF_CHECK(out.size() >= segment_header_size);
    auto* p = out.data();
    std::memset(p, 0, segment_header_size);
    put(p, magic);
    put(p + at_version, version);
    put(p + at_first, h.first);
    put(p + at_number, h.term.number);
    put(p + at_author, h.term.author);
    put(p + at_crc, crc32c(std::span(p, at_crc)));
    for (const auto number : {0u, 1u}) encode_mark(h, out.subspan(mark_place(number)));
}

void encode_mark(const SegmentHeader& h, std::span<std::uint8_t> out) {
    HF_CHECK(out.size() >= mark_size);
    auto* p = out.data();
    put(p, h.durable);
    put(p + mark_at_first, h.first);
    put(p + mark_at_crc, crc32c(std::span(p, mark_at_crc)));
}

std::optional<SegmentHeader> decode_segment(std::span<const std::uint8_t> bytes) {
    const auto* p = bytes.data();
    if (bytes.size() < segment_header_size || get<std::uint32_t>(p) != magic ||
        get<std::uint32_t>(p + at_version) != version ||
        get<std::uint32_t>(p + at_crc) != crc32c(std::span(p, at_crc)))
        return std::nullopt;
    const auto first = get<std::uint64_t>(p + at_first);
    const auto mark = [&](unsigned number) {
        return decode_mark(bytes.subspan(mark_place(number), mark_size), first);
    };
    return SegmentHeader{first,
                         {get<std::uint64_t>(p + at_number), get<std::uint64_t>(p + at_author)},
                         std::max({first, mark(0), mark(1)})};
}

Scan scan_segment(std::span<const std::uint8_t> bytes, LogPosition first, LogPosition durable, Term& term,
                  const RecordVisitor& visit) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        Record r;
        if (decode(bytes.subspan(at), term.author, r) != Decoded::whole)
            return {first + at, first + at < durable ? Tail::damaged : Tail::torn};
        if (!visit(r, first + at)) return {first + at, Tail::damaged};
        if (r.kind == Kind::term) term = {r.number, r.offset};
        at += record_header_size + r.body.size();
    }
    return {first + at, first + at < durable ? Tail::damaged : Tail::none};
}

}  // namespace holdfast::journal
