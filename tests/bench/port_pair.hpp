// Two DPDK ports of this process that are each other's far end: what one sends the other receives.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::bench {

enum class PortKind : std::uint8_t {
    ring,  ///< net_ring: mbufs change hands by reference, nothing below rx_burst and tx_burst costs anything
    virtio,  ///< net_virtio_user against net_vhost: descriptor rings, and late completion of what was sent
};

std::string_view name_of(PortKind kind);

class PortPair {
  public:
    /// `name` is unique in the process; each side receives into a pool of its own. Throws std::runtime_error.
    PortPair(PortKind kind, const std::string& name, rte_mempool* near_pool, rte_mempool* far_pool);
    ~PortPair();
    PortPair(const PortPair&) = delete;
    PortPair& operator=(const PortPair&) = delete;

    /// The port of what is measured; the far one is the generator's.
    std::uint16_t near() const { return near_; }
    std::uint16_t far() const { return far_; }

  private:
    void make_rings(const std::string& name);
    void make_virtio(const std::string& name);

    std::uint16_t near_ = 0, far_ = 0;
    std::string socket_path_;
};

}  // namespace holdfast::bench
