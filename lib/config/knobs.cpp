#include "lib/config/knobs.hpp"

#include <algorithm>
#include <concepts>

namespace holdfast {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

constexpr std::size_t name_size_max = 63;

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }
bool is_printable(char c) { return c >= ' ' && c <= '~'; }

/// What is wrong with a name that stands in tables and logs, or nothing.
std::string name_problem(const std::string& name) {
    if (name.size() > name_size_max)
        return "has " + std::to_string(name.size()) + " bytes; choose at most " +
               std::to_string(name_size_max);
    if (!std::ranges::all_of(name, is_printable))
        return "holds something else than letters, digits and signs of ASCII; leave it out";
    return {};
}

// ---- from a value of the file to a value of ours: returns what is wrong and how to mend it, or nothing ----

template <std::unsigned_integral T>
std::string assign(T& to, const KnobValue& v) {
    to = static_cast<T>(std::get<std::int64_t>(v));
    return {};
}
std::string assign(bool& to, const KnobValue& v) {
    to = std::get<bool>(v);
    return {};
}
std::string assign(std::string& to, const KnobValue& v) {
    to = std::get<std::string>(v);
    if (to.empty()) return "is empty; give it a value";
    // Whatever is said of it goes to a terminal.
    return std::ranges::any_of(to, is_control) ? "holds a control character; remove it" : "";
}

std::string assign_name(std::string& to, const KnobValue& v) {
    auto problem = name_problem(std::get<std::string>(v));
    return problem.empty() ? assign(to, v) : problem;
}

template <class T>
constexpr const char* example = nullptr;
template <>
constexpr const char* example<IpAddress> = "is no IP address; write it like \"10.0.0.1\" or \"fd00::1\"";
template <>
constexpr const char* example<Endpoint> =
    "is no address with port; write it like \"10.0.0.1:80\" or \"[fd00::1]:80\"";
template <>
constexpr const char* example<Prefix> =
    "is no address with prefix length; write it like \"10.0.0.1/24\" or \"fd00::1/64\"";
template <>
constexpr const char* example<MacAddress> = "is no Ethernet address; write it like \"02:48:46:00:01:00\"";

template <class T>
requires(example<T> != nullptr) std::string assign_text(T& to, const std::string& text) {
    const auto parsed = T::parse(text);
    if (!parsed) return quoted(text) + " " + example<T>;
    to = *parsed;
    return {};
}
template <class T>
requires(example<T> != nullptr) std::string assign(T& to, const KnobValue& v) {
    return assign_text(to, std::get<std::string>(v));
}
template <class T>
requires(example<T> != nullptr) std::string assign(std::vector<T>& to, const KnobValue& v) {
    to.clear();
    for (const auto& text : std::get<std::vector<std::string>>(v))
        if (auto problem = assign_text(to.emplace_back(), text); !problem.empty()) return problem;
    return {};
}

std::string assign(std::vector<Route>& to, const KnobValue& v) {
    to.clear();
    for (const auto& row : std::get<std::vector<KnobRow>>(v)) {
        auto& route = to.emplace_back();
        std::string problem;
        if (row.size() != 2 || row[0].first != "to" || row[1].first != "via")
            problem = "holds a route without \"to\" and \"via\", or with more than that";
        if (problem.empty()) problem = assign_text(route.to, row[0].second);
        if (problem.empty()) problem = assign_text(route.via, row[1].second);
        if (!problem.empty())
            return "route " + std::to_string(to.size()) + ": " + problem +
                   "; write each as {to = \"10.8.0.0/16\", via = \"10.0.0.1\"}";
    }
    return {};
}

constexpr std::pair<std::string_view, Gate> gate_names[] = {
    {"peer", Gate::peer}, {"app", Gate::app}, {"standby", Gate::standby}, {"host", Gate::host}};

