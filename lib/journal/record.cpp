#include "lib/journal/record.hpp"

#include <cstring>

#include "lib/base/check.hpp"
#include "lib/journal/bytes.hpp"
#include "lib/journal/crc.hpp"

namespace holdfast::journal {
namespace {

constexpr std::uint32_t magic = 0x6a724648;  // "HFrj"
constexpr std::size_t at_crc = 4, at_length = 8, at_kind = 12, at_flags = 13, at_slot = 16,
                      at_generation = 20, at_number = 24, at_offset = 32;
constexpr std::uint8_t flag_fresh = 1, flag_complete = 2;
constexpr std::size_t endpoint_size = 18;

std::uint32_t checksum(std::span<const std::uint8_t> record, std::uint64_t salt) {
    const auto covered = record.subspan(at_length);
    return crc32c(covered, rte_hash_crc(&salt, sizeof salt, 0xffffffff));
}

void put_endpoint(std::uint8_t* at, const Endpoint& e) {
    std::memcpy(at, e.address.bytes.data(), 16);
    put(at + 16, e.port);
}
Endpoint get_endpoint(const std::uint8_t* at) {
    Endpoint e;
    std::memcpy(e.address.bytes.data(), at, 16);
    e.port = get<std::uint16_t>(at + 16);
    return e;
}

}  // namespace

std::size_t encode(const Record& r, std::uint64_t salt, std::span<std::uint8_t> out) {
    const auto size = record_header_size + r.body.size();
    HF_CHECK(r.body.size() <= body_max && out.size() >= size);
    auto* p = out.data();
    std::memset(p, 0, record_header_size);
    put(p, magic);
    put(p + at_length, static_cast<std::uint32_t>(r.body.size()));
    p[at_kind] = static_cast<std::uint8_t>(r.kind);
    p[at_flags] = static_cast<std::uint8_t>((r.fresh ? flag_fresh : 0) | (r.complete ? flag_complete : 0));
    put(p + at_slot, r.session.slot);
    put(p + at_generation, r.session.generation);
    put(p + at_number, r.number);
    put(p + at_offset, r.offset);
    if (!r.body.empty()) std::memcpy(p + record_header_size, r.body.data(), r.body.size());
    put(p + at_crc, checksum(out.first(size), salt));
    return size;
}

std::optional<std::size_t> claimed_size(std::span<const std::uint8_t> bytes) {
    if (bytes.size() < at_length + 4) return std::nullopt;
    return record_header_size + get<std::uint32_t>(bytes.data() + at_length);
}

Decoded decode(std::span<const std::uint8_t> bytes, std::uint64_t salt, Record& out) {
    const auto* p = bytes.data();
    if (bytes.size() >= 4 && get<std::uint32_t>(p) != magic) return Decoded::damaged;
    if (bytes.size() < record_header_size) return Decoded::partial;
    const auto length = get<std::uint32_t>(p + at_length);
    if (length > body_max) return Decoded::damaged;
    if (bytes.size() < record_header_size + length) return Decoded::partial;
    if (p[at_kind] < 1 || p[at_kind] > static_cast<std::uint8_t>(Kind::end)) return Decoded::damaged;
    if (get<std::uint32_t>(p + at_crc) != checksum(bytes.first(record_header_size + length), salt))
        return Decoded::damaged;
    out = {static_cast<Kind>(p[at_kind]),
           (p[at_flags] & flag_fresh) != 0,
           {get<std::uint32_t>(p + at_slot), get<std::uint32_t>(p + at_generation)},
           get<std::uint64_t>(p + at_number),
           get<std::uint64_t>(p + at_offset),
           bytes.subspan(record_header_size, length),
           (p[at_flags] & flag_complete) != 0};
    return Decoded::whole;
}

std::optional<Term> term_of(std::span<const std::uint8_t> record) {
    const auto* p = record.data();
    if (p[at_kind] != static_cast<std::uint8_t>(Kind::term)) return std::nullopt;
    return Term{get<std::uint64_t>(p + at_number), get<std::uint64_t>(p + at_offset)};
}

std::size_t encode(const Party& p, std::span<std::uint8_t> out) {
    const auto size = 2 * endpoint_size + p.service.size();
    HF_CHECK(out.size() >= size);
    put_endpoint(out.data(), p.client);
    put_endpoint(out.data() + endpoint_size, p.local);
    std::memcpy(out.data() + 2 * endpoint_size, p.service.data(), p.service.size());
    return size;
}

std::uint32_t party_hash(std::span<const std::uint8_t> body) { return crc32c(body); }

std::optional<Party> decode_party(std::span<const std::uint8_t> body) {
    if (body.size() < 2 * endpoint_size) return std::nullopt;
    const auto name = body.subspan(2 * endpoint_size);
    return Party{get_endpoint(body.data()),
                 get_endpoint(body.data() + endpoint_size),
                 {reinterpret_cast<const char*>(name.data()), name.size()}};
}

}  // namespace holdfast::journal
