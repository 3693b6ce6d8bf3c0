// One DPDK port, set up with what its driver offers and without what it refuses.
#pragma once

#include <rte_ethdev.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cores/protocol/core.hpp"
#include "lib/config/config.hpp"

namespace holdfast::engine {

/// Frames per rx or tx burst.
inline constexpr std::uint16_t burst_size = 32;

/// A configured port with one RX and one TX queue and a pool of its own. Closed when destroyed.
class Port {
  public:
    struct Options {
        std::uint32_t mbufs;  ///< size of the pool
        bool rx_interrupt;    ///< ask for RX interrupts
    };

    /// `role` is "client", "server" or "mirror": it names the port in messages and the pool in DPDK.
    /// Throws StartRefused: no such device, a driver that refuses, no memory.
    Port(std::string role, const PortConfig& config, const Options& options);
    ~Port();
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    /// Lets frames through. Throws StartRefused. A memif client whose server is absent is left for restart().
    void start();
    /// Begins to stop and start again, which brings back the link of a memif client, and returns at once;
    /// started() is false until that is done. False when there is nothing to do: another driver, or a restart
    /// is under way. Only the thread that polls the port may call it.
    bool restart();
    /// Whether frames may be asked for and sent; for the thread that polls the port.
    bool started() const { return state_.load(std::memory_order_acquire) == State::started; }
    /// No frame passes any more; the driver gives back the mbufs in its rings as far as it can. Final.
    void stop();

    const std::string& role() const { return role_; }
    const std::string& device() const { return device_; }
    std::string_view driver() const { return info_.driver_name; }
    std::uint16_t id() const { return id_; }
    /// NUMA node of the port; -1 when it belongs to none.
    int socket() const { return socket_; }
    rte_mempool* pool() const { return pool_; }
    const protocol::PortProfile& profile() const { return profile_; }
    /// TX checksum offloads need rte_eth_tx_prepare() before each burst.
    bool needs_tx_prepare() const { return profile_.tx_ip_checksum || profile_.tx_tcp_checksum; }
    /// The kernel's interface under the port (af_packet, af_xdp, tap, bifurcated drivers); 0 when there is
    /// none.
    unsigned kernel_interface() const { return info_.if_index; }
    /// The socket through which af_packet or af_xdp receives: readable when frames are there; -1 for other
    /// drivers.
    int kernel_socket() const { return kernel_socket_; }
    /// What the driver refused, in words.
    const std::vector<std::string>& notes() const { return notes_; }

    /// mbufs of the pool that nobody gave back; meaningful after stop() and after all cores are gone. What
    /// the driver took into its rings at start and never gives back (af_xdp's fill ring) is not counted.
    std::uint32_t leaked_mbufs() const;

    /// Link state as last seen; written by the link watch, read by the runner.
    std::atomic<bool> link_up{false};

  private:
    enum class State : std::uint8_t { stopped, started, restarting };

    static void stop_for_restart(void* port);
    static void start_again(void* port);
    static void stop_for_good(void* port);
    void stop_device();
    bool start_device();
    bool connects_to_server() const;
    bool is_connected() const;
    void configure_device();
    void set_mtu();
    void create_pool();
    void set_up_queues();
    void set_up_rx_queue(std::uint16_t descriptors);
    void accept_virtual_mac(const MacAddress& mac);
    void accept_groups();
    rte_eth_conf wanted_features() const;
    [[noreturn]] void refuse(const std::string& what) const;

    std::string role_, device_;
    PortConfig config_;
    Options options_;
    std::uint16_t id_ = RTE_MAX_ETHPORTS;
    int socket_ = -1;
    rte_eth_dev_info info_{};
    rte_eth_conf conf_{};
    rte_mempool* pool_ = nullptr;
    protocol::PortProfile profile_;
    std::vector<std::string> notes_;
    int kernel_socket_ = -1;
    std::uint32_t parked_mbufs_ = 0;  ///< in the driver's rings right after start
    std::atomic<State> state_{State::stopped};
    bool device_started_ =
        false;  ///< by the thread that starts and stops the port, or EAL's while it restarts
    std::string start_error_;
    std::atomic<bool> device_stopped_{false};
    bool closed_ = false;
};

}  // namespace holdfast::engine