std::string assign(Gate& to, const KnobValue& v) {
    const auto& names = std::get<std::vector<std::string>>(v);
    to = Gate::none;
    for (const auto& name : names) {
        if (name == "none" && names.size() == 1) return {};
        const auto row = std::ranges::find(gate_names, name, &std::pair<std::string_view, Gate>::first);
        if (name == "none") return "holds \"none\" beside another gate; leave one of them out";
        if (row == std::end(gate_names))
            return quoted(name) +
                   " is no gate; use [\"peer\"], [\"app\"], [\"host\"], each also with \"standby\", "
                   "[\"standby\"], or [\"none\"]";
        if (has(to, row->second)) return quoted(name) + " is there twice; leave one of them out";
        to = to | row->second;
    }
    return names.empty() ? "is empty; use [\"none\"] if an acknowledgment waits for nothing" : "";
}

/// The value whose place in `names` is that of the word.
template <class Enum, std::size_t N>
std::string assign_word(Enum& to, const KnobValue& v, const std::string_view (&names)[N],
                        std::string_view what) {
    const auto& name = std::get<std::string>(v);
    std::string words;
    for (std::size_t i = 0; i < N; ++i) {
        if (name == names[i]) {
            to = static_cast<Enum>(i);
            return {};
        }
        words += (i == 0 ? "" : i + 1 < N ? ", " : " or ") + quoted(names[i]);
    }
    return quoted(name) + " is no " + std::string(what) + "; use " + words;
}

constexpr std::string_view idle_names[] = {"busy", "adaptive", "interrupt"};
std::string assign(IdlePolicy& to, const KnobValue& v) {
    return assign_word(to, v, idle_names, "idle policy");
}
constexpr std::string_view balance_names[] = {"round_robin", "least_sessions", "source_hash"};
std::string assign(Balance& to, const KnobValue& v) {
    return assign_word(to, v, balance_names, "way to choose a backend");
}

constexpr std::string_view mirror_payload_names[] = {"none", "tails", "all"};
std::string assign(MirrorPayload& to, const KnobValue& v) {
    return assign_word(to, v, mirror_payload_names, "choice of bytes");
}

constexpr std::string_view application_names[] = {"none", "echo", "journal"};
std::string assign(ApplicationKind& to, const KnobValue& v) {
    return assign_word(to, v, application_names, "application");
}

constexpr std::string_view journal_standby_names[] = {"memory", "durable"};
std::string assign(JournalStandby& to, const KnobValue& v) {
    return assign_word(to, v, journal_standby_names, "place at the standby");
}

// ---- from a value of ours to the file's notation ----

template <std::unsigned_integral T>
std::string print(T v) {
    return std::to_string(v);
}
std::string print(bool v) { return v ? "true" : "false"; }
std::string print(const std::string& v) { return quoted(v); }
template <class T>
requires(example<T> != nullptr) std::string print(const T& v) {
    return quoted(v == T{} ? "" : v.to_string());
}
std::string print(const Route& v) { return "{to = " + print(v.to) + ", via = " + print(v.via) + "}"; }
template <class T>
std::string print(const std::vector<T>& v) {
    std::string text = "[";
    for (const auto& item : v) text += (text.size() > 1 ? ", " : "") + print(item);
    return text + "]";
}
std::string print(Gate v) {
    std::vector<std::string> names;
    for (const auto& [name, gate] : gate_names)
        if (has(v, gate)) names.emplace_back(name);
    return names.empty() ? "[\"none\"]" : print(names);
}
std::string print(ApplicationKind v) { return quoted(application_names[static_cast<std::size_t>(v)]); }
std::string print(MirrorPayload v) { return quoted(mirror_payload_names[static_cast<std::size_t>(v)]); }
std::string print(JournalStandby v) { return quoted(journal_standby_names[static_cast<std::size_t>(v)]); }
std::string print(IdlePolicy v) { return quoted(idle_names[static_cast<std::size_t>(v)]); }
std::string print(Balance v) { return quoted(balance_names[static_cast<std::size_t>(v)]); }

// ---- access to a member of the Config by a path of member pointers ----

