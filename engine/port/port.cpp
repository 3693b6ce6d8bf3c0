#include "engine/port/port.hpp"

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "engine/boot/start_refused.hpp"
#include "engine/port/device.hpp"
#include "engine/port/kernel_socket.hpp"
#include "lib/packet/packet.hpp"

namespace holdfast::engine {
namespace {

constexpr std::uint16_t rx_descriptors = 2048, tx_descriptors = 1024;
constexpr std::uint32_t pool_cache = 256;
constexpr std::uint64_t restart_pause_us = 50'000;

/// A packet pool; nullptr with rte_errno when memory is missing. `dense`: objects lie back to back.
///
/// af_xdp tells the kernel a size of (number of objects) x (size of one) for the pool's memory. Without
/// hugepages DPDK lets no object cross a 4 KB page and leaves gaps, so the objects at the end would lie
/// outside: the kernel drops their fill descriptors without a word, and reception starves. Objects of a pool
/// that needs no IOVA-contiguous memory have no gaps.
rte_mempool* make_pool(const std::string& name, std::uint32_t mbufs, std::uint16_t room, int socket,
                       bool dense) {
    if (!dense)
        return rte_pktmbuf_pool_create(name.c_str(), mbufs, pool_cache, packet_private_size, room, socket);
    const auto element = static_cast<unsigned>(sizeof(rte_mbuf)) + packet_private_size + room;
    rte_mempool* pool =
        rte_mempool_create_empty(name.c_str(), mbufs, element, pool_cache, sizeof(rte_pktmbuf_pool_private),
                                 socket, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (pool == nullptr) return nullptr;
    rte_pktmbuf_pool_private sizes{};
    sizes.mbuf_data_room_size = room;
    sizes.mbuf_priv_size = packet_private_size;
    rte_pktmbuf_pool_init(pool, &sizes);
    if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr) != 0 ||
        rte_mempool_populate_default(pool) < 0) {
        rte_mempool_free(pool);
        rte_errno = ENOMEM;
        return nullptr;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
    return pool;
}
constexpr std::uint16_t frame_overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 4;  // room for a VLAN tag
/// A slot of af_packet's ring is somewhat larger than the frame in it, and the driver wants an mbuf for all
/// of it.
constexpr std::uint16_t ring_slack = 192;
/// The kernel leaves this much free before each frame that af_xdp receives into an mbuf.
constexpr std::uint16_t xdp_headroom = 256;

constexpr std::uint64_t rx_checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
constexpr std::uint64_t tx_checksums = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

std::string reason(int negative_errno) { return rte_strerror(-negative_errno); }

/// Something we like to have and can do without: how to take it out of the request, and what that means.
struct Optional {
    const char* what;
    bool (*wanted)(const rte_eth_conf&);
    void (*drop)(rte_eth_conf&);
};
constexpr Optional optional_features[] = {
    {"link-state interrupts refused, the link is polled",
     [](const rte_eth_conf& c) { return c.intr_conf.lsc != 0; },
     [](rte_eth_conf& c) { c.intr_conf.lsc = 0; }},
    {"RX interrupts refused", [](const rte_eth_conf& c) { return c.intr_conf.rxq != 0; },
     [](rte_eth_conf& c) { c.intr_conf.rxq = 0; }},
    {"RX checksum offload refused", [](const rte_eth_conf& c) { return c.rxmode.offloads != 0; },
     [](rte_eth_conf& c) { c.rxmode.offloads = 0; }},
    {"TX offloads refused", [](const rte_eth_conf& c) { return c.txmode.offloads != 0; },
     [](rte_eth_conf& c) { c.txmode.offloads = 0; }},
};

/// Frees what the port received since and lets the driver give back frames that it has sent. Bounded: some
/// ports (net_null) receive for ever.
void drain(std::uint16_t id) {
    constexpr int rounds = 4, bursts = rx_descriptors / burst_size;
    for (int round = 0; round < rounds; ++round) {
        rte_mbuf* frames[burst_size];
        for (int i = 0; i < bursts; ++i) {
            const std::uint16_t n = rte_eth_rx_burst(id, 0, frames, burst_size);
            rte_pktmbuf_free_bulk(frames, n);
            if (n < burst_size) break;
        }
        rte_eth_tx_done_cleanup(id, 0, 0);
        rte_eth_tx_burst(id, 0, frames, 0);  // drivers without a cleanup of their own reap at the next burst
        rte_delay_us_sleep(1000);
    }
}

}  // namespace

Port::Port(std::string role, const PortConfig& config, const Options& options)
    : role_(std::move(role)), device_(config.device), config_(config), options_(options) {
    id_ = find_port(device_, role_);
    socket_ = rte_eth_dev_socket_id(id_);
    if (const int error = rte_eth_dev_info_get(id_, &info_); error != 0)
        refuse("the driver tells nothing of itself: " + reason(error));
    configure_device();
    set_mtu();
    create_pool();
    set_up_queues();
    accept_virtual_mac(config.virtual_mac);
    accept_groups();
}

Port::~Port() {
    stop();
    rte_mempool_free(pool_);
}

void Port::refuse(const std::string& what) const {
    throw StartRefused("port " + role_ + " (" + device_ + "): " + what);
}

rte_eth_conf Port::wanted_features() const {
    rte_eth_conf conf{};
    // net_af_packet names plain Ethernet's frames as its largest; it carries what fits a slot of its ring
    // (framesz).
    const bool understates = driver() == "net_af_packet";
    conf.rxmode.mtu = understates ? std::min<std::uint32_t>(config_.mtu, RTE_ETHER_MTU) : config_.mtu;
    conf.rxmode.offloads = info_.rx_offload_capa & rx_checksums;
    // Never MBUF_FAST_FREE: frames in the retransmission queue are referenced more than once.
    conf.txmode.offloads = info_.tx_offload_capa & (tx_checksums | RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
    conf.intr_conf.lsc = (*info_.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
    conf.intr_conf.rxq = options_.rx_interrupt;
    return conf;
}

void Port::configure_device() {
    if (config_.mtu > info_.max_mtu || config_.mtu < info_.min_mtu)
        refuse("the driver carries an MTU from " + std::to_string(info_.min_mtu) + " to " +
               std::to_string(info_.max_mtu) + "; change port." + role_ + ".mtu");
    conf_ = wanted_features();
    int error = rte_eth_dev_configure(id_, 1, 1, &conf_);
    for (const auto& feature : optional_features) {
        if (error == 0) break;
        if (!feature.wanted(conf_)) continue;
        feature.drop(conf_);
        notes_.push_back(feature.what);
        error = rte_eth_dev_configure(id_, 1, 1, &conf_);
    }
    if (error != 0)
        refuse("the driver refuses one queue each way with MTU " + std::to_string(config_.mtu) + ": " +
               reason(error));

    rte_ether_addr mac;
    if (rte_eth_macaddr_get(id_, &mac) == 0) std::memcpy(profile_.mac.bytes.data(), mac.addr_bytes, 6);
    profile_.mtu = config_.mtu;
    profile_.tx_ip_checksum = (conf_.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
    profile_.tx_tcp_checksum = (conf_.txmode.offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
    profile_.multi_segs = (conf_.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    profile_.rx_checksum = (conf_.rxmode.offloads & rx_checksums) == rx_checksums;
}

void Port::set_mtu() {
    std::uint16_t present = 0;
    if (const int error = rte_eth_dev_set_mtu(id_, config_.mtu); error == 0) return;
    else if (rte_eth_dev_get_mtu(id_, &present) != 0 || present != config_.mtu)
        notes_.push_back("setting the MTU refused (" + reason(error) +
                         "): make sure that the device carries " + std::to_string(config_.mtu));
}

void Port::create_pool() {
    const bool xdp = driver() == "net_af_xdp";
    const std::uint32_t frame =
        RTE_PKTMBUF_HEADROOM + (xdp ? xdp_headroom : 0) + config_.mtu + frame_overhead + ring_slack;
    const auto room = static_cast<std::uint16_t>(std::max<std::uint32_t>(packet_data_room, frame));
    pool_ = make_pool("hf_" + role_, options_.mbufs, room, socket_, xdp);
    if (pool_ == nullptr)
        refuse("no memory for " + std::to_string(options_.mbufs) + " mbufs of " + std::to_string(room) +
               " bytes (" + rte_strerror(rte_errno) +
               "); lower limits.mbufs, reserve more hugepages, or with --no-huge give a larger -m");
    // af_xdp registers the pool's first piece of memory with the kernel and takes it for the whole pool.
    if (xdp && pool_->nb_mem_chunks != 1)
        refuse(
            "net_af_xdp needs its pool in one piece and memory is scattered; lower limits.mbufs, or with "
            "--no-huge give a larger -m");
}

void Port::set_up_queues() {
    std::uint16_t rx = rx_descriptors, tx = tx_descriptors;
    if (const int error = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx); error != 0)
        refuse("the driver names no usable ring sizes: " + reason(error));
    set_up_rx_queue(rx);
    rte_eth_txconf tx_conf = info_.default_txconf;
    tx_conf.offloads = conf_.txmode.offloads;
    if (const int error = rte_eth_tx_queue_setup(id_, 0, tx, static_cast<unsigned>(socket_), &tx_conf);
        error != 0)
        refuse("the driver refuses a TX queue of " + std::to_string(tx) + ": " + reason(error));
}

void Port::set_up_rx_queue(std::uint16_t descriptors) {
    rte_eth_rxconf rx_conf = info_.default_rxconf;
    rx_conf.offloads = conf_.rxmode.offloads;
    const auto before = sockets_of(AF_XDP);
    const int error =
        rte_eth_rx_queue_setup(id_, 0, descriptors, static_cast<unsigned>(socket_), &rx_conf, pool_);
    if (error != 0)
        refuse("the driver refuses an RX queue of " + std::to_string(descriptors) + ": " + reason(error));
    // The drivers keep their sockets to themselves: af_packet's is known by its interface, af_xdp's is the
    // new one.
    if (driver() == "net_af_packet") kernel_socket_ = find_packet_socket(kernel_interface());
    if (driver() == "net_af_xdp")
        for (const int fd : sockets_of(AF_XDP))
            if (std::ranges::find(before, fd) == before.end()) kernel_socket_ = fd;
}

/// Frames to the virtual MAC must reach us: by the port's filter, or else by taking all frames.
void Port::accept_virtual_mac(const MacAddress& mac) {
    if (mac.is_zero()) return;
    rte_ether_addr address;
    std::memcpy(address.addr_bytes, mac.bytes.data(), 6);
    if (rte_eth_dev_mac_addr_add(id_, &address, 0) == 0) return;
    if (const int error = rte_eth_promiscuous_enable(id_); error != 0)
        notes_.push_back("neither a second MAC address nor promiscuous mode (" + reason(error) +
                         "): frames to " + mac.to_string() + " may not arrive");
}

/// Neighbours ask for an IPv6 address in the group that it falls into; of each port we take all groups.
void Port::accept_groups() {
    if (config_.own(IpAddress{}) == nullptr) return;
    if (rte_eth_allmulticast_enable(id_) == 0 || rte_eth_promiscuous_get(id_) == 1) return;
    if (const int error = rte_eth_promiscuous_enable(id_); error != 0)
        notes_.push_back("neither all multicast groups nor promiscuous mode (" + reason(error) +
                         "): neighbours may not find our IPv6 addresses");
}

void Port::start() {
    if (!start_device() && driver() != "net_memif") refuse("the driver does not start: " + start_error_);
    state_.store(device_started_ ? State::started : State::stopped, std::memory_order_release);
    parked_mbufs_ = rte_mempool_in_use_count(pool_);
}

bool Port::start_device() {
    const int error = rte_eth_dev_start(id_);
    if (error != 0) start_error_ = reason(error);
    device_started_ = error == 0;
    return device_started_;
}

void Port::stop_device() {
    if (device_started_) rte_eth_dev_stop(id_);
    device_started_ = false;
}

/// A memif server takes its next client without our help.
bool Port::connects_to_server() const {
    if (driver() != "net_memif") return false;
    const rte_devargs* arguments = rte_dev_devargs(info_.device);
    const std::string_view text = arguments == nullptr || arguments->args == nullptr ? "" : arguments->args;
    return text.find("role=client") != text.npos || text.find("role=slave") != text.npos;
}

bool Port::is_connected() const {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

// net_memif takes its connection apart in a handler on EAL's interrupt thread, without a lock against
// dev_stop(): first the link goes down, then the rest. A stop from another thread in between frees the
// connection twice. EAL runs alarms on the same thread, so a stop in an alarm can not meet the handler.

bool Port::restart() {
    if (state_.load(std::memory_order_relaxed) == State::restarting || !connects_to_server()) return false;
    state_.store(State::restarting, std::memory_order_release);
    if (rte_eal_alarm_set(1, stop_for_restart, this) == 0) return true;
    state_.store(device_started_ ? State::started : State::stopped, std::memory_order_release);
    return false;
}

void Port::stop_for_restart(void* port) {
    auto& self = *static_cast<Port*>(port);
    if (self.device_started_ && self.is_connected()) {  // the request came too late
        self.state_.store(State::started, std::memory_order_release);
        return;
    }
    self.stop_device();
    // The new connection may get the number of the old one's socket, for which EAL may have read an event
    // already: it starts in a later round.
    if (rte_eal_alarm_set(restart_pause_us, start_again, port) == 0) return;
    self.state_.store(State::stopped, std::memory_order_release);
}

void Port::start_again(void* port) {
    auto& self = *static_cast<Port*>(port);
    const bool started = self.start_device();
    self.state_.store(started ? State::started : State::stopped, std::memory_order_release);
}

void Port::stop_for_good(void* port) {
    auto& self = *static_cast<Port*>(port);
    self.stop_device();
    self.device_stopped_.store(true, std::memory_order_release);
}

void Port::stop() {
    if (closed_) return;
    closed_ = true;
    if (driver() == "net_memif") {
        // In this order, since the first one sets the second. Each waits for a callback that runs.
        rte_eal_alarm_cancel(stop_for_restart, this);
        rte_eal_alarm_cancel(start_again, this);
    }
    state_.store(State::stopped, std::memory_order_release);
    if (device_started_) drain(id_);
    if (driver() != "net_memif" || rte_eal_alarm_set(1, stop_for_good, this) != 0) stop_device();
    else
        while (!device_stopped_.load(std::memory_order_acquire)) rte_delay_us_sleep(1000);
    rte_eth_dev_close(id_);
}

std::uint32_t Port::leaked_mbufs() const {
    const std::uint32_t in_use = rte_mempool_in_use_count(pool_);
    return in_use >= parked_mbufs_ ? in_use - parked_mbufs_ : in_use;
}

}  // namespace holdfast::engine
