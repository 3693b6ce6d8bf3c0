// ARP, neighbour discovery, ICMP and ICMPv6 at an Interface, among packets that it sends.
//
//     steps: u8 what | ...
#include <memory>

#include "cores/net/interface.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/frame_bytes.hpp"
#include "tests/support/mbuf_pool.hpp"

using namespace holdfast;
using namespace holdfast::literals;

namespace {

constexpr unsigned steps_max = 200;
const MacAddress own_mac{{2, 0, 0, 0, 0, 1}}, virtual_mac{{2, 0, 0x5e, 0, 1, 1}};
const IpAddress vip = *IpAddress::parse("10.0.0.100"), own = *IpAddress::parse("10.0.0.2"),
                vip6 = *IpAddress::parse("fd00::100"), own6 = *IpAddress::parse("fd00::2");

net::InterfaceSettings settings(std::uint8_t how) {
    net::InterfaceSettings s;
    s.own_mac = own_mac;
    s.own_address = *Prefix::parse("10.0.0.2/24");
    if ((how & 1) != 0) s.gateway = *IpAddress::parse("10.0.0.1");
    s.virtual_mac = virtual_mac;
    s.virtual_addresses = {vip, vip6};
    s.own_address6 = *Prefix::parse("fd00::2/64");
    if ((how & 8) != 0) s.gateway6 = *IpAddress::parse("fe80::1");
    // So few that entries are forgotten.
    s.neighbours = 4;
    s.queue = (how & 2) != 0 ? 4 : 64;
    return s;
}

class Program {
  public:
    explicit Program(fuzz::Input in) : in_(in), mbufs_(63), pool_(mbufs_.get()) {
        const auto how = in_.u8();
        if ((how & 4) != 0) mbufs_.end_exactly();
        net_ = std::make_unique<net::Interface>(settings(how), pool_, counters_);
    }

    void run() {
        for (unsigned i = 0; i < steps_max && !in_.empty(); ++i) {
            step();
            fuzz::require(net_->held_mbufs() == mbufs_.in_use(), "mbufs are held by nobody");
        }
        transmit(true);
        net_.reset();
        fuzz::require(mbufs_.in_use() == 0, "mbufs are held without an interface");
    }

  private:
    IpAddress address() {
        static const IpAddress known[] = {own,
                                          vip,
                                          *IpAddress::parse("10.0.0.1"),
                                          *IpAddress::parse("10.0.0.255"),
                                          *IpAddress::parse("0.0.0.0"),
                                          *IpAddress::parse("192.0.2.7")};
        const auto n = in_.u8();
        if (n < 6) return known[n];
        if (n >= 128) return address6(n);
        return IpAddress::from_v4(own.v4() ^ static_cast<std::uint32_t>(n) << 24);
    }
    static IpAddress address6(std::uint8_t n) {
        static const IpAddress known[] = {own6,
                                          vip6,
                                          *IpAddress::parse("fe80::1"),
                                          *IpAddress::parse("ff02::1"),
                                          *IpAddress::parse("::"),
                                          *IpAddress::parse("2001:db8::7")};
        if (n - 128u < 6) return known[n - 128];
        auto a = own6;
        a.bytes[15] = n;
        return a;
    }
    MacAddress mac() {
        const auto n = in_.u8();
        if (n == 0) return own_mac;
        if (n == 1) return virtual_mac;
        return {{2, 0, 0, 0, 9, n}};
    }

    void step() {
        const auto what = in_.u8();
        switch (what % 12) {
            case 0: receive(in_.take(in_.u8())); break;
            case 1: {
                const auto from = mac();
                auto sender = address();
                const auto target = address();
                if (sender.is_v4() != target.is_v4()) sender = target.is_v4() ? own : own6;
                receive(sim::write_resolution(
                    {static_cast<std::uint16_t>(1 + (what >> 4) % 2), from, from, {}, sender, target},
                    MacAddress::broadcast()));
                break;
            }
            case 2: receive((what & 0x80) != 0 ? message6(what) : echo()); break;
            case 3:
            case 4: send(what); break;
            case 5: transmit((what & 0x80) != 0); break;
            case 6:
                now_ = now_ + milliseconds(in_.u8());
                net_->advance(now_);
                break;
            case 7:
                now_ = now_ + milliseconds(500) * in_.u8();
                net_->advance(now_);
                break;
            case 8:
                speaking_ = (what & 0x80) != 0;
                net_->set_speaking(speaking_);
                break;
            case 9: net_->query(address(), now_); break;
            case 10:
                net_->probe(address());
                net_->prepare(address(), now_);
                break;
            case 11:
                if (speaking_) net_->announce();
                break;
        }
    }