template <class T>
constexpr KnobKind kind_of = KnobKind::text;
template <std::unsigned_integral T>
constexpr KnobKind kind_of<T> = KnobKind::integer;
template <>
constexpr KnobKind kind_of<bool> = KnobKind::boolean;
template <>
constexpr KnobKind kind_of<Gate> = KnobKind::list;
template <class T>
constexpr KnobKind kind_of<std::vector<T>> = KnobKind::list;
template <>
constexpr KnobKind kind_of<std::vector<Route>> = KnobKind::rows;

template <auto... Path>
constexpr Knob::Access at() {
    using T = std::remove_reference_t<decltype((std::declval<Config&>().*....*Path))>;
    return {kind_of<T>, [](Config& c, const KnobValue& v) { return assign((c.*....*Path), v); },
            [](const Config& c) { return print((c.*....*Path)); }};
}

template <auto... Path>
constexpr Knob::Access in_service() {
    using T = std::remove_reference_t<decltype((std::declval<ServiceConfig&>().*....*Path))>;
    return {kind_of<T>,
            [](Config& c, const KnobValue& v) { return assign((c.services.back().*....*Path), v); },
            [](const Config& c) { return print((c.services.back().*....*Path)); }};
}

// Names that people read in tables and logs.
constexpr Knob::Access node_name() {
    auto access = at<&Config::node_name>();
    access.set = [](Config& c, const KnobValue& v) { return assign_name(c.node_name, v); };
    return access;
}
constexpr Knob::Access service_name() {
    auto access = in_service<&ServiceConfig::name>();
    access.set = [](Config& c, const KnobValue& v) { return assign_name(c.services.back().name, v); };
    return access;
}

/// A Duration written in units of `Unit` nanoseconds; the key carries the unit's suffix.
template <std::int64_t Unit, auto... Path>
constexpr Knob::Access duration() {
    return {KnobKind::integer,
            [](Config& c, const KnobValue& v) {
                (c.*....*Path) = nanoseconds(std::get<std::int64_t>(v) * Unit);
                return std::string();
            },
            [](const Config& c) { return std::to_string((c.*....*Path).ns / Unit); }};
}
template <auto... Path>
constexpr Knob::Access ms() {
    return duration<1'000'000, Path...>();
}
template <auto... Path>
constexpr Knob::Access us() {
    return duration<1'000, Path...>();
}

/// The same for a Duration of a service.
template <std::int64_t Unit, auto... Path>
constexpr Knob::Access service_duration() {
    return {KnobKind::integer,
            [](Config& c, const KnobValue& v) {
                (c.services.back().*....*Path) = nanoseconds(std::get<std::int64_t>(v) * Unit);
                return std::string();
            },
            [](const Config& c) { return std::to_string((c.services.back().*....*Path).ns / Unit); }};
}
template <auto... Path>
constexpr Knob::Access service_ms() {
    return service_duration<1'000'000, Path...>();
}
template <auto... Path>
constexpr Knob::Access service_s() {
    return service_duration<1'000'000'000, Path...>();
}

/// Accepts one word only: the other words of the design belong to later versions.
constexpr Knob::Access on_isolation() {
    return {KnobKind::text,
            [](Config&, const KnobValue& v) {
                const auto& word = std::get<std::string>(v);
                return word == "serve" ? std::string()
                                       : quoted(word) + " is not available in this version; use \"serve\"";
            },
            [](const Config&) { return quoted("serve"); }};
}

constexpr bool required = true, optional = false;
using C = Config;
using P = PortConfig;
using S = ServiceConfig;
using H = HealthConfig;

