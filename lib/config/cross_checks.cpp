#include "lib/config/cross_checks.hpp"

#include <algorithm>
#include <string>

#include "lib/config/address_checks.hpp"
#include "lib/config/gate_checks.hpp"

namespace holdfast {
namespace {

/// Why `port` does not reach `address`, and the mend; `section` names the port where a gateway would be one.
std::string off_network(const IpAddress& address, const PortConfig& port, const std::string& port_section,
                        const std::string& section) {
    const Prefix* own = port.own(address);
    if (own == nullptr && address.is_v4() && !port.address.address.is_unspecified())
        return address.to_string() + " is an IPv4 address, and " + port_section +
               " has none; write the IPv6 one under " + port_section + ".address6 and an IPv4 one under " +
               port_section + ".address";
    if (own == nullptr)
        return address.to_string() + " is an " + (address.is_v4() ? "IPv4" : "IPv6") + " address, and " +
               port_section + " has none; set " + port_section + (address.is_v4() ? ".address" : ".address6");
    return address.to_string() + " is not on the network " + own->to_string() + "; choose an address there" +
           (section.empty() ? "" : " or set " + section + (address.is_v4() ? ".gateway" : ".gateway6"));
}

void check_virtual_mac(const MacAddress& mac, const std::string& name, Problems& problems) {
    if (mac.is_zero()) problems.add(name, "is zero; choose one such as \"02:48:46:00:01:00\"");
    else if (mac.is_multicast())
        problems.add(name,
                     mac.to_string() + " is a multicast address; clear the lowest bit of its first byte");
    else if ((mac.bytes[0] & 2) == 0)
        problems.add(name,
                     mac.to_string() +
                         " is not locally administered and may belong to a card; set bit 1 of its first "
                         "byte, as in \"02:48:46:00:01:00\"");
}

void check_gateway(const Prefix& network, const IpAddress& gateway, const std::string& name,
                   Problems& problems) {
    if (gateway.is_unspecified()) return;
    if (network.address.is_unspecified())
        problems.add(name, "stands there without the network that it is on; set the address too");
    else if (!network.contains(gateway) && (network.address.is_v4() || !gateway.is_link_local_v6()))
        problems.add(name, gateway.to_string() + " is not on the network " + network.to_string() +
                               "; choose an address there");
}

/// The network of a route, with no bit behind its length.
Prefix network_of(Prefix p) {
    const unsigned begin = p.address.is_v4() ? 96u + p.length : p.length;
    for (unsigned bit = begin; bit < 128; ++bit)
        p.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
    return p;
}

/// What is wrong with one route of a port, and the mend; or nothing.
std::string route_problem(const PortConfig& port, const Route& route) {
    const auto network = network_of(route.to);
    if (route.to.length == 0)
        return std::string("leads everywhere; write its neighbour under ") +
               (route.to.address.is_v4() ? "gateway" : "gateway6");
    if (network != route.to) return "has bits behind its prefix length; write " + network.to_string();
    if (network.address.is_multicast()) return "is multicast; leave it out";
    if (route.via.is_v4() != route.to.address.is_v4())
        return "has a next hop of another family, " + route.via.to_string() + "; choose one of its own";
    if (port.own(route.via) == nullptr)
        return "is of a family that the port has no address of; give it one or leave the route out";
    if (!port.is_on_link(route.via) && !route.via.is_link_local_v6())
        return "has its next hop " + route.via.to_string() + " off the network " +
               port.own(route.via)->to_string() + "; choose a neighbour there";
    return {};
}

void check_routes(const PortConfig& port, const std::string& name, Problems& problems) {
    const auto& routes = port.routes;
    if (routes.size() > PortConfig::routes_max)
        problems.add(name, "there are " + std::to_string(routes.size()) + "; choose at most " +
                               std::to_string(PortConfig::routes_max));
    for (auto route = routes.begin(); route != routes.end(); ++route) {
        const auto problem = route_problem(port, *route);
        if (!problem.empty()) problems.add(name, route->to.to_string() + " " + problem);
        if (std::any_of(routes.begin(), route, [&](const Route& r) { return r.to == route->to; }))
            problems.add(name, route->to.to_string() + " is there twice; leave one of them out");
    }
}

void check_port(const PortConfig& port, const std::string& section, Problems& problems) {
    check_gateway(port.address, port.gateway, section + ".gateway", problems);
    check_gateway(port.address6, port.gateway6, section + ".gateway6", problems);
    check_routes(port, section + ".routes", problems);
    constexpr std::uint16_t ipv6_mtu_min = 1280;  // RFC 8200 section 5
    if (port.own(IpAddress{}) != nullptr && port.mtu < ipv6_mtu_min)
        problems.add(section + ".mtu", std::to_string(port.mtu) +
                                           " bytes are too few for IPv6; choose at least " +
                                           std::to_string(ipv6_mtu_min) + " or leave out the IPv6 address");
    if (port.address6.address.is_unspecified()) return;
    if (port.address6.address.is_v4())
        problems.add(
            section + ".address6",
            port.address6.to_string() + " is an IPv4 address; write it under " + section + ".address");
    else if (!port.address.address.is_v4())
        problems.add(section + ".address6",
                     "there is an IPv6 address in " + section + ".address already; leave one of them out");
}

void check_ports(const Config& c, Problems& problems) {
    check_port(c.client, "port.client", problems);
    check_port(c.server, "port.server", problems);
    check_port(c.mirror, "port.mirror", problems);
    check_virtual_mac(c.client.virtual_mac, "port.client.virtual_mac", problems);
    check_virtual_mac(c.server.virtual_mac, "port.server.virtual_mac", problems);
    if (c.client.virtual_mac == c.server.virtual_mac)
        problems.add("port.server.virtual_mac", "is the client port's too; give each port its own");
    if (c.server.device == c.client.device)
        problems.add("port.server.device",
                     c.server.device + " is the client port too; each port needs its own device");
    if (c.mirror.device == c.client.device || c.mirror.device == c.server.device)
        problems.add("port.mirror.device",
                     c.mirror.device + " is a service port too; each port needs its own device");
}

void check_snat(const Config& c, Problems& problems) {
    if (c.snat.empty())
        problems.add("port.server.snat", "is empty; give at least one address on the server network");
    for (const auto& address : c.snat)
        if (!c.server.is_on_link(address))
            problems.add("port.server.snat", off_network(address, c.server, "port.server", ""));
}

/// Each process has shared memory of its own.
void check_host_device(const Config& c, std::size_t i, const std::string& section, Problems& problems) {
    const auto& device = c.services[i].host;
    if (device.empty()) return;
    for (const auto* port : {&c.client, &c.server, &c.mirror})
        if (port->device == device)
            problems.add(
                section + ".host",
                "\"" + device + "\"" + " is a port of the node; give the process a device of its own");
    for (std::size_t j = 0; j < i; ++j)
        if (c.services[j].host == device)
            problems.add(section + ".host", "\"" + device + "\"" + " leads to the process of service[" +
                                                std::to_string(j) + "]; give each its own");
}

void check_service_name(const Config& c, std::size_t i, const std::string& section, Problems& problems) {
    const std::string& name = c.services[i].name;
    const auto first = std::ranges::find(c.services, name, &ServiceConfig::name) - c.services.begin();
    if (static_cast<std::size_t>(first) < i)
        problems.add(section + ".name", "\"" + name + "\" is service[" + std::to_string(first) +
                                            "] too; give each service its own name");
}

void check_service(const Config& c, std::size_t i, Problems& problems) {
    const ServiceConfig& s = c.services[i];
    const std::string section = "service[" + std::to_string(i) + "]";
    if (!c.client.reaches(s.address.address))
        problems.add(section + ".address",
                     off_network(s.address.address, c.client, "port.client", "port.client"));
    check_service_name(c, i, section, problems);
    if (s.health.interval > Duration{} && s.health.timeout > s.health.interval)
        problems.add(section + ".health_timeout_ms", "is longer than health_interval_ms; choose at most " +
                                                         std::to_string(s.health.interval.to_ms()));
    if (s.backends.size() > ServiceConfig::backends_max)
        problems.add(section + ".backends", "there are " + std::to_string(s.backends.size()) +
                                                "; choose at most " +
                                                std::to_string(ServiceConfig::backends_max));
    if (s.backends.empty() && !has(s.gate, served_here))
        problems.add(section + ".backends", "is empty; give at least one backend");
    check_gates(s, section, problems);
    check_host_device(c, i, section, problems);
    for (const auto& b : s.backends) {
        if (!c.server.reaches(b.address))
            problems.add(section + ".backends",
                         off_network(b.address, c.server, "port.server", "port.server"));
        else if (!c.snat.empty() && std::ranges::none_of(c.snat, [&](const IpAddress& a) {
                     return a.is_v4() == b.address.is_v4();
                 }))
            problems.add(section + ".backends",
                         b.to_string() + " is an " + (b.address.is_v4() ? "IPv4" : "IPv6") +
                             " address, and no source address is; add one to port.server.snat");
    }
}

/// What must hold between the guard's times, or two nodes might speak at once; guard::settings_error() says
/// the same of what is made from them.
void check_lease(const GuardConfig& g, Problems& problems) {
    const auto ms = [](Duration d) { return std::to_string(d.to_ms()) + " ms"; };
    if (g.lease < g.heartbeat * 5)
        problems.add("guard.lease_ms", "a lease of " + ms(g.lease) + " is shorter than five heartbeats of " +
                                           ms(g.heartbeat) + ", so one lost round would look like death; " +
                                           "choose at least " + std::to_string((g.heartbeat * 5).to_ms()));
    if (g.lease_margin * 20 < g.lease)
        problems.add("guard.lease_margin_ms",
                     "a margin of " + ms(g.lease_margin) + " is less than a twentieth of the lease of " +
                         ms(g.lease) + ", too little for drift and frames under way; choose at least " +
                         std::to_string((g.lease.to_ms() + 19) / 20));
    const Duration earliest = (g.lease + g.lease_margin) * 2;
    if (g.boot_wait < earliest)
        problems.add("guard.boot_wait_ms",
                     "after " + ms(g.boot_wait) + " a lease from before the start may still run; choose at " +
                         "least twice lease and margin, " + std::to_string(earliest.to_ms()));
}

void check_announcements(const GuardConfig& g, Problems& problems) {
    if (g.announce_for > Duration{} && g.announce_for < g.announce_every)
        problems.add("guard.announce_for_ms",
                     std::to_string(g.announce_for.to_ms()) + " ms end before the first repetition after " +
                         std::to_string(g.announce_every.to_ms()) + " ms; choose at least " +
                         std::to_string(g.announce_every.to_ms()) + ", or 0 for none");
}

void check_references(const Config& c, Problems& problems) {
    const auto& reference = c.guard.reference;
    if (reference.size() > GuardConfig::references_max)
        problems.add("guard.reference", "there are " + std::to_string(reference.size()) +
                                            "; choose at most " +
                                            std::to_string(GuardConfig::references_max));
    for (const auto& address : reference) {
        // It is asked for by ARP or neighbour discovery, which nobody off the link answers.
        const bool asked_somewhere = c.client.is_on_link(address) || c.server.is_on_link(address);
        if (!asked_somewhere && !address.is_link_local_v6())
            problems.add("guard.reference", address.to_string() +
                                                " is on neither service network; choose a gateway's or a "
                                                "backend's address on one of them");
    }
}

void check_mirror(const Config& c, Problems& problems) {
    const IpAddress& peer = c.mirror_link.peer;
    if (peer.is_v4() != c.mirror.address.address.is_v4())
        problems.add("mirror.peer", peer.to_string() + " is of another family than port.mirror.address, " +
                                        c.mirror.address.to_string() + "; choose an address there");
    else if (!c.mirror.address.contains(peer))
        problems.add("mirror.peer", off_network(peer, c.mirror, "port.mirror", ""));
}

void check_tcp(const TcpConfig& t, Problems& problems) {
    if (t.rto_initial < t.rto_min || t.rto_max < t.rto_initial)
        problems.add("tcp.rto_initial_ms", "must lie between rto_min_ms and rto_max_ms; choose one from " +
                                               std::to_string(t.rto_min.to_ms()) + " to " +
                                               std::to_string(t.rto_max.to_ms()));
    if (t.window_probe_max < t.window_probe_min)
        problems.add("tcp.window_probe_max_ms", "is less than window_probe_min_ms; choose at least " +
                                                    std::to_string(t.window_probe_min.to_ms()));
}

/// What gate standby alone holds back until it has room must find room some time.
void check_entrusted_room(const Config& c, Problems& problems) {
    constexpr std::uint32_t segment_room = 16 * 1024;
    const bool entrusts = std::any_of(c.services.begin(), c.services.end(),
                                      [](const ServiceConfig& s) { return is_entrusted(s.gate); });
    if (entrusts && c.limits.payload_bytes < segment_room)
        problems.add(
            "limits.payload_bytes",
            "may be less than one segment, which gate \"standby\" alone would hold for ever; choose at "
            "least " +
                std::to_string(segment_room));
}

void check_limits(const LimitsConfig& l, Problems& problems) {
    if ((l.ring & (l.ring - 1)) != 0)
        problems.add("limits.ring",
                     std::to_string(l.ring) + " is no power of two; choose 1024, 2048, 4096, ...");
    if (l.replies < l.reply_bytes)
        problems.add("limits.replies", "is less than what one session may hold; choose at least " +
                                           std::to_string(l.reply_bytes) + " or lower limits.reply_bytes");
    // Half of it is for each direction, and a session takes whole blocks.
    if (l.payloads / 4 < l.payload_bytes)
        problems.add("limits.payloads", "is less than four times limits.payload_bytes; choose at least " +
                                            std::to_string(std::uint64_t{l.payload_bytes} * 4) +
                                            " or lower limits.payload_bytes");
    // One stalled transfer of full-sized segments must leave half of the port's buffers to the others.
    constexpr std::uint64_t segment_bytes = 1448;
    const std::uint64_t most = std::uint64_t{l.mbufs} * segment_bytes / 2;
    if (l.session_bytes > most)
        problems.add("limits.session_bytes", "one session could hold more than half of " +
                                                 std::to_string(l.mbufs) + " mbufs; choose at most " +
                                                 std::to_string(most) + " or raise limits.mbufs");
}

}  // namespace

void cross_check(const Config& config, Problems& problems) {
    check_ports(config, problems);
    check_snat(config, problems);
    if (config.services.size() > Config::services_max)
        problems.add("service[" + std::to_string(Config::services_max) + "]",
                     "is one too many of " + std::to_string(config.services.size()) + "; choose at most " +
                         std::to_string(Config::services_max) + " services");
    for (std::size_t i = 0; i < config.services.size(); ++i) check_service(config, i, problems);
    check_journal_directories(config.services, problems);
    check_mirror(config, problems);
    check_addresses(config, problems);
    check_lease(config.guard, problems);
    check_announcements(config.guard, problems);
    check_references(config, problems);
    check_tcp(config.tcp, problems);
    check_limits(config.limits, problems);
    check_entrusted_room(config, problems);
}

}  // namespace holdfast
