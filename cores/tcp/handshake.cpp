#include "cores/tcp/handshake.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

#include "cores/tcp/emit.hpp"
#include "cores/tcp/sender.hpp"

namespace holdfast::tcp {

namespace flag = wire::flag;

Secrets::Secrets(std::span<const std::uint8_t> key) {
    // The pair's key also signs heartbeats: derive one of our own from it.
    static constexpr char purpose[] = "holdfast tcp secrets";
    std::array<std::uint8_t, 32> derived;
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(purpose), sizeof purpose, derived.data(), &size);
    std::memcpy(&key_, derived.data(), sizeof key_);
}

std::uint64_t Secrets::hash(const Endpoint& local, const Endpoint& remote, Purpose purpose,
                            std::uint64_t more) const {
    std::uint8_t message[45];
    std::memcpy(message, local.address.bytes.data(), 16);
    std::memcpy(message + 16, remote.address.bytes.data(), 16);
    std::memcpy(message + 32, &local.port, 2);
    std::memcpy(message + 34, &remote.port, 2);
    std::memcpy(message + 36, &more, 8);
    message[44] = static_cast<std::uint8_t>(purpose);
    return siphash(key_, message);
}

SeqNum Secrets::initial_sequence(const Endpoint& local, const Endpoint& remote, Instant shared_now) const {
    //= rfc9293#3.4.1
    //  A clock of 4 us and a keyed hash of both ends, which nobody outside can compute.
    //= rfc6528#3
    //  The same formula.
    const auto clock = static_cast<std::uint32_t>(shared_now.ns / 4000);
    return {clock + static_cast<std::uint32_t>(hash(local, remote, Purpose::initial_sequence))};
}

std::uint32_t Secrets::timestamp_offset(const Endpoint& local, const Endpoint& remote) const {
    //= rfc7323#5.4
    //  Milliseconds of a clock that both nodes share, from a place that differs for each connection.
    return static_cast<std::uint32_t>(hash(local, remote, Purpose::timestamp_offset));
}

HandshakeOffer read_offer(const wire::TcpHeader& h) {
    HandshakeOffer o;
    //= rfc9293#3.7.1
    //  Without the option it is 536.
    if (h.options.mss != 0) o.mss = h.options.mss;
    o.sack = h.options.sack_permitted;
    o.timestamps = h.options.has_timestamps;
    o.window_scaling = h.options.has_window_scale;
    //= rfc7323#2.3
    //  A shift above 14 counts as 14.
    o.scale = std::min<std::uint8_t>(h.options.window_scale, 14);
    o.window = h.window;
    //= rfc3168#6.1.1
    //  Both flags in a SYN offer it, ECE alone in a SYN-ACK accepts it; whoever only reflects both does not.
    constexpr std::uint8_t both = flag::ece | flag::cwr;
    o.ecn = (h.flags & both) == (h.has(flag::ack) ? flag::ece : both);
    return o;
}

namespace {

void send_handshake(Tcb& t, const HandshakeOffer& offer, std::uint8_t flags, const Context& c) {
    auto h = make_header(t, c, 0, flags);
    if ((flags & flag::ack) == 0) h.ack = {0};
    //= rfc3168#6.1.1
    //  Said by flags; the packet of a SYN itself is never ECT.
    if (offer.ecn) h.flags |= (flags & flag::ack) != 0 ? flag::ece : flag::ece | flag::cwr;
    //= rfc7323#2.2
    //  The window of a SYN is not scaled.
    h.window = offer.window;
    //= rfc9293#3.7.1
    //  Every SYN has one, and no other segment.
    //= rfc2018#2
    //  SACK is permitted in SYNs alone.
    h.options.mss = offer.mss;
    h.options.sack_permitted = offer.sack;
    h.options.has_window_scale = offer.window_scaling;
    h.options.window_scale = offer.scale;
    h.options.has_timestamps = offer.timestamps;
    if (offer.timestamps) {
        h.options.ts_value = c.ts_now + t.hard.leg.ts_offset;
        //= rfc7323#3.2
        //  Without ACK there is nothing to echo.
        h.options.ts_echo = (flags & flag::ack) != 0 ? t.soft.rcv.ts_recent : 0;
    }
    emit_control(t, h, c);
    auto& s = t.soft.snd;
    if (s.nxt == 0) s.nxt = 1;
    auto wait = c.config.rto_initial;
    for (unsigned i = 0; i < s.backoff; ++i) wait = wait * 2;
    s.timer = SendTimer::handshake;
    s.timer_at = c.now + std::min(wait, c.config.rto_max);
}

}  // namespace

void send_syn(Tcb& t, const HandshakeOffer& offer, const Context& c) {
    t.soft.state = State::syn_sent;
    send_handshake(t, offer, flag::syn, c);
}

void send_syn_ack(Tcb& t, const HandshakeOffer& offer, const Context& c) {
    t.soft.state = State::syn_received;
    t.soft.rcv.edge_sent = std::max(t.soft.rcv.edge_sent, Position{1} + offer.window);
    send_handshake(t, offer, flag::syn | flag::ack, c);
}

void finish_handshake(Tcb& t) {
    auto& s = t.soft.snd;
    const bool repeated = s.backoff > 0;
    arm(s, SendTimer::none, Instant::never());
    s.backoff = 0;
    start_sending(t, 1);
    if (!repeated) return;
    //= rfc5681#3.1
    //  Where a SYN was lost the first window is one segment.
    s.cwnd = effective_mss(t);
    //= rfc6298#5
    //  (5.7) And the timeout is three seconds until there is a measurement.
    t.soft.rtt.rto = std::max(t.soft.rtt.rto, seconds(3));
}

bool run_handshake_timer(Tcb& t, HandshakeOffer& offer, bool active_open, const Context& c) {
    auto& s = t.soft.snd;
    if (s.timer != SendTimer::handshake || c.now < s.timer_at) return true;
    //= rfc9293#3.8.3
    //  SYNs have an end of their own.
    if (s.backoff >= c.config.syn_retries) return false;
    ++s.backoff;
    c.counters.add(Counter::handshake_retransmitted);
    if (!active_open) {
        send_syn_ack(t, offer, c);
        return true;
    }
    //= rfc3168#6.1.1.1
    //  Something on the way may drop SYNs that offer ECN: after the first one it is not offered.
    offer.ecn = false;
    send_syn(t, offer, c);
    return true;
}

SynSentVerdict judge_in_syn_sent(const Tcb& t, const wire::Frame& f) {
    //= rfc9293#3.10.7.3
    const bool ack_ok = f.tcp.has(flag::ack) && f.tcp.ack == send_seq(t, 1);
    if (f.tcp.has(flag::ack) && !ack_ok)
        return f.tcp.has(flag::rst) ? SynSentVerdict::ignore : SynSentVerdict::send_reset;
    if (f.tcp.has(flag::rst)) return ack_ok ? SynSentVerdict::refused : SynSentVerdict::ignore;
    // A SYN without ACK would be a simultaneous open; towards a backend that listens it cannot happen
    // honestly.
    return f.tcp.has(flag::syn) && ack_ok ? SynSentVerdict::accepted : SynSentVerdict::ignore;
}

}  // namespace holdfast::tcp
