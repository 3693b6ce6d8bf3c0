// ICMP and ICMPv6 errors about TCP segments of ours (RFC 792, RFC 1191, RFC 4443).
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/seq_num.hpp"
#include "lib/wire/frame.hpp"

namespace holdfast::wire {

/// What some router or host says of a segment that we have sent, and which one it was.
struct IcmpError {
    enum class Kind : std::uint8_t {
        too_big,  ///< it does not fit a link on its path: `mtu`
        refused,  ///< nobody takes it at its destination, or somebody forbids it
        lost,     ///< its destination can not be reached now
    };
    Kind kind{};
    std::uint32_t mtu = 0;          ///< too_big: IP packet size in bytes; 0 from routers older than RFC 1191
    std::uint16_t packet_size = 0;  ///< IP bytes of the segment
    Endpoint local, remote;         ///< the segment's source, which is us, and destination
    SeqNum seq;
};

/// Reads the message of a frame of kind icmp or icmpv6 whose sum is right; nullopt when it is no such error,
/// or not about a TCP segment from the very address that it was sent to.
std::optional<IcmpError> read_icmp_error(const std::uint8_t* message, const Frame& frame);

}  // namespace holdfast::wire
