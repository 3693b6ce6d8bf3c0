// TCP segments: from bytes to values and back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/seq_num.hpp"
#include "lib/wire/headers.hpp"

namespace holdfast::wire {

/// A range [begin, end) of sequence numbers in a SACK option (RFC 2018).
struct SackBlock {
    SeqNum begin, end;
    friend constexpr bool operator==(SackBlock, SackBlock) = default;
};

/// The options that we understand; absent ones are false or 0.
struct TcpOptions {
    std::uint16_t mss = 0;          ///< SYN only; 0 = absent
    std::uint8_t window_scale = 0;  ///< SYN only; as sent, not yet clamped to 14
    bool has_window_scale = false;
    bool sack_permitted = false;  ///< SYN only
    bool has_timestamps = false;
    std::uint32_t ts_value = 0, ts_echo = 0;
    std::uint8_t sack_count = 0;
    std::array<SackBlock, 4> sack{};
};

/// A segment's header as values.
struct TcpHeader {
    std::uint16_t source_port = 0, destination_port = 0;
    SeqNum seq, ack;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;  ///< as it stands in the header, unscaled
    TcpOptions options;

    bool has(std::uint8_t f) const { return (flags & f) != 0; }
};

/// Reads options from `bytes`. False when an option's length is impossible (the segment is malformed);
/// unknown options are skipped.
bool parse_tcp_options(std::span<const std::uint8_t> bytes, TcpOptions& out);

/// Bytes that `options` take in the header, padded to a multiple of 4.
inline std::size_t tcp_options_size(const TcpOptions& o) {
    std::size_t size = 0;
    if (o.mss != 0) size += 4;
    if (o.has_window_scale) size += 4;
    if (o.sack_permitted) size += 4;
    if (o.has_timestamps) size += 12;
    if (o.sack_count > 0) size += 4 + 8u * o.sack_count;
    return size;
}

/// Writes header and options at `out` (room for tcp_size + tcp_options_size); checksum field 0. Returns the
/// header's size in bytes.
std::size_t write_tcp_header(std::uint8_t* out, const TcpHeader& header);

}  // namespace holdfast::wire