constexpr Knob rows[] = {
    {"node", "id", required, 0, 1, at<&C::node_id>(), "0 on one node of the pair, 1 on the other"},
    {"node", "name", optional, 0, 0, node_name(), "what people call this node; at most 63 bytes"},
    {"node", "state_dir", required, 0, 0, at<&C::state_dir>(),
     "directory on stable storage for the node's term"},

    {"port.client", "device", required, 0, 0, at<&C::client, &P::device>(),
     "ethdev name (net_af_xdp0) or PCI address (0000:01:00.0) of the port to the clients"},
    {"port.client", "address", required, 0, 0, at<&C::client, &P::address>(), "the node's own address there"},
    {"port.client", "gateway", optional, 0, 0, at<&C::client, &P::gateway>(),
     "next hop to addresses off that network"},
    {"port.client", "address6", optional, 0, 0, at<&C::client, &P::address6>(),
     "the node's own IPv6 address there, beside an IPv4 one"},
    {"port.client", "gateway6", optional, 0, 0, at<&C::client, &P::gateway6>(),
     "next hop to addresses off that network"},
    {"port.client", "routes", optional, 0, 0, at<&C::client, &P::routes>(),
     "ways to further networks, {to = network, via = neighbour on that port}; at most 64"},
    {"port.client", "virtual_mac", required, 0, 0, at<&C::client, &P::virtual_mac>(),
     "Ethernet address that moves with the active node; the same on both nodes"},
    {"port.client", "mtu", optional, 576, 9216, at<&C::client, &P::mtu>(), "IP packet size in bytes"},
    {"port.client", "vlan", optional, 0, 4094, at<&C::client, &P::vlan>(),
     "802.1Q tag of all frames there, which does not count as part of the MTU; 0 for none"},

    {"port.server", "device", required, 0, 0, at<&C::server, &P::device>(),
     "ethdev name or PCI address of the port to the backends"},
    {"port.server", "address", required, 0, 0, at<&C::server, &P::address>(), "the node's own address there"},
    {"port.server", "gateway", optional, 0, 0, at<&C::server, &P::gateway>(),
     "next hop to addresses off that network"},
    {"port.server", "address6", optional, 0, 0, at<&C::server, &P::address6>(),
     "the node's own IPv6 address there, beside an IPv4 one"},
    {"port.server", "gateway6", optional, 0, 0, at<&C::server, &P::gateway6>(),
     "next hop to addresses off that network"},
    {"port.server", "routes", optional, 0, 0, at<&C::server, &P::routes>(),
     "ways to further networks, {to = network, via = neighbour on that port}; at most 64"},
    {"port.server", "virtual_mac", required, 0, 0, at<&C::server, &P::virtual_mac>(),
     "Ethernet address that moves with the active node; the same on both nodes"},
    {"port.server", "mtu", optional, 576, 9216, at<&C::server, &P::mtu>(), "IP packet size in bytes"},
    {"port.server", "vlan", optional, 0, 4094, at<&C::server, &P::vlan>(),
     "802.1Q tag of all frames there, which does not count as part of the MTU; 0 for none"},
    {"port.server", "snat", required, 0, 0, at<&C::snat>(),
     "source addresses towards the backends, of each family that they have; the same on both nodes"},

    {"port.mirror", "device", required, 0, 0, at<&C::mirror, &P::device>(),
     "ethdev name or PCI address of the port to the other node"},
    {"port.mirror", "address", required, 0, 0, at<&C::mirror, &P::address>(), "the node's own address there"},
    {"port.mirror", "mtu", optional, 576, 9216, at<&C::mirror, &P::mtu>(), "IP packet size in bytes"},
    {"port.mirror", "vlan", optional, 0, 4094, at<&C::mirror, &P::vlan>(),
     "802.1Q tag of all frames there, which does not count as part of the MTU; 0 for none"},

    {"mirror", "peer", required, 0, 0, at<&C::mirror_link, &MirrorConfig::peer>(),
     "the other node's address on the mirror port"},
    {"mirror", "tcp_port", optional, 1, 65535, at<&C::mirror_link, &MirrorConfig::tcp_port>(),
     "TCP port of the mirror connection"},
    {"mirror", "store_wait_ms", optional, 1, 10'000, ms<&C::mirror_link, &MirrorConfig::store_wait>(),
     "how long a SYN-ACK waits for the standby before the session goes on unprotected"},
    {"mirror", "progress_every_ms", optional, 1, 10'000, ms<&C::mirror_link, &MirrorConfig::progress_every>(),
     "a session's progress is sent at most this often"},

    {"service", "name", required, 0, 0, service_name(), "what people call the service; at most 63 bytes"},
    {"service", "address", required, 0, 0, in_service<&ServiceConfig::address>(),
     "virtual address and port that clients connect to"},
    {"service", "backends", optional, 0, 0, in_service<&ServiceConfig::backends>(),
     "addresses and ports of the servers; at least one, but with gates \"app\" and \"host\", which have "
     "none"},
    {"service", "gate", optional, 0, 0, in_service<&ServiceConfig::gate>(),
     "what an acknowledgment waits for: \"peer\" (the far end's), \"app\" (the application's commit), "
     "\"host\" "
     "(another process's confirmation), \"standby\" beside one of these (and that the standby has it) or "
     "alone (with mirror_payload \"all\", whatever the far end says), or \"none\""},
    {"service", "application", optional, 0, 0, in_service<&S::application>(),
     "what serves the clients on this machine, with gate \"app\": \"echo\", or \"journal\", which keeps what "
     "they send on disk"},
    {"service", "application_library", optional, 0, 0, in_service<&S::application_library>(),
     "file of a shared library with an application, instead of one that is built in"},
    {"service", "host", optional, 0, 0, in_service<&S::host>(),
     "ethdev name (net_memif1) of the shared memory with the process that serves the clients, with gate "
     "\"host\"; each service has its own"},
    {"service", "host_timeout_ms", optional, 100, 60'000, service_ms<&S::host_timeout>(),
     "a process of gate \"host\" that says nothing for so long counts as dead, until it says hello again"},
    {"service", "mirror_payload", optional, 0, 0, in_service<&S::mirror_payload>(),
     "bytes on their way to the far end that the standby holds, too, and sends itself after a takeover: "
     "\"none\", \"tails\" (what stands in segments that are not full) or \"all\"; the same on both nodes"},
    {"service", "journal_dir", optional, 0, 0, in_service<&S::journal_dir>(),
     "directory of the journal, of this node and service alone; made if missing"},
    {"service", "journal_max_bytes", optional, 1 << 20, std::int64_t{1} << 50,
     in_service<&S::journal_bytes_max>(), "size of the journal on disk at which it takes no more"},
    {"service", "journal_standby", optional, 0, 0, in_service<&S::journal_standby>(),
     "with gate \"standby\": bytes are acknowledged when the standby has them in \"memory\", or has them "
     "\"durable\", too"},
    {"service", "degrade", optional, 0, 0, in_service<&S::degrade>(),
     "with gate \"standby\": while no standby is in sync, acknowledge and reply without, unprotected, "
     "instead "
     "of holding"},
    {"service", "balance", optional, 0, 0, in_service<&S::balance>(),
     "the backend of a new session: \"round_robin\", \"least_sessions\", or \"source_hash\" (a client's "
     "address "
     "always the same one, on both nodes, while it is up)"},
    {"service", "connect_timeout_ms", optional, 100, 30'000, service_ms<&S::connect_timeout>(),
     "a backend that does not answer for so long makes room for the next one, of at most four; once all are "
     "tried each is asked again for twice as long, until tcp.syn_retries are used up"},
    {"service", "health_interval_ms", optional, 0, 3'600'000, service_ms<&S::health, &H::interval>(),
     "how often the active node asks each backend for a connection, which it breaks off at once; 0 = never, "
     "and every backend counts as up"},
    {"service", "health_timeout_ms", optional, 10, 60'000, service_ms<&S::health, &H::timeout>(),
     "a backend that does not answer for so long has failed a check; at most health_interval_ms"},
    {"service", "health_rise", optional, 1, 100, in_service<&S::health, &H::rise>(),
     "checks in a row that a backend which is down must answer"},
    {"service", "health_fall", optional, 1, 100, in_service<&S::health, &H::fall>(),
     "failures in a row, of checks and of sessions, that take a backend down"},
    {"service", "sessions_max", optional, 0, 1 << 20, in_service<&S::sessions_max>(),
     "live sessions of the service; a SYN beyond is answered by RST; 0 = as many as limits.sessions"},
    {"service", "sessions_per_source_max", optional, 0, 1 << 20, in_service<&S::sessions_per_source_max>(),
     "live sessions of one IPv4 address or IPv6 /64 with the service; a SYN beyond is answered by RST; 0 = "
     "no "
     "limit"},
    {"service", "accept_rate", optional, 0, 1'000'000, in_service<&S::accept_rate>(),
     "new sessions in a second; a SYN beyond is dropped, and comes again; 0 = no limit"},
    {"service", "idle_timeout_s", optional, 0, 2'592'000, service_s<&S::idle_timeout>(),
     "a session without payload for so long is reset at both ends; 0 = never, only dead ends are found "
     "(tcp.idle_probe_ms)"},
    {"service", "handshake_timeout_ms", optional, 0, 180'000, service_ms<&S::handshake_timeout>(),
     "a client that does not answer the SYN-ACK for so long is given up; 0 = until tcp.syn_retries are used "
     "up"},
    {"service", "proxy_protocol", optional, 0, 2, in_service<&S::proxy_protocol>(),
     "version of the PROXY protocol header that tells backends who their client is; 0 = none; the same on "
     "both "
     "nodes"},

    {"guard", "key_file", required, 0, 0, at<&C::guard, &GuardConfig::key_file>(),
     "file with the pair's shared key: at least 32 bytes, readable by its owner only"},
    {"guard", "heartbeat_ms", optional, 1, 1'000, ms<&C::guard, &GuardConfig::heartbeat>(),
     "time between heartbeats"},
    {"guard", "lease_ms", optional, 5, 60'000, ms<&C::guard, &GuardConfig::lease>(),
     "the active falls silent this long after its last answered heartbeat left; at least five heartbeats"},
    {"guard", "lease_margin_ms", optional, 1, 10'000, ms<&C::guard, &GuardConfig::lease_margin>(),
     "the standby waits this much longer than the lease: clock drift and frames under way; at least a "
     "twentieth of it"},
    {"guard", "boot_wait_ms", optional, 0, 600'000, ms<&C::guard, &GuardConfig::boot_wait>(),
     "after start a node listens this long for its peer before it may become active; at least twice lease "
     "and "
     "margin together"},
    {"guard", "reference", optional, 0, 0, at<&C::guard, &GuardConfig::reference>(),
     "addresses on the service networks whose answers prove that this node is not isolated; at most 16"},
    {"guard", "on_isolation", optional, 0, 0, on_isolation(),
     "what a node does that hears no peer: \"serve\""},
    {"guard", "announce_every_ms", optional, 10, 10'000, ms<&C::guard, &GuardConfig::announce_every>(),
     "time between gratuitous ARPs after a takeover"},
    {"guard", "announce_for_ms", optional, 0, 600'000, ms<&C::guard, &GuardConfig::announce_for>(),
     "how long they are repeated"},
    {"guard", "realtime", optional, 0, 0, at<&C::guard, &GuardConfig::realtime>(),
     "run the node core under SCHED_FIFO where that is permitted and the idle policy is not \"busy\""},

    {"tcp", "rto_min_ms", optional, 1, 1'000, ms<&C::tcp, &TcpConfig::rto_min>(),
     "by how much the RTO is longer than the round trip at least"},
    {"tcp", "rto_max_ms", optional, 100, 600'000, ms<&C::tcp, &TcpConfig::rto_max>(),
     "upper bound of the RTO"},
    {"tcp", "rto_initial_ms", optional, 10, 10'000, ms<&C::tcp, &TcpConfig::rto_initial>(),
     "RTO before the first RTT sample"},
    {"tcp", "time_wait_ms", optional, 0, 240'000, ms<&C::tcp, &TcpConfig::time_wait>(),
     "2 MSL: how long a closed session's addresses and ports are not used again"},
    {"tcp", "window_probe_min_ms", optional, 10, 60'000, ms<&C::tcp, &TcpConfig::window_probe_min>(),
     "first interval of window probes"},
    {"tcp", "window_probe_max_ms", optional, 10, 120'000, ms<&C::tcp, &TcpConfig::window_probe_max>(),
     "longest interval of window probes"},
    {"tcp", "idle_probe_ms", optional, 1'000, 7'200'000, ms<&C::tcp, &TcpConfig::idle_probe>(),
     "an idle session is probed this often"},
    {"tcp", "syn_retries", optional, 1, 15, at<&C::tcp, &TcpConfig::syn_retries>(),
     "retransmissions of a SYN or SYN-ACK before the session is given up"},
    {"tcp", "data_retries", optional, 3, 30, at<&C::tcp, &TcpConfig::data_retries>(),
     "retransmissions of a data segment before the session is given up"},
    {"tcp", "hold_sack", optional, 0, 0, at<&C::tcp, &TcpConfig::hold_sack>(),
     "hold SACKs and duplicate ACKs back while acknowledgments are withheld"},
    {"tcp", "ttl", optional, 1, 255, at<&C::tcp, &TcpConfig::ttl>(),
     "time to live (IPv4) or hop limit (IPv6) of every segment"},
    {"tcp", "ecn", optional, 0, 0, at<&C::tcp, &TcpConfig::ecn>(),
     "offer the server explicit congestion notification when the client offers it, and accept it from the "
     "client when the server does (RFC 3168)"},
    {"tcp", "window_lead", optional, 0, 1 << 30, at<&C::tcp, &TcpConfig::window_lead>(),
     "bytes that a sender is offered beyond the far end's window, within limits.session_bytes: for long "
     "paths to near backends; while the far end stalls, a sender with so many bytes out may give up, and "
     "what "
     "lies beyond that window is reported by SACK before the far end has it"},

    {"limits", "sessions", optional, 16, 1 << 20, at<&C::limits, &LimitsConfig::sessions>(),
     "sessions per lane"},
    {"limits", "session_bytes", optional, 1 << 16, 1 << 30, at<&C::limits, &LimitsConfig::session_bytes>(),
     "bytes that one direction of a session may hold"},
    {"limits", "reply_bytes", optional, 1 << 12, 1 << 24, at<&C::limits, &LimitsConfig::reply_bytes>(),
     "bytes of an application's replies that a session may hold until its client has acknowledged them"},
    {"limits", "replies", optional, 1 << 16, 1 << 30, at<&C::limits, &LimitsConfig::replies>(),
     "bytes of replies that all sessions of a lane may hold together"},
    {"limits", "payload_bytes", optional, 1 << 12, 1 << 24, at<&C::limits, &LimitsConfig::payload_bytes>(),
     "bytes of one direction of a session that a standby may hold until their receiver has acknowledged "
     "them; the same on both nodes"},
    {"limits", "payloads", optional, 1 << 16, 1 << 30, at<&C::limits, &LimitsConfig::payloads>(),
     "bytes that a standby may hold of all sessions of a lane together; the same on both nodes"},
    {"limits", "mbufs", optional, 8192, 1 << 22, at<&C::limits, &LimitsConfig::mbufs>(),
     "packet buffers of each port"},
    {"limits", "ring", optional, 64, 1 << 20, at<&C::limits, &LimitsConfig::ring>(),
     "entries of each ring between cores; a power of two"},
    {"limits", "half_open", optional, 0, 1 << 20, at<&C::limits, &LimitsConfig::half_open>(),
     "from so many half-open sessions of a lane on SYNs are answered by SYN cookies; 0 = always"},

    {"idle", "policy", optional, 0, 0, at<&C::idle>(),
     "\"busy\" polls always, \"adaptive\" sleeps when idle, \"interrupt\" too and frames wake it: RX "
     "interrupts, or the "
     "sockets of af_packet and af_xdp"},
    {"idle", "sleep_max_us", optional, 1, 100'000, us<&C::idle_sleep_max>(), "longest sleep of an idle core"},
};

}  // namespace

std::span<const Knob> knobs() { return rows; }

Config config_defaults() {
    Config config;
    config.services.emplace_back();
    return config;
}

}  // namespace holdfast
