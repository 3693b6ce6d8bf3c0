// One side of a lane on its port: frames are parsed once, told apart, and given to the layer that knows them.
#pragma once

#include <array>

#include "cores/net/interface.hpp"
#include "cores/protocol/control.hpp"
#include "cores/protocol/core.hpp"
#include "cores/proxy/sessions.hpp"

namespace holdfast::protocol {

class ProtocolCore final : public Core {
  public:
    ProtocolCore(Side side, const Config& config, const net::InterfaceSettings& port, rte_mempool* pool,
                 proxy::Lane& lane, ControlRings& control, const tcp::Secrets& secrets,
                 const std::string& prefix, int socket, std::uint64_t seed, Instant now);

    void receive(std::span<rte_mbuf* const> burst, Instant now) override;
    std::uint32_t advance(Instant now) override;
    std::uint32_t transmit(std::span<rte_mbuf*> out, Instant now) override;
    Instant next_deadline() const override;
    std::uint64_t held_mbufs() const override;

    const net::NetCounters& net_counters() const { return net_counters_; }
    const tcp::TcpCounters& tcp_counters() const { return tcp_counters_; }
    const proxy::ProxyCounters& proxy_counters() const { return proxy_counters_; }
    const Counters<wire::FrameKind>& frame_counters() const { return frame_counters_; }

  private:
    void dispatch(rte_mbuf* m, Instant now);
    void tell_node(const Control& c);
    void icmp_error(const wire::IcmpError& error, Instant now);
    void own_mac_heard(Instant now);
    void flush(Instant now);
    std::uint32_t take_control(Instant now);

    const Side side_;
    proxy::Lane& lane_;
    ControlRings& control_;
    PacketPool pool_;
    net::NetCounters net_counters_;
    tcp::TcpCounters tcp_counters_;
    proxy::ProxyCounters proxy_counters_;
    Counters<wire::FrameKind> frame_counters_;
    net::Interface net_;
    proxy::Sessions sessions_;

    // The TCP segments of the burst at hand.
    static constexpr std::size_t batch = 64;
    std::array<wire::Frame, batch> frames_;
    std::array<rte_mbuf*, batch> packets_{};
    std::size_t gathered_ = 0;
    Instant own_mac_told_{-1'000'000'000};  ///< when the guard was last told of a rival's frame
};

}  // namespace holdfast::protocol
