#include "tests/bench/rig.hpp"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <stdexcept>

#include "lib/packet/packet.hpp"

namespace holdfast::bench {
namespace {

constexpr std::uint16_t burst_size = 32;
constexpr Duration cycle_time = microseconds(5);
constexpr std::uint32_t open_at_once = 64;

PortConfig port_config(Side side, unsigned node_id) {
    PortConfig c;
    c.address = {Site::node(side, node_id), 16};
    c.virtual_mac = Site::virtual_mac(side);
    return c;
}

protocol::PortProfile profile(Side side, const RigOptions& options) {
    protocol::PortProfile p;
    p.mac = Site::node_mac(side, options.node_id);
    p.tx_ip_checksum = p.tx_tcp_checksum = p.rx_checksum = options.offload;
    p.multi_segs = true;
    return p;
}

}  // namespace

PoolHandle::PoolHandle(const std::string& name, std::uint32_t mbufs)
    : pool_(rte_pktmbuf_pool_create(name.c_str(), mbufs, 256, packet_private_size, packet_data_room,
                                    SOCKET_ID_ANY)) {
    if (pool_ == nullptr) throw std::runtime_error("pool " + name + ": " + rte_strerror(rte_errno));
}

Rig::Rig(const std::string& name, const RigOptions& options)
    : options_(options),
      client_pool_(name + "_c", options.mbufs),
      server_pool_(name + "_s", options.mbufs),
      mirror_pool_(name + "_m", 1023),
      host_pool_(name + "_h", options.mbufs),
      client_ports_(options.ports, name + "c", client_pool_.get(), host_pool_.get()),
      server_ports_(options.ports, name + "s", server_pool_.get(), host_pool_.get()),
      clients_(Side::client, client_ports_.far(), host_pool_.get(), options.sessions, options.offload),
      servers_(Side::server, server_ports_.far(), host_pool_.get(), options.sessions, options.offload),
      node_(std::make_unique<protocol::Node>(resources(name, options))) {}

Rig::~Rig() { rte_pktmbuf_free_bulk(mirror_in_.data(), static_cast<unsigned>(mirror_in_.size())); }

void Rig::connect(Rig& a, Rig& b) {
    a.peer_ = &b;
    b.peer_ = &a;
}

Config Rig::config(const RigOptions& options) {
    Config c;
    c.node_id = options.node_id;
    c.client = port_config(Side::client, options.node_id);
    c.server = port_config(Side::server, options.node_id);
    c.mirror.address = {Site::mirror(options.node_id), 16};
    c.mirror_link.peer = Site::mirror(1 - options.node_id);
    for (unsigned i = 0; i < Site::snat_count; ++i) c.snat.push_back(Site::snat(i));
    ServiceConfig bench;
    bench.name = "bench";
    bench.address = Site::service();
    bench.backends = {Site::backend()};
    bench.gate = options.gate;
    c.services.push_back(bench);
    c.guard.reference = {Site::backend().address};
    c.limits.sessions = options.slots;
    c.limits.mbufs = options.mbufs;
    c.key.assign(32, 1);
    return c;
}

protocol::NodeResources Rig::resources(const std::string& name, const RigOptions& options) {
    protocol::NodeResources r;
    r.config = config(options);
    r.name_prefix = name;
    r.client_pool = client_pool_.get();
    r.server_pool = server_pool_.get();
    r.mirror_pool = mirror_pool_.get();
    r.client_port = profile(Side::client, options);
    r.server_port = profile(Side::server, options);
    r.mirror_port.mac = Site::mirror_mac(options.node_id);
    r.boot_nonce = 1 + options.node_id;
    r.started_at = now_;
    return r;
}

void Rig::cycle(Side side) {
    std::array<rte_mbuf*, burst_size> burst;
    const auto port = (side == Side::client ? client_ports_ : server_ports_).near();
    auto& c = core(side);
    now_ = now_ + cycle_time;
    const auto n = rte_eth_rx_burst(port, 0, burst.data(), burst_size);
    // A network card says so in the descriptor; vhost has no words for it.
    for (std::uint16_t i = 0; i < n && options_.offload; ++i)
        burst[i]->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    if (n > 0) c.receive({burst.data(), n}, now_);
    c.advance(now_);
    for (;;) {
        const auto ready = static_cast<std::uint16_t>(c.transmit(burst, now_));
        if (ready == 0) return;
        const auto sent = rte_eth_tx_burst(port, 0, burst.data(), ready);
        if (sent < ready)
            throw std::runtime_error("a port takes no more frames: the figure would be of drops");
        if (ready < burst_size) return;
    }
}

void Rig::run_node_core() {
    std::array<rte_mbuf*, burst_size> burst;
    auto& c = node_->node_core();
    c.receive(mirror_in_, now_);
    mirror_in_.clear();
    c.advance(now_);
    if (const auto term = node_->term_to_persist()) node_->term_persisted(*term);
    const auto n = c.transmit(burst, now_);
    for (std::uint32_t i = 0; i < n && peer_ != nullptr; ++i) {
        rte_mbuf* copy = rte_pktmbuf_copy(burst[i], peer_->mirror_pool_.get(), 0, UINT32_MAX);
        if (copy != nullptr) peer_->mirror_in_.push_back(copy);
    }
    rte_pktmbuf_free_bulk(burst.data(), n);
}

void Rig::idle(Duration pause) {
    now_ = now_ + pause;
    run_node_core();
    for (const auto side : {Side::client, Side::server}) {
        cycle(side);
        host(side).receive(1);
        host(side).acknowledge_rest();
        host(side).flush();
    }
}

void Rig::settle() {
    // Handshake, data and ACK cross the node in fewer cycles than this.
    for (int i = 0; i < 12; ++i) idle();
}

void Rig::wait_active() {
    for (int i = 0; i < 100'000; ++i) {
        idle(microseconds(100));
        if (node_->status().role == "active") return settle();
    }
    throw std::runtime_error("the node did not become active: " + std::string(node_->status().state));
}

void Rig::open(std::uint32_t count) {
    clients_.ask_for_service();
    clients_.flush();
    settle();
    for (auto opened = clients_.established(); opened < count;) {
        const auto end = std::min(count, opened + open_at_once);
        for (auto flow = opened; flow < end; ++flow) clients_.connect(flow);
        clients_.flush();
        settle();
        opened = end;
    }
    if (clients_.established() < count || servers_.established() < count)
        throw std::runtime_error("only " + std::to_string(servers_.established()) + " of " +
                                 std::to_string(count) + " sessions opened");
}

}  // namespace holdfast::bench
