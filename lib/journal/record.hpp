// One record of a journal's log, and its bytes.
//
//     0        4        8        12     13      14   16     20          24       32       40
//     | magic  | CRC32C | length | kind | flags | -- | slot | generation | number | offset | body ...
//
// All numbers are little-endian. The CRC covers what follows it, and begins with a salt: the author of the
// term in which the record was written, which no client knows. So no client can say bytes that look like a
// record after they were torn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "lib/base/address.hpp"
#include "lib/session/record.hpp"

namespace holdfast::journal {

/// Bytes from the beginning of a log, over all of its records.
using LogPosition = std::uint64_t;

/// One reign of one node. Two that are equal were written by the same node, one record after the other.
struct Term {
    std::uint64_t number = 0;
    std::uint64_t author = 0;  ///< drawn by the node when it started
    friend bool operator==(const Term&, const Term&) = default;
};

enum class Kind : std::uint8_t {
    term = 1,    ///< the records from here on are of this term
    opened = 2,  ///< a session's first; its body says who the client is
    data = 3,    ///< the body stands at `offset` of the session's stream
    end = 4,     ///< the client's end of stream, at `offset`
};

struct Record {
    Kind kind{};
    bool fresh = false;        ///< term: its node had no sessions from before
    SessionId session;         ///< as the pair of nodes knows it while it lives
    std::uint64_t number = 0;  ///< of the session: where its first record stands. Of a term: its number
    std::uint64_t offset = 0;  ///< in the session's stream. Of a term: its author
    std::span<const std::uint8_t> body;
    bool complete = false;  ///< term: all that was acknowledged in the term before stands below
};

inline constexpr std::size_t record_header_size = 40;
inline constexpr std::size_t body_max = 16384;
inline constexpr std::size_t record_max = record_header_size + body_max;

/// The record's bytes, to the front of `out`, which has room for them. Returns how many they are.
std::size_t encode(const Record& r, std::uint64_t salt, std::span<std::uint8_t> out);

enum class Decoded : std::uint8_t {
    whole,
    partial,  ///< more bytes may make it whole
    damaged,  ///< no bytes will
};

/// Reads the record at the front of `bytes`; its body points there.
Decoded decode(std::span<const std::uint8_t> bytes, std::uint64_t salt, Record& out);

/// The size that the record at the front of `bytes` claims; nullopt when there are too few to say.
std::optional<std::size_t> claimed_size(std::span<const std::uint8_t> bytes);

/// The term that a whole record begins; nullopt for other records.
std::optional<Term> term_of(std::span<const std::uint8_t> record);

/// Who a session's client is: the body of its first record.
struct Party {
    Endpoint client, local;
    std::string_view service;
};
inline constexpr std::size_t party_max = 36 + 63;

/// `service` is at most 63 bytes. Returns the size.
std::size_t encode(const Party& p, std::span<std::uint8_t> out);
/// Tells two clients of the same session id apart; of the body of a first record.
std::uint32_t party_hash(std::span<const std::uint8_t> body);
std::optional<Party> decode_party(std::span<const std::uint8_t> body);

}  // namespace holdfast::journal
