#include "lib/config/address_checks.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>
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

/// Why no host can have this IPv4 address anywhere, or nothing.
std::string never_a_host(std::uint32_t v4) {
    if (v4 >> 24 == 0) return "means no address";
    if (v4 >> 24 == 127) return "is a loopback address";
    if (v4 >> 28 == 14) return "is a multicast address";
    if (v4 >> 28 == 15) return "is reserved or the broadcast address";
    return {};
}

/// Why no host of `network` can have this address, or nothing. Prefixes of 31 and 32 bits have only hosts.
std::string not_a_host_of(const Prefix& network, const IpAddress& address) {
    if (network.length == 0 || network.length > 30 || !network.contains(address)) return {};
    const std::uint32_t hosts = ~std::uint32_t{0} >> network.length;
    const std::uint32_t host = ntohl(address.v4()) & hosts;
    if (host == 0) return "is the address of the network " + network.to_string() + " itself";
    if (host == hosts) return "is the broadcast address of the network " + network.to_string();
    return {};
}

void check_usable(const Config& c, const Row& row, Problems& problems) {
    if (!row.address.is_v4()) return;  // refused for its family
    std::string why = never_a_host(ntohl(row.address.v4()));
    for (const PortConfig* port : {&c.client, &c.server, &c.mirror})
        if (why.empty()) why = not_a_host_of(port->address, row.address);
    if (!why.empty())
        problems.add(row.key, row.address.to_string() + " " + why + "; choose the address of a host");
}

void check_networks(const Config& c, Problems& problems) {
    struct Network {
        const Prefix& prefix;
        std::string key;
    };
    const std::array<Network, 3> networks{{{c.client.address, "port.client.address"},
                                           {c.server.address, "port.server.address"},
                                           {c.mirror.address, "port.mirror.address"}}};
    for (const auto& n : networks)
        if (n.prefix.length == 0)
            problems.add(n.key, "a network with prefix length 0 holds every address; choose one of 1 to 32");
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
