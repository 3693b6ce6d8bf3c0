// What a standby must know of a session, as plain values. cores/proxy fills them, cores/mirror carries them;
// their byte layout on the wire is cores/mirror/codec.hpp, not these structs.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "lib/base/address.hpp"
#include "lib/base/seq_num.hpp"
#include "lib/base/time.hpp"

namespace holdfast {

/// Which of a session's two legs, and equally which of a lane's two cores.
enum class Side : std::uint8_t { client = 0, server = 1 };
constexpr Side other(Side s) { return s == Side::client ? Side::server : Side::client; }
constexpr std::size_t index(Side s) { return static_cast<std::size_t>(s); }

/// Who writes records of his own, in an order of his own: a lane's cores.
enum class Journal : std::uint8_t {
    client = 0,
    server = 1,
    application = 2,
    client_payload = 3,
    server_payload = 4
};
inline constexpr std::size_t journal_count = 5;
constexpr Journal journal_of(Side s) { return static_cast<Journal>(s); }
/// Of the bytes on their way to that side's endpoints.
constexpr Journal payload_journal_of(Side s) {
    return s == Side::client ? Journal::client_payload : Journal::server_payload;
}
constexpr std::size_t index(Journal j) { return static_cast<std::size_t>(j); }

/// Identity of a session within a pair of nodes: a slot is used again, a (slot, generation) never.
struct SessionId {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    friend constexpr bool operator==(SessionId, SessionId) = default;
};

/// One leg's constants, agreed in its handshake. Our side and the endpoint's side of it.
struct LegRecord {
    Endpoint local, remote;           ///< our address (VIP or SNAT) and the endpoint's
    SeqNum iss, irs;                  ///< our initial sequence number and the endpoint's
    std::uint32_t ts_offset = 0;      ///< added to our millisecond clock to make TSval
    std::uint16_t mss_send = 536;     ///< what the endpoint accepts (payload bytes less no options)
    std::uint16_t mss_receive = 536;  ///< what we announced
};

/// `Opened`: constant over the session's life.
struct SessionRecord {
    SessionId id;
    std::uint64_t term = 0;  ///< in which it was opened; TSval grows by a guard for each term since
    std::uint16_t service = 0;
    std::uint16_t backend = 0;
    std::uint8_t gates = 0;
    bool sack = false, timestamps = false,
         window_scaling = false;    ///< agreed end to end, the same on both legs
    std::uint8_t scale_client = 0;  ///< shift of windows that the client sends (and we, to the server)
    std::uint8_t scale_server = 0;  ///< shift of windows that the server sends
    std::uint8_t scale_to_client =
        0;                ///< shift of windows that we send to the client: a cookie fixed its own
    bool cookie = false;  ///< the client's leg was agreed on by a SYN cookie, before the server was asked
    /// By Side: the leg's packets may be marked where they would have been dropped (RFC 3168). Both are, but
    /// for a client that came back to a SYN without.
    bool ecn[2] = {};
    std::uint16_t syn_window = 0;  ///< unscaled window of the server's SYN-ACK
    LegRecord leg[2];              ///< by Side
    Instant opened_at{};
};
static_assert(std::is_trivially_copyable_v<SessionRecord>);

/// A time as tables keep it.
constexpr std::uint32_t in_seconds(Instant at) { return static_cast<std::uint32_t>(at.ns / 1'000'000'000); }

/// `Progress`: hints of one leg, written by the core that serves it. Newest version wins.
struct ProgressRecord {
    SessionId id;
    Side side{};
    std::uint8_t last_byte = 0;  ///< payload byte at position una - 1, if has_last_byte
    bool has_last_byte = false;
    bool established = false;   ///< the endpoint is known to be past its handshake
    bool fin_received = false;  ///< the endpoint's FIN, and the far end has acknowledged it
    bool fin_sent = false;      ///< the far end's FIN, and the endpoint has acknowledged it
    std::uint32_t version = 0;
    Position una = 0;  ///< lowest position that the endpoint has not acknowledged
    Position ack = 0;  ///< what we acknowledged to the endpoint
    std::uint32_t ts_recent = 0;
    Instant last_active{};
};
static_assert(std::is_trivially_copyable_v<ProgressRecord>);

/// Bytes of a reply that one record carries at most.
inline constexpr std::size_t reply_record_max = 1024;

/// `Application`: what an application did in a session, written by the application core. The records up to
/// one with `complete` take effect together, or not at all.
struct ApplicationRecord {
    SessionId id;
    bool first = false;       ///< what was stored of the session before is void
    bool complete = false;    ///< and with it all that came since the last complete one
    bool client_fin = false;  ///< the client's FIN is committed, and `committed` counts it
    bool finished = false;    ///< a FIN follows the replies
    bool closed = false;      ///< the session is over; the rest says nothing
    Position committed = 1;   ///< of the client's stream: what lies below needs never come again
    Position una = 1;         ///< of the replies: what lies below the client has acknowledged
    Position begin = 1;       ///< of the replies: where `bytes` stand
    std::uint16_t size = 0;   ///< of `bytes`
    std::array<std::uint8_t, reply_record_max> bytes;
};
static_assert(std::is_trivially_copyable_v<ApplicationRecord>);

/// Bytes of an application's own state that one record carries at most.
inline constexpr std::size_t state_record_max = reply_record_max;
/// And of what a standby's application says that it holds.
inline constexpr std::size_t description_max = 256;

/// `State`: what an application stores at the standby's instance of its service; `Described`: what that one
/// says that it holds.
struct StateRecord {
    std::uint16_t service = 0;
    std::uint16_t size = 0;  ///< of `bytes`
    std::array<std::uint8_t, state_record_max> bytes;
};
static_assert(std::is_trivially_copyable_v<StateRecord>);

/// Bytes on their way to an endpoint that one record carries at most.
inline constexpr std::size_t payload_record_max = 1024;

/// `Payload`: bytes on their way to an endpoint, written by the core that sends them. They follow what is
/// held of the leg; where they do not, they take its place.
struct PayloadRecord {
    SessionId id;
    Side side{};             ///< whose endpoint they are for
    bool over = false;       ///< nothing of the leg is to be held any more; the rest says nothing
    bool entrusted = false;  ///< gate standby alone: nothing is missing before `begin`, and it is kept
    bool fin = false;        ///< entrusted: the far end's FIN stands behind the bytes
    std::uint16_t size = 0;  ///< of `bytes`
    Position una = 1;        ///< the endpoint has acknowledged what lies below: it need not be held
    Position edge = 1;       ///< right edge of its window
    Position ack = 1;        ///< what we acknowledged to it
    Position window = 1;     ///< right edge that we granted it
    Position begin = 1;      ///< where `bytes` stand
    std::array<std::uint8_t, payload_record_max> bytes;
};
static_assert(std::is_trivially_copyable_v<PayloadRecord>);

/// `Closed`: the session is gone; its tuples stay quarantined.
struct ClosedRecord {
    SessionId id;
    std::uint8_t reason = 0;
};

}  // namespace holdfast
