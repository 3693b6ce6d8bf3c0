// Frames between the appliance and a process of the same machine that serves its sessions (gate host).
// Little-endian, 32 bytes and what follows them:
//
//      0     1       2         4             8        12            16         24         32
//      +-----+-------+---------+-------------+--------+-------------+----------+----------+---------
//      |kind | flags | size    | attachment  | slot   | generation  | offset   | second   | `size` bytes
//      +-----+-------+---------+-------------+--------+-------------+----------+----------+---------
//
// Each is a statement that stays true, by offsets from the beginning of a stream: saying it twice does no
// harm.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/address.hpp"

namespace holdfast::host {

inline constexpr std::uint64_t protocol_version = 1;
inline constexpr std::size_t header_size = 32;
/// What any Ethernet port carries.
inline constexpr std::size_t frame_max = 1514, payload_max = frame_max - header_size;

enum class Kind : std::uint8_t {
    // from the appliance
    welcome = 1,  ///< answers a hello: `attachment` is its number; second: highest slot of a session, and one
    refused,      ///< answers a hello of another version; offset: the appliance's
    detached,     ///< what the process said came too late; say hello
    opened,       ///< a session; offset: committed; second: replied; flags; `Greeting`
    data,         ///< offset: of the first byte
    end,          ///< the client says no more; offset: of its end
    state,        ///< offset: replied; second: replies below it have room; flags: again
    closed,       ///< the session is over
    // from the process
    hello,   ///< offset: protocol_version
    answer,  ///< reply bytes at `offset`; second: below it all is confirmed, once these bytes are taken;
             ///< flags
    abort,   ///< the session ends by RST
    alive,
};
inline constexpr auto first_kind = Kind::welcome, last_kind = Kind::alive;

/// Bits of Frame::flags.
namespace flag {
inline constexpr std::uint8_t resumed = 1;    ///< opened: it was open before, here or on another machine
inline constexpr std::uint8_t end_taken = 2;  ///< opened: the client's end of stream is confirmed
inline constexpr std::uint8_t finished = 4;   ///< opened, answer: no replies follow
inline constexpr std::uint8_t again = 8;      ///< state: replies from there on were not taken
inline constexpr std::uint8_t end = 16;       ///< answer: the client's end of stream is confirmed
}  // namespace flag

/// A slot is used again, a (slot, generation) never.
struct Session {
    std::uint32_t slot = 0, generation = 0;
    friend constexpr bool operator==(Session, Session) = default;
};

struct Frame {
    Kind kind{};
    std::uint8_t flags = 0;
    std::uint32_t attachment = 0;
    Session session;
    std::uint64_t offset = 0, second = 0;
    std::span<const std::uint8_t> bytes;
};

/// Writes a frame with at most payload_max bytes into `out`, which has room for frame_max. Returns its size.
std::size_t write(const Frame& frame, std::span<std::uint8_t> out);

/// nullopt when it is no frame. What follows the frame is padding; its `bytes` point into `in`.
std::optional<Frame> read(std::span<const std::uint8_t> in);

/// The bytes of an `opened`.
struct Greeting {
    static constexpr std::size_t size = 44;

    Endpoint client, local;
    std::uint64_t edge = 0;  ///< replies below it have room
    friend bool operator==(const Greeting&, const Greeting&) = default;
};

void write(const Greeting& greeting, std::span<std::uint8_t, Greeting::size> out);
std::optional<Greeting> read_greeting(std::span<const std::uint8_t> in);

}  // namespace holdfast::host
