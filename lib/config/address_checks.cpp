#include "lib/config/address_checks.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace holdfast {
namespace {

/// What an address is there for.
enum class Use : std::uint8_t { own, peer, gateway, snat, service, backend, reference };

/// One row: an address, the key it stands under, and its use.
struct Row {
    IpAddress address;
    std::string key;
    Use use;
    std::uint16_t port = 0;  ///< of services
};

/// A later row is blamed for standing beside an earlier one, so a person changes what is easier to change.
std::vector<Row> address_rows(const Config& c) {
    std::vector<Row> rows{{c.client.address.address, "port.client.address", Use::own},
                          {c.server.address.address, "port.server.address", Use::own},
                          {c.mirror.address.address, "port.mirror.address", Use::own},
                          {c.mirror_link.peer, "mirror.peer", Use::peer}};
    if (!c.client.gateway.is_unspecified())
        rows.push_back({c.client.gateway, "port.client.gateway", Use::gateway});
    if (!c.server.gateway.is_unspecified())
        rows.push_back({c.server.gateway, "port.server.gateway", Use::gateway});
    const std::array<std::pair<const PortConfig&, std::string>, 2> service_ports{
        {{c.client, "port.client"}, {c.server, "port.server"}}};
    for (const auto& [port, section] : service_ports) {
        if (!port.address6.address.is_unspecified())
            rows.push_back({port.address6.address, section + ".address6", Use::own});
        if (!port.gateway6.is_unspecified())
            rows.push_back({port.gateway6, section + ".gateway6", Use::gateway});
        for (const auto& route : port.routes) rows.push_back({route.via, section + ".routes", Use::gateway});
    }
    for (const auto& address : c.snat) rows.push_back({address, "port.server.snat", Use::snat});
    for (std::size_t i = 0; i < c.services.size(); ++i) {
        const ServiceConfig& s = c.services[i];
        const std::string section = "service[" + std::to_string(i) + "]";
        rows.push_back({s.address.address, section + ".address", Use::service, s.address.port});
        for (const auto& b : s.backends) rows.push_back({b.address, section + ".backends", Use::backend});
    }
    for (const auto& address : c.guard.reference)
        rows.push_back({address, "guard.reference", Use::reference});
    return rows;
}

/// Addresses of other machines, which may play several of these parts.
bool is_neighbour(Use use) { return use == Use::gateway || use == Use::backend || use == Use::reference; }

bool may_share(const Row& a, const Row& b) {
    if (a.use == Use::own && b.use == Use::own) return true;  // their networks overlap, which is refused
    if (a.use == Use::service && b.use == Use::service) return a.port != b.port;
    return is_neighbour(a.use) && is_neighbour(b.use);
}

/// What the earlier row's address is, and what to do about the later row's.
std::string mend(const Row& earlier, const Row& later) {
    if (earlier.use == Use::service && later.use == Use::service)
        return "with the same port; choose another address or port";
    switch (earlier.use) {
        case Use::own: return "the node's own address, which does not move at a takeover; choose another";
        case Use::peer:
            return "the other node's own address, which does not move at a takeover; choose another";
        case Use::gateway: return "the next hop of everything else; choose another";
        case Use::snat: return "a source address towards the backends; choose another";
        case Use::service: return "an address that clients connect to; choose another";
        case Use::backend:
        case Use::reference: return "another machine's; choose another";
    }
    return {};
}

void check_pairs(const std::vector<Row>& rows, Problems& problems) {
    for (std::size_t j = 1; j < rows.size(); ++j) {
        const Row& row = rows[j];
        const auto earlier =
            std::find_if(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(j),
                         [&](const Row& r) { return r.address == row.address && !may_share(r, row); });
        if (earlier == rows.begin() + static_cast<std::ptrdiff_t>(j)) continue;
        problems.add(row.key, row.address.to_string() + " is " +
                                  (earlier->key == row.key ? "there twice" : earlier->key + " too") + ", " +
                                  mend(*earlier, row));
    }
}

/// Why no host can have this address anywhere, or nothing.
//= rfc9293#3.9.1.1
//  Nobody is connected to a group or to all.
std::string never_a_host(const IpAddress& a) {
    if (a.is_any()) return "means no address";
    if (a.is_multicast()) return "is a multicast address";
    if (!a.is_v4()) {
        if (a.half(0) == 0 && ntohl(static_cast<std::uint32_t>(a.half(1))) == 0)
            return "is a loopback or reserved address";
        return a.is_link_local_v6() ? "is a link-local address, which each link has anew" : "";
    }
    const std::uint32_t v4 = ntohl(a.v4());
    if (v4 >> 24 == 0) return "means no address";
    if (v4 >> 24 == 127) return "is a loopback address";
    if (v4 >> 28 == 15) return "is reserved or the broadcast address";
    return {};
}

/// Why no host of `network` can have this address, or nothing. Prefixes of 31 and 32 bits have only hosts; so
/// have those of IPv6, but for the first address of one, which is any router's (RFC 4291 section 2.6.1).
std::string not_a_host_of(const Prefix& network, const IpAddress& address) {
    if (network.length == 0 || !network.contains(address)) return {};
    if (!address.is_v4()) {
        if (network.length > 126) return {};
        for (unsigned bit = network.length; bit < 128; ++bit)
            if ((address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return {};
        return "is every router's address on the network " + network.to_string();
    }
    if (network.length > 30) return {};
    const std::uint32_t hosts = ~std::uint32_t{0} >> network.length;
    const std::uint32_t host = ntohl(address.v4()) & hosts;
    if (host == 0) return "is the address of the network " + network.to_string() + " itself";
    if (host == hosts) return "is the broadcast address of the network " + network.to_string();
    return {};
}

void check_usable(const Config& c, const Row& row, Problems& problems) {
    // Routers give their link-local address as the next hop (RFC 4861 section 4.2).
    if (row.use == Use::gateway && row.address.is_link_local_v6()) return;
    std::string why = never_a_host(row.address);
    for (const PortConfig* port : {&c.client, &c.server, &c.mirror})
        for (const Prefix* network : {&port->address, &port->address6})
            if (why.empty() && !network->address.is_unspecified()) why = not_a_host_of(*network, row.address);
    if (!why.empty())
        problems.add(row.key, row.address.to_string() + " " + why + "; choose the address of a host");
}

void check_networks(const Config& c, Problems& problems) {
    struct Network {
        const Prefix& prefix;
        std::string key;
    };
    std::vector<Network> networks{{c.client.address, "port.client.address"},
                                  {c.server.address, "port.server.address"},
                                  {c.mirror.address, "port.mirror.address"}};
    if (!c.client.address6.address.is_unspecified())
        networks.push_back({c.client.address6, "port.client.address6"});
    if (!c.server.address6.address.is_unspecified())
        networks.push_back({c.server.address6, "port.server.address6"});
    for (const auto& n : networks)
        if (n.prefix.length == 0)
            problems.add(
                n.key,
                std::string("a network with prefix length 0 holds every address; choose one of 1 to ") +
                    (n.prefix.address.is_v4() ? "32" : "128"));
    for (std::size_t j = 1; j < networks.size(); ++j)
        for (std::size_t i = 0; i < j; ++i) {
            const Prefix &a = networks[i].prefix, &b = networks[j].prefix;
            if (a.length == 0 || b.length == 0) continue;
            if (a.contains(b.address) || b.contains(a.address))
                problems.add(networks[j].key, b.to_string() + " overlaps " + networks[i].key + ", " +
                                                  a.to_string() + "; give each port a network of its own");
        }
}

}  // namespace

void check_addresses(const Config& config, Problems& problems) {
    const auto rows = address_rows(config);
    check_networks(config, problems);
    for (const Row& row : rows) check_usable(config, row, problems);
    check_pairs(rows, problems);
}

}  // namespace holdfast
