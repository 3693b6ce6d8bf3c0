// One node: two protocol cores and, where services have them, one for applications (a lane), the node core
// (mirror and guard), and what they share.
// The host (engine/ or tests/sim) gives it memory and ports, and drives each core from one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cores/app/applications.hpp"
#include "cores/protocol/core.hpp"
#include "lib/config/config.hpp"
#include "lib/report/event.hpp"
#include "lib/session/record.hpp"

namespace holdfast::protocol {

/// One row of the counters listing: module, name, help, value.
struct CounterView {
    std::string_view module, name, help;
    std::uint64_t value = 0;
};
using CounterVisitor = std::function<void(const CounterView&)>;

/// Everything a node is made from. Pools need packet_private_size of private area (lib/packet).
struct NodeResources {
    Config config;
    std::string name_prefix;  ///< makes DPDK object names unique in the process (at most 8 characters)
    rte_mempool* client_pool = nullptr;
    rte_mempool* server_pool = nullptr;
    rte_mempool* mirror_pool = nullptr;
    PortProfile client_port, server_port, mirror_port;
    int socket = -1;                ///< NUMA node of tables and rings; -1 = any
    std::uint64_t boot_nonce = 1;   ///< differs from start to start
    std::uint64_t stored_term = 0;  ///< what the host read back from its term file; 0 = none
    std::uint64_t seed = 1;
    Instant started_at{};
    app::ApplicationFactory make_application;  ///< of services with gate app; empty: those that are built in
    std::function<void(const CounterVisitor&)> application_counters;  ///< of those; may be empty
    app::HostLinks host_link;                                         ///< of services with gate host
};

/// What an operator reads of the node; any thread may call status().
struct NodeStatus {
    std::string_view role;   ///< "active", "standby", "fenced"
    std::string_view state;  ///< "solo", "protected", "syncing", "ready", "boot", ...
    std::uint64_t term = 0;
    std::uint32_t sessions = 0, sessions_terminated = 0, sessions_translated = 0, sessions_protected = 0;
    std::string_view mirror_state;   ///< "down", "connecting", "syncing", "in sync", ...
    std::string_view mirror_reason;  ///< why it is not in sync, in words; empty when it is
    Duration detection_time{};       ///< the configured bound: lease + margin
    Duration last_detect{};          ///< silence before the last takeover; 0 = none since start
    Duration last_takeover{};        ///< from the decision to both cores speaking
    std::uint64_t mirror_records_sent = 0, mirror_bytes_sent = 0, mirror_records_received = 0;
    std::uint32_t paths_heard = 0;  ///< bit 0 client network, 1 server network, 2 mirror link
    Duration lease_left{};          ///< at the last duty cycle of the node core; negative = expired
};

/// One row of the sessions listing.
struct SessionRow {
    SessionId id;
    Endpoint client, virtual_address, snat, backend;
    std::string_view mode;        ///< "terminated", "translated", "handshake", "closing", ...
    std::string_view protection;  ///< "protected" or why not
    std::string_view service;
    std::uint64_t bytes_up = 0, bytes_down = 0;        ///< acknowledged end to end, since SYN
    std::uint64_t withheld_up = 0, withheld_down = 0;  ///< received and not yet acknowledged
};

/// One row of the backends listing.
struct BackendRow {
    std::uint16_t service_number = 0, backend_number = 0;  ///< in the order of the configuration, from 0
    std::string_view service;
    Endpoint address;
    std::string_view state;   ///< "up", "down" or "drained"
    std::string_view reason;  ///< why, in words; empty when there is nothing to say
    std::uint32_t sessions = 0;
};

class Node {
  public:
    /// Allocates everything the node will ever use (R6). Throws std::runtime_error that names what is
    /// missing.
    explicit Node(NodeResources resources);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    Core& client_core();
    Core& server_core();
    Core& node_core();
    /// nullptr where no service has gate app or host.
    Core* application_core();

    /// Term that must be on stable storage before the node may use it; the thread that drives node_core()
    /// asks after each advance(), writes it, and confirms. While it is unset nothing is to be done.
    std::optional<std::uint64_t> term_to_persist() const;
    void term_persisted(std::uint64_t term);

    /// Link state of a port as the host sees it (driver or netlink); any thread.
    void set_link(Side side, bool up);
    void set_mirror_link(bool up);

    /// Before a planned stop: stops speaking and hands over to the standby, which then need not wait for the
    /// lease to run out. Without effect unless this node is active and a ready standby is heard. Any thread.
    void resign();
    /// resign() was called and the successor does not speak yet. Any thread.
    bool resigning() const;

    // For the control thread; any thread, never blocks a core.
    NodeStatus status() const;
    /// 1 + the service whose application runs at the moment, or 0. Any thread, and in signal handlers.
    std::uint16_t application_called() const noexcept;
    std::uint32_t session_slots() const;
    std::optional<SessionRow> session(std::uint32_t slot) const;
    std::uint32_t backend_count() const;
    /// The backend at a place below backend_count().
    BackendRow backend(std::uint32_t place) const;
    /// A drained backend gets no new sessions on this node; what it has lives on. False when no service of
    /// this name has such a backend. One caller at a time.
    bool drain(std::string_view service, const Endpoint& backend, bool on);
    void for_each_counter(const CounterVisitor& visit) const;
    /// Events in order since the last call; one caller only.
    bool next_event(Event& out);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace holdfast::protocol
