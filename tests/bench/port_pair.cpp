#include "tests/bench/port_pair.hpp"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <unistd.h>

#include <stdexcept>

namespace holdfast::bench {
namespace {

constexpr unsigned descriptors = 1024;

[[noreturn]] void refuse(const std::string& what, int error) {
    throw std::runtime_error(what + ": " + rte_strerror(error < 0 ? -error : error));
}

void start(std::uint16_t port, rte_mempool* pool) {
    const rte_eth_conf conf{};
    int error = rte_eth_dev_configure(port, 1, 1, &conf);
    if (error == 0) error = rte_eth_rx_queue_setup(port, 0, descriptors, SOCKET_ID_ANY, nullptr, pool);
    if (error == 0) error = rte_eth_tx_queue_setup(port, 0, descriptors, SOCKET_ID_ANY, nullptr);
    if (error == 0) error = rte_eth_dev_start(port);
    if (error != 0) refuse("port " + std::to_string(port), error);
}

std::uint16_t plug(const std::string& device, const std::string& arguments) {
    if (const int error = rte_eal_hotplug_add("vdev", device.c_str(), arguments.c_str()); error != 0)
        refuse(device, error);
    std::uint16_t port = 0;
    if (const int error = rte_eth_dev_get_port_by_name(device.c_str(), &port); error != 0)
        refuse(device, error);
    return port;
}

}  // namespace

std::string_view name_of(PortKind kind) { return kind == PortKind::ring ? "net_ring" : "virtio_user"; }

PortPair::PortPair(PortKind kind, const std::string& name, rte_mempool* near_pool, rte_mempool* far_pool) {
    if (kind == PortKind::ring) make_rings(name);
    else make_virtio(name);
    start(far_, far_pool);
    start(near_, near_pool);
}

PortPair::~PortPair() {
    for (const auto port : {near_, far_}) {
        rte_eth_dev_stop(port);
        rte_eth_dev_close(port);
    }
    if (!socket_path_.empty()) unlink(socket_path_.c_str());
}

void PortPair::make_rings(const std::string& name) {
    rte_ring* rings[2];
    for (int i = 0; i < 2; ++i) {
        rings[i] = rte_ring_create((name + (i == 0 ? "_in" : "_out")).c_str(), descriptors, SOCKET_ID_ANY,
                                   RING_F_SP_ENQ | RING_F_SC_DEQ);
        if (rings[i] == nullptr) refuse("ring " + name, rte_errno);
    }
    const int near = rte_eth_from_rings((name + "_near").c_str(), &rings[0], 1, &rings[1], 1, 0);
    const int far = rte_eth_from_rings((name + "_far").c_str(), &rings[1], 1, &rings[0], 1, 0);
    if (near < 0 || far < 0) refuse("net_ring " + name, rte_errno);
    near_ = static_cast<std::uint16_t>(near);
    far_ = static_cast<std::uint16_t>(far);
}

void PortPair::make_virtio(const std::string& name) {
    socket_path_ = "/tmp/holdfast-bench-" + std::to_string(getpid()) + "-" + name;
    far_ = plug("net_vhost_" + name, "iface=" + socket_path_);
    const rte_eth_conf conf{};
    // The socket is there once the vhost port is configured.
    if (const int error = rte_eth_dev_configure(far_, 1, 1, &conf); error != 0) refuse("net_vhost", error);
    near_ = plug("net_virtio_user_" + name,
                 "path=" + socket_path_ + ",queue_size=" + std::to_string(descriptors));
}

}  // namespace holdfast::bench
