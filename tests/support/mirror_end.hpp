// An end of the mirror: a Link with its interface, and frames that go in and out.
#pragma once

#include <array>
#include <vector>

#include "cores/mirror/link.hpp"
#include "tests/support/mbuf_pool.hpp"

namespace holdfast::test {

inline const MacAddress mirror_macs[2] = {{{2, 0, 0, 0, 3, 1}}, {{2, 0, 0, 0, 3, 2}}};
inline const IpAddress mirror_addresses[2] = {*IpAddress::parse("10.9.0.1"), *IpAddress::parse("10.9.0.2")};
inline constexpr std::uint16_t mirror_port = 7070;

/// One end of the mirror's wire: 0 or 1.
class MirrorEnd {
  public:
    MirrorEnd(int which, const tcp::Secrets& secrets)
        : which_(which),
          pool_(mbufs_.get()),
          net_(interface_settings(which), pool_, net_counters_),
          link(link_settings(which), secrets, net_, tcp_counters_, counters) {}

    void receive(const sim::Bytes& frame, Instant now) {
        auto* m = mbufs_.receive(frame);
        if (m == nullptr) return;
        wire::Frame f;
        switch (wire::parse_frame(m, false, f)) {
            case wire::FrameKind::arp: net_.receive(m, f, now); return;
            case wire::FrameKind::tcp:
                if (f.destination == mirror_addresses[which_]) return link.receive(f, Packet(m), now);
                break;
            default: break;
        }
        rte_pktmbuf_free(m);
    }
    std::vector<sim::Bytes> transmit() {
        std::vector<sim::Bytes> frames;
        std::array<rte_mbuf*, 32> out;
        for (std::uint32_t n; (n = net_.transmit(out, true)) > 0;)
            for (std::uint32_t i = 0; i < n; ++i) {
                const auto* p = rte_pktmbuf_mtod(out[i], const std::uint8_t*);
                frames.emplace_back(p, p + out[i]->pkt_len);
                rte_pktmbuf_free(out[i]);
            }
        return frames;
    }
    std::uint64_t held_mbufs() const { return link.held_mbufs() + net_.held_mbufs(); }
    unsigned mbufs_in_use() const { return mbufs_.in_use(); }
    void advance(Instant now) { net_.advance(now); }

  private:
    static net::InterfaceSettings interface_settings(int which) {
        net::InterfaceSettings s;
        s.own_mac = mirror_macs[which];
        s.own_address = {mirror_addresses[which], 24};
        return s;
    }
    static mirror::LinkSettings link_settings(int which) {
        return {mirror_addresses[which], mirror_addresses[1 - which], mirror_port, 1500, 1, {}};
    }

    int which_;
    MbufPool mbufs_{127};
    PacketPool pool_;
    net::NetCounters net_counters_;
    tcp::TcpCounters tcp_counters_;
    net::Interface net_;

  public:
    mirror::MirrorCounters counters;
    mirror::Link link;
};

}  // namespace holdfast::test
