#include "tests/bench/host.hpp"

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <array>
#include <cstring>
#include <stdexcept>

#include "lib/wire/headers.hpp"

namespace holdfast::bench {
namespace {

using namespace wire;

constexpr std::uint16_t minimum_frame = 60;
constexpr std::uint16_t window = 0xffff;
constexpr std::uint8_t window_scale = 9;
constexpr std::uint16_t mss = 1460;

void put_ethernet(std::uint8_t* p, const MacAddress& to, const MacAddress& from, std::uint16_t type) {
    std::memcpy(p, to.bytes.data(), 6);
    std::memcpy(p + 6, from.bytes.data(), 6);
    store16(p + 12, type);
}

void put_ip(std::uint8_t* p, const Endpoint& from, const Endpoint& to, std::size_t size) {
    const std::uint32_t source = from.address.v4(), destination = to.address.v4();
    store32(p, 0x45000000u | static_cast<std::uint32_t>(size));
    store32(p + 4, 0x4000);
    store32(p + 8, 0x40060000);
    std::memcpy(p + 12, &source, 4);
    std::memcpy(p + 16, &destination, 4);
}

IpAddress load_ip(const std::uint8_t* p) {
    std::uint32_t be;
    std::memcpy(&be, p, 4);
    return IpAddress::from_v4(be);
}

MacAddress mac(std::size_t network, unsigned kind) {
    return {{2, 0, 0, 0, static_cast<std::uint8_t>(network), static_cast<std::uint8_t>(kind)}};
}

IpAddress address_in(unsigned network, unsigned third, unsigned fourth) {
    const std::array<std::uint8_t, 4> bytes{10, static_cast<std::uint8_t>(network),
                                            static_cast<std::uint8_t>(third),
                                            static_cast<std::uint8_t>(fourth)};
    return load_ip(bytes.data());
}

}  // namespace

IpAddress Site::address(Side side, unsigned third, unsigned fourth) {
    return address_in(1 + static_cast<unsigned>(side), third, fourth);
}

IpAddress Site::mirror(unsigned id) { return address_in(3, 0, 2 + id); }

Endpoint Site::client(std::uint32_t flow) {
    return {address(Side::client, 1, 1 + flow / flows_per_client),
            static_cast<std::uint16_t>(first_client_port + flow % flows_per_client)};
}

MacAddress Site::virtual_mac(Side side) { return mac(index(side), 1); }
MacAddress Site::host_mac(Side side) { return mac(index(side), 2); }
MacAddress Site::node_mac(Side side, unsigned id) { return mac(index(side), 3 + id); }
MacAddress Site::mirror_mac(unsigned id) { return mac(2, 3 + id); }

Host::Host(Side side, std::uint16_t port, rte_mempool* pool, std::uint32_t flows, bool offload)
    : side_(side), port_(port), pool_(pool), offload_(offload), flows_(flows) {
    if (side == Side::server) by_snat_.resize(Site::snat_count << 16);
    for (std::uint32_t i = 0; i < flows && side == Side::client; ++i) {
        flows_[i].local = Site::client(i);
        flows_[i].remote = Site::service();
        flows_[i].sent = i * 7919;
    }
}

rte_mbuf* Host::allocate(std::uint16_t size) const {
    rte_mbuf* m = rte_pktmbuf_alloc(pool_);
    if (m == nullptr || rte_pktmbuf_append(m, size) == nullptr)
        throw std::runtime_error("the generator's pool is empty");
    return m;
}

void Host::fill_checksums(rte_mbuf* m) const {
    auto* ip = rte_pktmbuf_mtod_offset(m, rte_ipv4_hdr*, ethernet_size);
    auto* tcp = reinterpret_cast<rte_tcp_hdr*>(ip + 1);
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
}

/// Queues one segment; the payload is whatever the mbuf held before.
void Host::emit(Flow& f, std::uint8_t flags, std::uint16_t size) {
    const bool syn = (flags & flag::syn) != 0;
    TcpHeader h{f.local.port, f.remote.port, {f.sent}, {f.received}, flags, window, {}};
    h.options.has_timestamps = true;
    h.options.ts_value = clock_;
    h.options.ts_echo = f.ts_recent;
    if (syn) {
        h.options.mss = mss;
        h.options.has_window_scale = h.options.sack_permitted = true;
        h.options.window_scale = window_scale;
    }
    const auto headers = ethernet_size + ipv4_size + tcp_size + tcp_options_size(h.options);
    rte_mbuf* m = allocate(static_cast<std::uint16_t>(headers + size));
    auto* p = rte_pktmbuf_mtod(m, std::uint8_t*);
    put_ethernet(p, Site::virtual_mac(side_), Site::host_mac(side_), ethertype_ipv4);
    put_ip(p + ethernet_size, f.local, f.remote, headers - ethernet_size + size);
    write_tcp_header(p + ethernet_size + ipv4_size, h);
    if (!offload_) fill_checksums(m);
    f.sent += size + (syn ? 1 : 0);
    f.owed = 0;
    queue_.push_back(m);
}

void Host::connect(std::uint32_t flow) { emit(flows_[flow], flag::syn, 0); }

void Host::send(std::uint32_t flow, std::uint16_t size) {
    emit(flows_[flow], flag::ack | flag::psh, size);
    bytes_sent_ += size;
}

void Host::flush() {
    ++clock_;
    for (std::size_t done = 0; done < queue_.size();) {
        const auto n =
            rte_eth_tx_burst(port_, 0, &queue_[done], static_cast<std::uint16_t>(queue_.size() - done));
        if (n == 0) throw std::runtime_error("the generator's port takes no frames");
        done += n;
        frames_sent_ += n;
    }
    queue_.clear();
}

void Host::receive(std::uint32_t ack_every) {
    std::array<rte_mbuf*, 64> burst;
    for (;;) {
        const auto n = rte_eth_rx_burst(port_, 0, burst.data(), burst.size());
        for (std::uint16_t i = 0; i < n; ++i) take(burst[i], ack_every);
        rte_pktmbuf_free_bulk(burst.data(), n);
        if (n == 0) return;
    }
}

void Host::take(const rte_mbuf* m, std::uint32_t ack_every) {
    const auto type = load16(rte_pktmbuf_mtod_offset(m, const std::uint8_t*, 12));
    Segment s;
    if (type == ethertype_arp) return answer_arp(m);
    if (type == ethertype_ipv4 && read(m, s)) take_segment(s, ack_every);
}

void Host::queue_arp(std::uint16_t operation, const IpAddress& from, const MacAddress& to_mac,
                     const IpAddress& to) {
    static constexpr std::uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4};
    const std::uint32_t sender = from.v4(), target = to.v4();
    rte_mbuf* m = allocate(minimum_frame);
    auto* p = rte_pktmbuf_mtod(m, std::uint8_t*);
    put_ethernet(p, to_mac, Site::host_mac(side_), ethertype_arp);
    p += ethernet_size;
    std::memcpy(p, ethernet_ipv4, sizeof ethernet_ipv4);
    store16(p + 6, operation);
    std::memcpy(p + 8, Site::host_mac(side_).bytes.data(), 6);
    std::memcpy(p + 14, &sender, 4);
    std::memcpy(p + 18, to_mac.bytes.data(), 6);
    std::memcpy(p + 24, &target, 4);
    queue_.push_back(m);
}

