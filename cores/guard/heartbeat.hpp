// The heartbeat as it stands on the wire: the payload of an Ethernet frame of type 0x88B5.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "cores/guard/hmac.hpp"
#include "cores/guard/roles.hpp"

namespace holdfast::guard {

/// Ethertype for local experiments (IEEE 802); the host writes it.
inline constexpr std::uint16_t heartbeat_ethertype = 0x88b5;

/// A heartbeat, decoded. Integers are little-endian on the wire, at these offsets:
///
///      0  u32  magic "HFhb"                 64  u64  grant_counter (0 = no lease granted)
///      4  u8   version                      72  u64  path_echo[3]
///      5  u8   node_id                      96  u64  progress[2], client and server core
///      6  u8   path                        112  u64  mirror_progress
///      7  u8   role                        120  u32  lease, 124 u32 margin: microseconds
///      8  u8   state                       128  u8   reserved[16], sent as zero, not looked at
///      9  u8   flags: able, in_sync, solo  144  u8   tag[16]: HMAC-SHA256 of 0..143, truncated
///     10  u8   links: bit per path         160
///     11  u8   reserved[5]
///     16  u64  term                        echo_*, grant_* and path_echo speak of heartbeats of the
///     24  u64  known_term                  receiver: those that carried the boot nonce echo_nonce.
///     32  u64  boot_nonce
///     40  u64  counter
///     48  u64  echo_nonce (0 = none)
///     56  u64  echo_counter
///
/// A field is added in the reserved bytes; a change of meaning takes a new version.
struct Heartbeat {
    std::uint8_t node_id = 0;
    Path path = Path::client;
    Role role = Role::booting;
    State state = State::boot;
    bool able = false;     ///< could serve: next term on stable storage, links, a reference target answers
    bool in_sync = false;  ///< as active: the mirror says that the standby holds every session
    bool solo = false;     ///< as active: holds a lease of its own granting, or may grant itself one now
    std::uint8_t links = 0;
    std::uint64_t term = 0;        ///< the term it claims or follows; 0 = none
    std::uint64_t known_term = 0;  ///< no term above this one can have been in use, as far as it knows
    std::uint64_t boot_nonce = 0;  ///< differs from start to start, never 0
    std::uint64_t counter = 0;     ///< grows with every round; the frames of a round on all paths share it
    std::uint64_t echo_nonce = 0;
    std::uint64_t echo_counter = 0;   ///< newest counter heard
    std::uint64_t grant_counter = 0;  ///< newest counter for which the lease is granted (see lease.hpp)
    std::array<std::uint64_t, path_count> path_echo{};  ///< newest counter heard on each path
    std::array<std::uint64_t, 2>
        progress{};  ///< duty cycles of the client and server core; 0 = did not run yet
    std::uint64_t mirror_progress = 0;
    std::uint32_t lease_us = 0, margin_us = 0;  ///< as its configuration has them
};

inline constexpr std::size_t heartbeat_bytes = 160;
inline constexpr std::size_t heartbeat_signed_bytes = heartbeat_bytes - Hmac::tag_bytes;
static_assert(heartbeat_signed_bytes == 144);
using HeartbeatFrame = std::array<std::uint8_t, heartbeat_bytes>;

enum class Parsed : std::uint8_t { ok, malformed, forged };

void encode(const Heartbeat& heartbeat, const Hmac& hmac, HeartbeatFrame& frame);
/// Nothing of `heartbeat` may be used unless the result is ok. Bytes behind the heartbeat are ignored: some
/// drivers leave the frame check sequence there.
Parsed decode(std::span<const std::uint8_t> payload, const Hmac& hmac, Heartbeat& heartbeat);

}  // namespace holdfast::guard
