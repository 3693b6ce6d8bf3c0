#include "cores/protocol/node.hpp"

#include <algorithm>

#include "cores/protocol/app_core.hpp"
#include "cores/protocol/node_core.hpp"
#include "cores/protocol/protocol_core.hpp"

namespace holdfast::protocol {
namespace {

net::InterfaceSettings interface_settings(const PortConfig& config, const PortProfile& port,
                                          const std::string& name) {
    net::InterfaceSettings s;
    s.own_mac = port.mac;
    const auto v4 = IpAddress::from_v4(0), v6 = IpAddress{};
    if (const auto* own = config.own(v4)) s.own_address = *own;
    if (const auto* own = config.own(v6)) s.own_address6 = *own;
    s.gateway = config.gateway_of(v4);
    s.gateway6 = config.gateway_of(v6);
    s.routes = config.routes;
    s.name = name;
    s.virtual_mac = config.virtual_mac;
    s.vlan = config.vlan;
    s.mtu = std::min(config.mtu, port.mtu);
    s.tx_ip_checksum = port.tx_ip_checksum;
    s.tx_tcp_checksum = port.tx_tcp_checksum;
    s.multi_segs = port.multi_segs;
    s.queue = port.queue;
    return s;
}

net::InterfaceSettings client_settings(const NodeResources& r) {
    auto s = interface_settings(r.config.client, r.client_port, r.name_prefix + "_c");
    for (const auto& service : r.config.services)
        if (std::find(s.virtual_addresses.begin(), s.virtual_addresses.end(), service.address.address) ==
            s.virtual_addresses.end())
            s.virtual_addresses.push_back(service.address.address);
    return s;
}

net::InterfaceSettings server_settings(const NodeResources& r) {
    auto s = interface_settings(r.config.server, r.server_port, r.name_prefix + "_s");
    s.virtual_addresses = r.config.snat;
    return s;
}

std::string_view view_name(proxy::View v) {
    static constexpr std::string_view names[] = {"none",       "handshake", "terminated",
                                                 "translated", "closing",   "installed"};
    return names[static_cast<std::size_t>(v)];
}

template <class Id, std::size_t N>
void visit_counters(const std::function<void(const CounterView&)>& visit, std::string_view module,
                    const Counters<Id>& counters, const CounterRow (&rows)[N]) {
    static_assert(N == Counters<Id>::size);
    for (std::size_t i = 0; i < N; ++i) visit({module, rows[i].name, rows[i].help, counters.get(i)});
}

}  // namespace

struct Node::Parts {
    explicit Parts(NodeResources resources)
        : r(std::move(resources)),
          secrets(r.config.key),
          lane(r.name_prefix, r.config, r.socket),
          client_control(r.name_prefix + "c", r.socket),
          server_control(r.name_prefix + "s", r.socket),
          events(r.name_prefix + "_ev", 1024, r.socket),
          client(Side::client, r.config, client_settings(r), r.client_pool, lane, client_control, secrets,
                 r.name_prefix + "_c", r.socket, r.seed, r.started_at),
          server(Side::server, r.config, server_settings(r), r.server_pool, lane, server_control, secrets,
                 r.name_prefix + "_s", r.socket, mix64(r.seed), r.started_at),
          node(r.config, interface_settings(r.config.mirror, r.mirror_port, r.name_prefix + "_m"),
               r.mirror_pool, lane, client_control, server_control, events, secrets, r.boot_nonce,
               r.stored_term, links, client.proxy_counters(), r.started_at) {
        if (lane.application)
            application.emplace(r.config, r.client_pool, lane, factory(), r.host_link, r.started_at);
    }

    app::ApplicationFactory factory() const {
        return r.make_application ? r.make_application : app::make_application;
    }

