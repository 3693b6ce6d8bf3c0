// The surface of a core, and nothing else: bursts in, bursts out, time as a value (R7).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

#include "lib/base/address.hpp"
#include "lib/base/time.hpp"

namespace holdfast::protocol {

/// What the host knows of a core's port. Constant after start.
struct PortProfile {
    MacAddress mac;                ///< the port's own address
    std::uint16_t mtu = 1500;      ///< IP packet size in bytes that the port carries
    bool tx_ip_checksum = false;   ///< the port fills in IPv4 header checksums
    bool tx_tcp_checksum = false;  ///< the port fills in TCP checksums
    bool rx_checksum = false;      ///< the port verifies them and says so in ol_flags
    bool multi_segs = false;       ///< the port sends chained mbufs
    std::uint32_t queue = 1024;    ///< frames that may wait for the port; a power of two
};

class Core {
  public:
    virtual ~Core() = default;

    /// Takes ownership of all frames of `burst`. `now` is the duty cycle's one clock reading.
    virtual void receive(std::span<rte_mbuf* const> burst, Instant now) = 0;
    /// Timers, rings from other cores, and what follows from them. Returns how much work was done (0 = idle).
    virtual std::uint32_t advance(Instant now) = 0;
    /// Moves frames that are ready to leave into `out`; the caller owns them. `now` is read directly before
    /// the burst: without a valid lease at `now` frames from virtual addresses are dropped and counted here
    /// (R4).
    virtual std::uint32_t transmit(std::span<rte_mbuf*> out, Instant now) = 0;
    /// When advance() must be called again at the latest; a core also wants it after each receive().
    virtual Instant next_deadline() const = 0;
    /// mbufs that the core holds in its queues (R6).
    virtual std::uint64_t held_mbufs() const = 0;
};

}  // namespace holdfast::protocol
