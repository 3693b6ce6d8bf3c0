// Opening a connection: SYN, SYN-ACK, initial sequence numbers.
#pragma once

#include <array>
#include <span>

#include "cores/tcp/tcb.hpp"
#include "lib/base/siphash.hpp"

namespace holdfast::tcp {

/// What a keyed hash is for: values of one purpose tell nothing of another's.
enum class Purpose : std::uint8_t {
    initial_sequence = 1,
    timestamp_offset = 2,
    cookie = 3,
    backend = 16,
    client = 17
};

/// Keyed choices that must not be guessable and that both nodes of a pair make alike.
class Secrets {
  public:
    /// `key` is the shared key of the pair.
    explicit Secrets(std::span<const std::uint8_t> key);

    /// Initial sequence number (RFC 6528 section 3): M + F(tuple, key), M counting 4 us of `shared_now`.
    SeqNum initial_sequence(const Endpoint& local, const Endpoint& remote, Instant shared_now) const;
    /// Offset of TSval for a connection (RFC 7323 section 5.4).
    std::uint32_t timestamp_offset(const Endpoint& local, const Endpoint& remote) const;
    /// A keyed hash over a connection's endpoints and whatever `more` says.
    std::uint64_t hash(const Endpoint& local, const Endpoint& remote, Purpose purpose,
                       std::uint64_t more = 0) const;

  private:
    SipKey key_;
};

/// What is offered or accepted in a SYN.
struct HandshakeOffer {
    std::uint16_t mss = 536;
    bool sack = false, timestamps = false, window_scaling = false;
    std::uint8_t scale = 0;
    std::uint16_t window = 65535;  ///< unscaled
    bool ecn = false;              ///< RFC 3168 section 6.1.1
};

/// The offer in a received SYN or SYN-ACK; what RFC 9293 and 7323 assume for absent options.
HandshakeOffer read_offer(const wire::TcpHeader& h);

/// Sends our SYN (position 0) and arms its retransmission. `t.hard` holds the offer.
void send_syn(Tcb& t, const HandshakeOffer& offer, const Context& c);
/// Sends our SYN-ACK.
void send_syn_ack(Tcb& t, const HandshakeOffer& offer, const Context& c);
/// Our SYN or SYN-ACK was answered: data begins at position 1, cautiously if it had to be sent again.
void finish_handshake(Tcb& t);
/// Repeats them with backoff, a SYN without ECN in `offer`; false when the retries are used up.
bool run_handshake_timer(Tcb& t, HandshakeOffer& offer, bool active_open, const Context& c);

/// Judges a segment in SYN-SENT (RFC 9293 section 3.10.7.3).
enum class SynSentVerdict : std::uint8_t { ignore, refused, accepted, send_reset };
SynSentVerdict judge_in_syn_sent(const Tcb& t, const wire::Frame& frame);

}  // namespace holdfast::tcp
