// Bytes of the mirror protocol: explicit little-endian layout, versioned, one CRC per record.
//
//     u16 size (of everything that follows) | u8 type | u8 version | body | u32 crc32c over type..body
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "lib/session/record.hpp"

namespace holdfast::mirror {

/// Version that is written, and the oldest one that is read.
inline constexpr std::uint8_t record_version = 4, record_version_oldest = 2;
/// Longest record on the wire, all included.
inline constexpr std::size_t record_size_max = 1152;

/// First record in both directions: what must be alike before anything is mirrored.
struct Hello {
    std::uint8_t node_id = 0;
    std::uint8_t is_active = 0;
    std::uint16_t lanes = 1;
    std::uint32_t slots = 0;
    std::uint64_t term = 0;
    std::uint64_t configuration = 0;   ///< hash over services, gates, addresses and limits
    std::uint64_t incarnation = 0;     ///< of the sender's process
    std::int64_t shared_clock_ns = 0;  ///< the pair's clock as the sender knows it, at sending
};

/// Why a node handshake was refused; also the reason shown to operators.
enum class Refusal : std::uint8_t {
    none,
    version,
    configuration,
    slots,
    lanes,
    same_node,
    not_active,
    term,
    no_room,
    count_
};
std::string_view to_string(Refusal r);

struct Refused {
    Refusal reason{};
};
struct EpochStart {
    Journal journal{};
    std::uint32_t epoch = 0;
};
struct SnapshotEnd {
    Journal journal{};
    std::uint64_t sequence = 0;
};
struct Opened {
    std::uint64_t sequence = 0;
    SessionRecord record;
};
struct Progress {
    std::uint64_t sequence = 0;
    ProgressRecord record;
};
struct Closed {
    std::uint64_t sequence = 0;
    ClosedRecord record;
};
/// From the standby: all records of each journal up to these are in its memory.
struct Confirm {
    std::uint64_t sequence[journal_count] = {};
    std::uint8_t ready = 0;  ///< all snapshots are complete
};
struct Application {
    std::uint64_t sequence = 0;
    ApplicationRecord record;
};
struct State {
    std::uint64_t sequence = 0;
    StateRecord record;
};
/// From the standby, one for each service with an application: the active's stores what that one lacks.
struct Described {
    StateRecord record;
};

struct Payload {
    std::uint64_t sequence = 0;
    PayloadRecord record;
};

using Record = std::variant<Hello, Refused, EpochStart, SnapshotEnd, Opened, Progress, Closed, Confirm,
                            Application, State, Described, Payload>;

/// Writes `record` to `out` (record_size_max bytes); returns its size.
std::size_t encode(const Record& record, std::span<std::uint8_t> out);

/// What the front of a byte stream holds.
struct Decoded {
    /// other_version: whole, and of a version that this node can not read.
    enum class Verdict : std::uint8_t { complete, incomplete, malformed, other_version } verdict{};
    std::size_t size = 0;  ///< bytes to consume, if complete
    Record record;
};
Decoded decode(std::span<const std::uint8_t> bytes);

}  // namespace holdfast::mirror
