// One net::Interface on a wire of its own: frames are put in and taken out as bytes.
#pragma once

#include <catch2/catch.hpp>

#include <array>
#include <vector>

#include "cores/net/interface.hpp"
#include "tests/sim/frame.hpp"
#include "tests/support/mbuf_pool.hpp"

namespace holdfast::test {

using sim::Bytes;

inline IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

inline const MacAddress own_mac{{2, 0, 0, 0, 0, 1}}, virtual_mac{{2, 0, 0x5e, 0, 1, 1}},
    neighbour_mac{{2, 0, 0, 0, 0, 9}};
inline const IpAddress own_address = ip("10.0.0.2"), vip = ip("10.0.0.100"), neighbour = ip("10.0.0.9"),
                       gateway = ip("10.0.0.1");

inline net::InterfaceSettings interface_settings() {
    net::InterfaceSettings s;
    s.own_mac = own_mac;
    s.own_address = *Prefix::parse("10.0.0.2/24");
    s.gateway = gateway;
    s.virtual_mac = virtual_mac;
    s.virtual_addresses = {vip};
    return s;
}

class InterfaceRig {
  public:
    explicit InterfaceRig(net::InterfaceSettings settings = interface_settings(), unsigned mbufs = 255)
        : mbufs(mbufs), pool_(this->mbufs.get()), net(std::move(settings), pool_, counters) {}

    /// A frame of ARP or ICMP arrives; returns what the guard may want to know.
    std::optional<net::NeighbourHeard> receive(const Bytes& bytes) {
        auto* m = mbufs.receive(bytes);
        REQUIRE(m != nullptr);
        wire::Frame f;
        const auto kind = wire::parse_frame(m, false, f);
        REQUIRE((kind == wire::FrameKind::arp || kind == wire::FrameKind::icmp ||
                 kind == wire::FrameKind::icmpv6));
        return net.receive(m, f, now).neighbour;
    }
    void receive_arp(bool reply, const IpAddress& sender, const MacAddress& mac, const IpAddress& target) {
        receive(
            sim::write_resolution({static_cast<std::uint16_t>(reply ? 2 : 1), mac, mac, {}, sender, target},
                                  MacAddress::broadcast()));
    }

    /// A packet of `marker` in its source port for `to`, as TCP hands it over. False when it was dropped.
    bool send(const IpAddress& to, std::uint16_t marker = 1, net::Self self = net::Self::virtual_self) {
        return net.send_ip(packet(to, marker), to, self, now);
    }
    /// The same to a next hop that was kept.
    bool send_to(net::NextHop hop, std::uint16_t marker) {
        return net.send_to(packet(neighbour, marker), hop, net::Self::virtual_self, now);
    }

    /// All frames that leave now.
    std::vector<Bytes> transmitted(bool may_speak = true) {
        std::vector<Bytes> frames;
        std::array<rte_mbuf*, 64> out;
        for (std::uint32_t n; (n = net.transmit(out, may_speak)) > 0;)
            for (std::uint32_t i = 0; i < n; ++i) {
                const auto* p = rte_pktmbuf_mtod(out[i], const std::uint8_t*);
                frames.emplace_back(p, p + out[i]->pkt_len);
                rte_pktmbuf_free(out[i]);
            }
        return frames;
    }
    /// The one ARP packet that leaves now; a test fails when there is none or more.
    sim::Resolution transmitted_arp() {
        const auto frames = transmitted();
        REQUIRE(frames.size() == 1);
        const auto arp = sim::read_resolution(frames[0]);
        REQUIRE(arp);
        return *arp;
    }
    std::uint64_t count(net::Counter c) const { return counters.get(c); }

    Instant now = Instant{} + seconds(1000);
    MbufPool mbufs;
    net::NetCounters counters;

  private:
    rte_mbuf* packet(const IpAddress& to, std::uint16_t marker) {
        sim::Segment s;
        s.from = {vip, marker};
        s.to = {to, 80};
        s.flags = sim::flag::ack;
        auto* m = mbufs.receive(sim::write_segment(s));
        REQUIRE(m != nullptr);
        return m;
    }

    PacketPool pool_;

  public:
    net::Interface net;
};

}  // namespace holdfast::test