/// Answers for every address of the endpoints.
void Host::answer_arp(const rte_mbuf* m) {
    const auto* request = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, ethernet_size);
    const bool is_request = request[7] == 1, for_an_endpoint = request[26] == 1;
    MacAddress asker;
    std::memcpy(asker.bytes.data(), request + 8, 6);
    if (is_request && for_an_endpoint) queue_arp(2, load_ip(request + 24), asker, load_ip(request + 14));
}

void Host::ask_for_service() {
    for (std::uint32_t flow = 0; flow < flows_.size(); flow += Site::flows_per_client)
        queue_arp(1, flows_[flow].local.address, MacAddress::broadcast(), Site::service().address);
}

bool Host::read(const rte_mbuf* m, Segment& out) {
    const auto* ip = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, ethernet_size);
    const auto* tcp = ip + ipv4_size;
    const std::size_t header = static_cast<std::size_t>(tcp[12] >> 4) * 4;
    if (ip[9] != 6) return false;
    out.header = {
        load16(tcp), load16(tcp + 2), {load32(tcp + 4)}, {load32(tcp + 8)}, tcp[13], load16(tcp + 14), {}};
    out.from = {load_ip(ip + 12), out.header.source_port};
    out.to = {load_ip(ip + 16), out.header.destination_port};
    out.size = static_cast<std::uint32_t>(load16(ip + 2) - ipv4_size - header);
    return parse_tcp_options({tcp + tcp_size, header - tcp_size}, out.header.options);
}

Host::Flow* Host::find(const Segment& s) {
    if (side_ == Side::client) {
        const std::uint32_t host = s.to.address.bytes[15] - 1u;
        return &flows_[host * Site::flows_per_client + s.to.port - Site::first_client_port];
    }
    auto& flow = by_snat_[(s.from.address.bytes[15] - 100u) << 16 | s.from.port];
    if (flow == 0) {
        if (!s.header.has(flag::syn) || next_flow_ == flows_.size()) return nullptr;
        flow = ++next_flow_;
        flows_[flow - 1].local = s.to;
        flows_[flow - 1].remote = s.from;
    }
    return &flows_[flow - 1];
}

void Host::take_syn(Flow& f, const Segment& s) {
    f.received = s.header.seq.value + 1;
    if (side_ == Side::server) return emit(f, flag::syn | flag::ack, 0);
    f.acknowledged = s.header.ack.value;
    if (!f.established) ++established_;
    f.established = true;
    emit(f, flag::ack, 0);
}

void Host::take_segment(const Segment& s, std::uint32_t ack_every) {
    Flow* f = find(s);
    if (f == nullptr || s.header.has(flag::rst)) throw std::runtime_error("a segment of no flow, or a reset");
    ++frames_received_;
    f->ts_recent = s.header.options.ts_value;
    if (s.header.has(flag::syn)) return take_syn(*f, s);
    if (!f->established) {
        f->established = true;
        f->acknowledged = s.header.ack.value;
        ++established_;
    }
    if (const auto advance = static_cast<std::int32_t>(s.header.ack.value - f->acknowledged); advance > 0) {
        bytes_acknowledged_ += static_cast<std::uint32_t>(advance);
        f->acknowledged = s.header.ack.value;
    }
    if (s.size == 0) return;
    if (s.header.seq.value != f->received)
        throw std::runtime_error("a segment out of order: something was lost");
    f->received += s.size;
    bytes_received_ += s.size;
    if (++f->owed == ack_every) emit(*f, flag::ack, 0);
    else if (f->owed == 1) owing_.push_back(static_cast<std::uint32_t>(f - flows_.data()));
}

void Host::acknowledge_rest() {
    for (const auto flow : owing_)
        if (flows_[flow].owed > 0) emit(flows_[flow], flag::ack, 0);
    owing_.clear();
}

}  // namespace holdfast::bench
