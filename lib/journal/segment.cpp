#include "lib/journal/segment.hpp"

#include <cstring>

#include "lib/base/check.hpp"
#include "lib/journal/bytes.hpp"
#include "lib/journal/crc.hpp"

namespace holdfast::journal {
namespace {

constexpr std::uint32_t magic = 0x73724648;  // "HFrs"
constexpr std::uint32_t version = 1;
constexpr std::size_t at_version = 4, at_first = 8, at_number = 16, at_author = 24, at_crc = 32;

/// Whether a sound record stands anywhere in `bytes`.
bool holds_record(std::span<const std::uint8_t> bytes, std::uint64_t salt) {
    Record r;
    for (std::size_t i = 0; i + record_header_size <= bytes.size(); ++i)
        if (decode(bytes.subspan(i), salt, r) == Decoded::whole) return true;
    return false;
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
}

std::optional<SegmentHeader> decode_segment(std::span<const std::uint8_t> bytes) {
    const auto* p = bytes.data();
    if (bytes.size() < segment_header_size || get<std::uint32_t>(p) != magic ||
        get<std::uint32_t>(p + at_version) != version ||
        get<std::uint32_t>(p + at_crc) != crc32c(std::span(p, at_crc)))
        return std::nullopt;
    return SegmentHeader{get<std::uint64_t>(p + at_first),
                         {get<std::uint64_t>(p + at_number), get<std::uint64_t>(p + at_author)}};
}

Scan scan_segment(std::span<const std::uint8_t> bytes, LogPosition first, Term& term,
                  const RecordVisitor& visit) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        Record r;
        const auto rest = bytes.subspan(at);
        if (decode(rest, term.author, r) != Decoded::whole)
            return {first + at, holds_record(rest.subspan(1), term.author) ? Tail::damaged : Tail::torn};
        if (!visit(r, first + at)) return {first + at, Tail::damaged};
        if (r.kind == Kind::term) term = {r.number, r.offset};
        at += record_header_size + r.body.size();
    }
    return {first + at, Tail::none};
}

}  // namespace holdfast::journal
