// The configuration as typed values. The loader (loader.hpp) fills it from TOML; nothing else writes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/address.hpp"
#include "lib/base/time.hpp"

namespace holdfast {

/// Which predefined operations must be done before an acknowledgment leaves; a set of bits.
enum class Gate : std::uint8_t { none = 0, peer = 1, app = 2, standby = 4, host = 8 };

constexpr Gate operator|(Gate a, Gate b) {
    return static_cast<Gate>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool has(Gate gates, Gate g) {
    return (static_cast<std::uint8_t>(gates) & static_cast<std::uint8_t>(g)) != 0;
}

/// Sessions with one of these end here, and have no backend.
inline constexpr Gate served_here = Gate::app | Gate::host;

/// Gate standby alone, of sessions with a backend: their bytes are entrusted to the pair.
constexpr bool is_entrusted(Gate gates) { return gates == Gate::standby; }

/// What runs on the appliance and serves the clients of a service with gate app.
enum class ApplicationKind : std::uint8_t { none, echo, journal };

/// Where the standby must have a journal's bytes before they are acknowledged, with gate standby.
enum class JournalStandby : std::uint8_t { memory, durable };

/// Which bytes on their way to the far end a standby holds, too, until the far end has acknowledged them.
enum class MirrorPayload : std::uint8_t {
    none,
    tails,  ///< of segments that are not full: nothing follows that would tell of their loss
    all,
};

/// One DPDK port and the addresses that live on it.
struct PortConfig {
    static constexpr std::size_t routes_max = 64;

    std::string device;         ///< ethdev name or PCI address, as EAL knows it
    Prefix address;             ///< the node's own IPv4 or IPv6 address: neighbour queries, reference probes
    Prefix address6;            ///< its IPv6 address beside an IPv4 one; unspecified = none
    IpAddress gateway;          ///< next hop for addresses off `address`; unspecified = none
    IpAddress gateway6;         ///< the same for `address6`
    std::vector<Route> routes;  ///< beside the gateways, for networks that another neighbour leads to
    MacAddress virtual_mac;     ///< moves with the active node; zero on the mirror port
    std::uint16_t mtu = 1500;   ///< IP packet size in bytes
    std::uint16_t vlan = 0;     ///< 802.1Q tag of all frames; 0 = none

    /// The node's own address of the family of `of`, with its network; nullptr when it has none.
    const Prefix* own(const IpAddress& of) const {
        for (const Prefix* p : {&address, &address6})
            if (!p->address.is_unspecified() && p->address.is_v4() == of.is_v4()) return p;
        return nullptr;
    }
    /// The next hop off that network; unspecified when there is none.
    IpAddress gateway_of(const IpAddress& of) const {
        for (const IpAddress& g : {gateway, gateway6})
            if (!g.is_unspecified() && g.is_v4() == of.is_v4()) return g;
        return {};
    }
    bool is_on_link(const IpAddress& a) const { return own(a) != nullptr && own(a)->contains(a); }
    /// It is on the port's network, or a route or gateway leads to it.
    bool reaches(const IpAddress& a) const {
        const auto holds = [&](const Route& r) { return r.to.contains(a); };
        return own(a) != nullptr && (is_on_link(a) || !gateway_of(a).is_unspecified() ||
                                     std::any_of(routes.begin(), routes.end(), holds));
    }
};

/// How a new session's backend is chosen among those that are up and not drained.
enum class Balance : std::uint8_t { round_robin, least_sessions, source_hash };

/// Asking backends whether they accept connections.
struct HealthConfig {
    Duration interval{};            ///< between two checks of a backend; 0 = none, every backend counts as up
    Duration timeout = seconds(1);  ///< without an answer for so long a check has failed
    unsigned rise = 2;              ///< checks in a row that a backend must answer to be up again
    unsigned fall = 3;              ///< failures in a row, of checks and sessions, that take it down
};

struct ServiceConfig {
    /// A record names its backend by a number, and every choice looks through them.
    static constexpr std::size_t backends_max = 256;

    std::string name;
    Endpoint address;                ///< virtual address and port that clients connect to
    std::vector<Endpoint> backends;  ///< at least one, but for gates app and host, which have none
    Gate gate = Gate::peer;
    ApplicationKind application = ApplicationKind::none;
    std::string application_library;     ///< in its place: file of a shared library with one
    std::string host;                    ///< gate host: ethdev name of the link to the process that serves
    Duration host_timeout = seconds(1);  ///< a process silent for so long is dead
    MirrorPayload mirror_payload = MirrorPayload::none;
    std::string journal_dir;                       ///< application journal: its segment files
    std::uint64_t journal_bytes_max = 1ull << 30;  ///< of its log, on disk
    JournalStandby journal_standby = JournalStandby::memory;
    bool degrade = false;  ///< gate standby: while none is in sync, go on without it
    Balance balance = Balance::round_robin;
    Duration connect_timeout = seconds(5);  ///< a backend silent for so long makes room for the next one
    HealthConfig health{};
    unsigned proxy_protocol = 0;                ///< version of the PROXY header that backends get; 0 = none
    std::uint32_t sessions_max = 0;             ///< live sessions; 0 = no limit of its own
    std::uint32_t sessions_per_source_max = 0;  ///< of one IPv4 address or IPv6 /64; 0 = no limit
    std::uint32_t accept_rate = 0;              ///< new sessions per second; 0 = no limit
    Duration idle_timeout{};                    ///< a session without payload for so long is reset; 0 = never
    Duration handshake_timeout{};  ///< for the client's answer to our SYN-ACK; 0 = until tcp.syn_retries
};

struct GuardConfig {
    static constexpr std::size_t references_max = 16;

    std::string key_file;  ///< shared key of the pair: at least 32 bytes, not readable by others
    Duration heartbeat = milliseconds(5);
    Duration lease =
        milliseconds(30);  ///< L: the active stops this long after its last echoed heartbeat left
    Duration lease_margin = milliseconds(10);  ///< e: drift and TX drain; the standby acts at L + e
    Duration boot_wait = milliseconds(1000);
    std::vector<IpAddress> reference;  ///< targets on the service networks that prove we are not isolated
    Duration announce_every = milliseconds(100);
    Duration announce_for = seconds(10);
    bool realtime = true;  ///< run the node core under SCHED_FIFO where that is permitted
};

struct MirrorConfig {
    IpAddress peer;  ///< the other node's address on the mirror port
    std::uint16_t tcp_port = 7070;
    Duration store_wait =
        milliseconds(50);  ///< how long a SYN-ACK waits for the standby before it goes unprotected
    Duration progress_every = milliseconds(50);
};

struct TcpConfig {
    Duration rto_min = milliseconds(20);
    Duration rto_max = seconds(60);
    Duration rto_initial = seconds(1);
    Duration time_wait = seconds(60);  ///< 2 MSL
    Duration window_probe_min = milliseconds(200);
    Duration window_probe_max = seconds(5);
    Duration idle_probe = seconds(300);  ///< an idle session is probed this often
    unsigned syn_retries = 5;
    unsigned data_retries = 15;
    bool hold_sack = true;  ///< the SACK rules under withheld ACKs
    unsigned ttl = 64;      ///< time to live or hop limit of every segment
    bool ecn = true;        ///< congestion may be told by marks where both ends agree (RFC 3168)
    /// Bytes that an endpoint is offered beyond what the far one granted. For uploads over a long path to a
    /// near backend, whose autotuning sees only the short round trip to us. The price: while a far end
    /// stalls, up to this much stays unacknowledged, and its sender gives up after its retransmissions
    /// instead of waiting for ever; and SACK tells of what waits here beyond that window, so that a takeover
    /// just then looks to a sender in recovery like reneging.
    std::uint32_t window_lead = 0;
};

struct LimitsConfig {
    std::uint32_t sessions = 16384;           ///< per lane
    std::uint32_t session_bytes = 2u << 20;   ///< bytes one direction of a session may hold
    std::uint32_t mbufs = 32768;              ///< per port pool
    std::uint32_t ring = 4096;                ///< entries of each ring between cores; a power of two
    std::uint32_t half_open = 1024;           ///< half-open sessions of a lane beyond which SYNs get cookies
    std::uint32_t reply_bytes = 64u << 10;    ///< bytes of an application's replies that a session may hold
    std::uint32_t replies = 64u << 20;        ///< bytes of all replies that a lane may hold
    std::uint32_t payload_bytes = 64u << 10;  ///< mirrored bytes of a direction that a standby may hold
    std::uint32_t payloads = 64u << 20;       ///< mirrored bytes of all sessions of a lane
};

enum class IdlePolicy : std::uint8_t { busy, adaptive, interrupt };

struct Config {
    /// A record names its service by a number, and every SYN looks through them.
    static constexpr std::size_t services_max = 256;

    unsigned node_id = 0;  ///< 0 or 1; splits the SNAT port space, breaks ties
    std::string node_name = "a";
    std::string state_dir;  ///< where the term is persisted
    PortConfig client, server, mirror;
    std::vector<IpAddress> snat;  ///< source addresses towards backends
    std::vector<ServiceConfig> services;
    GuardConfig guard;
    MirrorConfig mirror_link;
    TcpConfig tcp;
    LimitsConfig limits;
    IdlePolicy idle = IdlePolicy::adaptive;
    Duration idle_sleep_max = milliseconds(1);
    std::vector<std::uint8_t> key;  ///< contents of guard.key_file, read by the loader

    /// Some service is an application's, or a process's: the lane has a core for it.
    bool has_applications() const {
        return std::any_of(services.begin(), services.end(),
                           [](const ServiceConfig& s) { return has(s.gate, served_here); });
    }
    /// Some service has its payload mirrored: the lane has rings for it.
    bool mirrors_payload() const {
        return std::any_of(services.begin(), services.end(),
                           [](const ServiceConfig& s) { return s.mirror_payload != MirrorPayload::none; });
    }
};

}  // namespace holdfast
