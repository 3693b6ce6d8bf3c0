// The mirror's connection: a byte stream over our own TCP on the mirror port, one connection at a time.
#pragma once

#include <span>
#include <vector>

#include "cores/mirror/counters.hpp"
#include "cores/tcp/arrival.hpp"
#include "cores/tcp/handshake.hpp"

namespace holdfast::mirror {

struct LinkSettings {
    IpAddress local, peer;
    std::uint16_t port = 0;
    std::uint16_t mtu = 1500;
    std::uint64_t seed = 1;
    TcpConfig tcp;
};

class Link {
  public:
    enum class State : std::uint8_t { closed, connecting, answering, established };

    Link(const LinkSettings& settings, const tcp::Secrets& secrets, net::Interface& net,
         tcp::TcpCounters& tcp_counters, MirrorCounters& counters);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    State state() const { return state_; }
    /// Accepts connections of the peer from now on (the active), or no longer.
    void listen(bool on);
    /// Opens a connection to the peer (the standby).
    void connect(Instant now);
    /// Ends the connection with a RST.
    void close(Instant now);

    /// A TCP segment for our own address.
    void receive(const wire::Frame& frame, Packet packet, Instant now);

    /// Bytes that write() takes now; 0 while 64 KB wait to be sent.
    std::size_t writable() const;
    /// Appends to the stream; false (and nothing is taken) without a connection, room or mbufs.
    bool write(std::span<const std::uint8_t> bytes, Instant now);
    /// What has arrived in order and was not consumed.
    std::span<const std::uint8_t> readable() const {
        return {input_.data() + input_begin_, input_.size() - input_begin_};
    }
    void consume(std::size_t n) { input_begin_ += n; }

    /// Timers; to be called after receive().
    void advance(Instant now);
    /// Sends what was written and acknowledges what was taken: once per duty cycle.
    void flush(Instant now);
    Instant next_deadline() const;
    std::uint64_t held_mbufs() const;
    /// True once after a connection was established or lost.
    bool take_changed() { return std::exchange(changed_, false); }

  private:
    std::uint16_t mss_max() const;
    tcp::Context context(Instant now);
    void reset(State state);
    void accept_syn(const wire::Frame& frame, Instant now);
    void in_connecting(const wire::Frame& frame, Instant now);
    void in_answering(const wire::Frame& frame, Packet packet, Instant now);
    void in_established(const wire::Frame& frame, Packet packet, Instant now);
    void established(Instant now);
    void take_input();
    bool give_up_late(Instant now);

    LinkSettings settings_;
    const tcp::Secrets& secrets_;
    net::Interface& net_;
    tcp::TcpCounters& tcp_counters_;
    MirrorCounters& counters_;
    tcp::Tcb tcb_;
    tcp::HandshakeOffer offer_;
    State state_ = State::closed;
    bool listening_ = false, changed_ = false;
    std::uint16_t next_port_;
    std::vector<std::uint8_t> input_;
    std::size_t input_begin_ = 0;
    Packet pending_;  ///< being filled by write()
    Instant stalled_since_ = Instant::never();
    Instant ask_at_{};  ///< next look whether the connection is quiet
};

}  // namespace holdfast::mirror
