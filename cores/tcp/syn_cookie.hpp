// SYN cookies (RFC 4987 section 3.6): a SYN-ACK whose numbers hold all that its SYN agreed on, so that
// nothing is kept until the client answers it. Either node of a pair makes and reads them alike.
//
//     ISS - F(tuple)  =  | time slot, 8 bits | MAC, 21 bits | MSS, 3 bits |      F as for other connections
//     TSval - offset  =  | milliseconds / 32, 27 bits | SACK, 1 bit | shift of the client's windows, 4 bits |
//
// The slot is the upper byte of RFC 6528's clock: a cookie's ISS lies in the same 67 s as any other one of
// its tuple. The MAC is over the tuple, the client's ISN, the whole slot, the options and the MSS. Who cannot
// see the SYN-ACK has to guess F, too: one guess in 2^28 is a cookie, as two slots and eight sizes are good.
#pragma once

#include <optional>

#include "cores/tcp/handshake.hpp"

namespace holdfast::tcp {

/// A cookie is good in the slot in which it was made and in the next: for 67 to 134 s.
inline constexpr Duration cookie_slot = microseconds(4) * (std::int64_t{1} << 24);
inline constexpr Duration cookie_lifetime = cookie_slot * 2;

/// Segments of a client's first flight overtake each other by less than this.
inline constexpr Duration cookie_young = seconds(3);

/// What every cookie grants, since it cannot hold it: a client's first flight (RFC 6928), and shifts that are
/// wide enough for 8 MB.
inline constexpr std::uint16_t cookie_window = 14600;
inline constexpr std::uint8_t cookie_scale = 7;

/// The connection that a cookie is for: our endpoint, the client's, and the client's ISN.
struct CookieTuple {
    const Endpoint& local;
    const Endpoint& remote;
    SeqNum irs;
};

/// What of `offer` a cookie can hold: the next smaller MSS of a few, and without timestamps no option.
HandshakeOffer cookie_offer(HandshakeOffer offer);

/// The ISS of the SYN-ACK; `agreed` is what cookie_offer() returned. `shared_now` on the pair's clock.
SeqNum make_cookie(const Secrets& secrets, const CookieTuple& tuple, const HandshakeOffer& agreed,
                   Instant shared_now);

/// The TSval of the SYN-ACK, less its connection's offset: at most 31 ms before `ts_now`.
std::uint32_t cookie_timestamp(const HandshakeOffer& agreed, std::uint32_t ts_now);

/// What was agreed, if `iss` is a cookie for `tuple` that is still good. `ts_echo` is the TSecr of the
/// segment that answers it less the connection's offset, or nothing when it has none.
std::optional<HandshakeOffer> read_cookie(const Secrets& secrets, const CookieTuple& tuple, SeqNum iss,
                                          std::optional<std::uint32_t> ts_echo, Instant shared_now);

/// Whether `iss` lies where good cookies of the two endpoints do, whatever the client's ISN: true of all, and
/// of two numbers at random in 256.
bool may_be_cookie(const Secrets& secrets, const Endpoint& local, const Endpoint& remote, SeqNum iss,
                   Instant shared_now);

}  // namespace holdfast::tcp