    /// An echo request with some bytes of the input's.
    fuzz::Bytes echo() {
        sim::Segment s;
        s.from_mac = mac();
        s.to_mac = own_mac;
        const auto v4 = [](const IpAddress& a) { return a.is_v4() ? a : own; };
        s.from = {v4(address()), 0x0800};
        s.to = {v4(address()), 0};
        const auto body = in_.take(in_.below(80));
        s.payload = body;
        auto f = sim::write_segment(s);
        f[test::at_ip + 9] = 1;
        if ((in_.u8() & 7) == 0) test::put16(f, test::at_ip + 2, in_.u8());
        const auto size = std::min<std::size_t>(test::get16(f, test::at_ip + 2), f.size() - test::at_ip);
        if (size >= 24) {
            test::put16(f, test::at_tcp + 2, 0);
            test::put16(f, test::at_tcp + 2, sim::fold(sim::ones_sum({&f[test::at_tcp], size - 20})));
        }
        test::seal_ip(f);
        return f;
    }

    /// An ICMPv6 message of the input's bytes with a right checksum.
    fuzz::Bytes message6(std::uint8_t what) {
        sim::Segment s;
        s.from_mac = mac();
        s.to_mac = own_mac;
        const auto v6 = [](const IpAddress& a) { return a.is_v4() ? own6 : a; };
        s.from = {v6(address()), 1};
        s.to = {v6(address()), 1};
        auto f = sim::write_segment(s);
        constexpr std::size_t at_icmp = test::at_ip + 40;
        f.resize(at_icmp);
        const auto body = in_.take(in_.below(120));
        f.insert(f.end(), body.begin(), body.end());
        test::put16(f, test::at_ip + 4, static_cast<std::uint16_t>(body.size()));
        f[test::at_ip + 6] = 58;
        f[test::at_ip + 7] = (what & 0x40) != 0 ? 255 : 1;
        if (body.size() >= 4) {
            test::put16(f, at_icmp + 2, 0);
            const auto sum =
                sim::ones_sum({&f[test::at_ip + 8], 32}) + 58 + static_cast<std::uint32_t>(body.size());
            test::put16(f, at_icmp + 2, sim::fold(sim::ones_sum({&f[at_icmp], body.size()}, sum)));
        }
        return f;
    }

    void receive(const fuzz::Bytes& bytes) {
        auto* m = mbufs_.receive(bytes);
        if (m == nullptr) return;
        const auto waiting = net_->held_mbufs();
        wire::Frame f;
        const auto kind = wire::parse_frame(m, false, f);
        const bool taken =
            kind == wire::FrameKind::arp || kind == wire::FrameKind::icmp || kind == wire::FrameKind::icmpv6;
        if (!taken) return rte_pktmbuf_free(m);
        net_->receive(m, f, now_);
        // What waited may leave; beyond that, an answer and a question.
        fuzz::require(net_->held_mbufs() <= waiting + 2, "one frame came, and a flood left");
    }

    void send(std::uint8_t what) {
        sim::Segment s;
        s.to = {address(), 1};
        s.from = {s.to.address.is_v4() ? vip : vip6, 80};
        s.flags = sim::flag::ack;
        auto* m = mbufs_.receive(sim::write_segment(s));
        if (m == nullptr) return;
        const auto self = (what & 0x80) != 0 ? net::Self::virtual_self : net::Self::own;
        if ((what & 0x40) == 0) {
            net_->send_ip(m, s.to.address, self, now_);
            return;
        }
        // A next hop that was kept, as legs keep theirs.
        if (!net_->is_current(hop_)) hop_ = net_->route(s.to.address, now_);
        net_->send_to(m, hop_, self, now_);
    }

    void transmit(bool may_speak) {
        std::array<rte_mbuf*, 32> out;
        for (std::uint32_t n; (n = net_->transmit(out, may_speak)) > 0;)
            for (std::uint32_t i = 0; i < n; ++i) {
                const auto* p = rte_pktmbuf_mtod(out[i], const std::uint8_t*);
                const fuzz::Bytes frame(p, p + out[i]->pkt_len);
                rte_pktmbuf_free(out[i]);
                judge(frame, may_speak);
            }
    }

    /// R4, and that what leaves is whole.
    void judge(const fuzz::Bytes& frame, bool may_speak) {
        fuzz::require(frame.size() >= 42, "a frame that is too short");
        const auto from = sim::source_mac(frame);
        fuzz::require(from == own_mac || from == virtual_mac, "somebody else's source address");
        fuzz::require(may_speak || from == own_mac, "R4: the virtual MAC speaks without the lease");
        if (const auto arp = sim::read_resolution(frame)) {
            fuzz::require(arp->sender_mac == from || arp->sender.is_unspecified(),
                          "two senders in one packet");
            const bool is_virtual = arp->sender == vip || arp->sender == vip6;
            // A probe of IPv6 says no Ethernet address.
            fuzz::require(from == virtual_mac || !is_virtual, "R4: the virtual address under our own MAC");
            fuzz::require(from == own_mac || is_virtual, "the virtual MAC gives another address");
        }
    }

    fuzz::Input in_;
    Instant now_ = Instant{} + 1000_s;
    test::MbufPool mbufs_;
    PacketPool pool_;
    net::NetCounters counters_;
    std::unique_ptr<net::Interface> net_;
    net::NextHop hop_ = net::no_next_hop;
    bool speaking_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program(fuzz::Input(data, size)).run();
    return 0;
}