    NodeResources r;
    tcp::Secrets secrets;
    proxy::Lane lane;
    ControlRings client_control, server_control;
    Ring<Event> events;
    LinkCells links;
    ProtocolCore client, server;
    NodeCore node;
    std::optional<AppCore> application;
};

Node::Node(NodeResources resources) : parts_(std::make_unique<Parts>(std::move(resources))) {}
Node::~Node() = default;

Core& Node::client_core() { return parts_->client; }
Core& Node::server_core() { return parts_->server; }
Core& Node::node_core() { return parts_->node; }
Core* Node::application_core() { return parts_->application ? &*parts_->application : nullptr; }

std::optional<std::uint64_t> Node::term_to_persist() const { return parts_->node.term_to_persist(); }
void Node::term_persisted(std::uint64_t term) { parts_->node.term_persisted(term); }

void Node::set_link(Side side, bool up) {
    parts_->links.up[index(side)].store(up, std::memory_order_relaxed);
}
void Node::resign() { parts_->node.resign(); }
bool Node::resigning() const { return parts_->node.resigning(); }

void Node::set_mirror_link(bool up) { parts_->links.up[2].store(up, std::memory_order_relaxed); }

std::uint32_t Node::session_slots() const { return parts_->lane.slots; }
bool Node::next_event(Event& out) { return parts_->events.pop(out); }

std::uint16_t Node::application_called() const noexcept {
    const auto& application = parts_->lane.application;
    return application ? application->calling.load(std::memory_order_relaxed) : std::uint16_t{0};
}

NodeStatus Node::status() const {
    const auto& s = parts_->node.status();
    NodeStatus out;
    out.role = guard::name_of(s.role.load());
    out.state = guard::name_of(s.state.load());
    out.term = s.term.load();
    out.mirror_state = to_string(s.mirror.load());
    const auto refusal = s.refusal.load();
    const bool in_sync = s.mirror.load() == MirrorState::in_sync;
    if (!in_sync)
        out.mirror_reason =
            refusal != mirror::Refusal::none ? mirror::to_string(refusal) : "no standby is in sync";
    out.detection_time = {s.detection_bound_ns.load()};
    out.last_detect = {s.last_detect_ns.load()};
    out.last_takeover = {s.last_takeover_ns.load()};
    out.lease_left = {s.lease_left_ns.load()};
    out.paths_heard = s.paths_heard.load();
    const auto& m = parts_->node.mirror_counters();
    out.mirror_records_sent = m.get(mirror::Counter::records_sent);
    out.mirror_bytes_sent = m.get(mirror::Counter::bytes_sent);
    out.mirror_records_received = m.get(mirror::Counter::records_received);
    for (std::uint32_t slot = 0; slot < parts_->lane.slots; ++slot) {
        const auto view = parts_->lane.views[slot].load(std::memory_order_relaxed);
        if (view == proxy::View::none) continue;
        ++out.sessions;
        out.sessions_terminated += view == proxy::View::terminated ? 1 : 0;
        out.sessions_translated += view == proxy::View::translated ? 1 : 0;
        const auto& cell = parts_->lane.cells[index(Side::client)][slot];
        out.sessions_protected += parts_->lane.protects(cell) ? 1 : 0;
    }
    return out;
}

std::optional<SessionRow> Node::session(std::uint32_t slot) const {
    const auto& lane = parts_->lane;
    const auto& c = lane.cells[index(Side::client)][slot];
    const auto& s = lane.cells[index(Side::server)][slot];
    const auto view = lane.views[slot].load(std::memory_order_acquire);
    if (view == proxy::View::none || view == proxy::View::handshake) return std::nullopt;
    const auto& r = lane.records[slot];
    SessionRow row;
    row.id = r.id;
    row.client = r.leg[0].remote;
    row.virtual_address = r.leg[0].local;
    row.snat = r.leg[1].local;
    row.backend = r.leg[1].remote;
    row.mode = view_name(view);
    row.protection = view == proxy::View::installed                 ? "stored here"
                     : lane.protects(c)                             ? "protected"
                     : !proxy::survives(static_cast<Gate>(r.gates)) ? "its gates protect nothing"
                                                                    : "no standby holds it";
    if (r.service < parts_->r.config.services.size()) row.service = parts_->r.config.services[r.service].name;
    const auto bytes = [](const proxy::LegCell& leg) {
        const auto a = leg.acknowledged.load(std::memory_order_relaxed);
        return a > 0 ? a - 1 : 0;
    };
    const auto withheld = [](const proxy::LegCell& leg) {
        const auto received = leg.received.load(std::memory_order_relaxed),
                   told = leg.announced.load(std::memory_order_relaxed);
        return received > told ? received - told : 0;
    };
    row.bytes_up = bytes(s);
    row.bytes_down = bytes(c);
    if (view == proxy::View::terminated) {
        row.withheld_up = withheld(c);
        row.withheld_down = withheld(s);
    }
    return row;
}

std::uint32_t Node::backend_count() const { return static_cast<std::uint32_t>(parts_->lane.backends.size()); }

BackendRow Node::backend(std::uint32_t place) const {
    const auto& lane = parts_->lane;
    const auto& first = lane.first_backend;
    const auto service =
        static_cast<std::size_t>(std::upper_bound(first.begin(), first.end(), place) - first.begin() - 1);
    const auto& config = parts_->r.config.services[service];
    const auto& cell = lane.backends[place];
    BackendRow row;
    row.service_number = static_cast<std::uint16_t>(service);
    row.backend_number = static_cast<std::uint16_t>(place - first[service]);
    row.service = config.name;
    row.address = config.backends[row.backend_number];
    row.sessions = cell.sessions.load(std::memory_order_relaxed);
    const bool up = cell.up.load(std::memory_order_acquire);
    row.state = cell.drained.load(std::memory_order_relaxed) ? "drained" : up ? "up" : "down";
    row.reason = proxy::words_of(cell.reason.load(std::memory_order_relaxed));
    if (lane.node.role.load(std::memory_order_relaxed) != proxy::Role::active)
        row.reason = "the active node checks it";
    else if (config.health.interval == Duration{}) row.reason = "nobody checks it";
    return row;
}

bool Node::drain(std::string_view service, const Endpoint& backend, bool on) {
    const auto& services = parts_->r.config.services;
    const auto s = std::ranges::find(services, service, &ServiceConfig::name);
    if (s == services.end()) return false;
    bool found = false;
    // A backend may be listed twice, to get twice as much.
    for (std::size_t b = 0; b < s->backends.size(); ++b) {
        if (s->backends[b] != backend) continue;
        found = true;
        const auto first = parts_->lane.first_backend[static_cast<std::size_t>(s - services.begin())];
        parts_->lane.backends[first + b].drained.store(on, std::memory_order_relaxed);
    }
    return found;
}

void Node::for_each_counter(const CounterVisitor& visit) const {
    const auto side = [&](const ProtocolCore& core, const std::array<std::string_view, 4>& modules) {
        visit_counters(visit, modules[0], core.frame_counters(), wire::frame_rows);
        visit_counters(visit, modules[1], core.net_counters(), net::counter_rows);
        visit_counters(visit, modules[2], core.tcp_counters(), tcp::counter_rows);
        visit_counters(visit, modules[3], core.proxy_counters(), proxy::counter_rows);
    };
    side(parts_->client, {"client.frame", "client.net", "client.tcp", "client.proxy"});
    side(parts_->server, {"server.frame", "server.net", "server.tcp", "server.proxy"});
    const auto& n = parts_->node;
    visit_counters(visit, "mirror.frame", n.frame_counters(), wire::frame_rows);
    visit_counters(visit, "mirror.net", n.net_counters(), net::counter_rows);
    visit_counters(visit, "mirror.tcp", n.tcp_counters(), tcp::counter_rows);
    visit_counters(visit, "mirror", n.mirror_counters(), mirror::counter_rows);
    visit_counters(visit, "guard", n.guard_counters(), guard::counter_rows);
    if (parts_->r.application_counters) parts_->r.application_counters(visit);
    if (!parts_->application) return;
    visit_counters(visit, "app", parts_->application->counters(), app::counter_rows);
    visit_counters(visit, "host", parts_->application->host_counters(), app::host_counter_rows);
}

}  // namespace holdfast::protocol
