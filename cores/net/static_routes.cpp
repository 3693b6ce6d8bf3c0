#include "cores/net/static_routes.hpp"

#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_rib.h>
#include <rte_rib6.h>

#include <stdexcept>
#include <utility>

#include "lib/wire/headers.hpp"

namespace holdfast::net {
namespace {

/// A new prefix may need a node where it parts from another one.
int nodes_for(std::size_t routes) { return static_cast<int>(2 * routes); }

std::uint32_t host_order(const IpAddress& a) { return wire::load32(&a.bytes[12]); }

void require(const void* made, const std::string& name) {
    if (made == nullptr) throw std::runtime_error("routes " + name + ": " + rte_strerror(rte_errno));
}

}  // namespace

StaticRoutes::StaticRoutes(const std::string& name, std::vector<Route> routes) : routes_(std::move(routes)) {
    for (std::size_t i = 0; i < routes_.size(); ++i)
        routes_[i].to.address.is_v4() ? add_v4(name + "_r4", i) : add_v6(name + "_r6", i);
}

StaticRoutes::~StaticRoutes() {
    rte_rib_free(v4_);
    rte_rib6_free(v6_);
}

void StaticRoutes::add_v4(const std::string& name, std::size_t place) {
    if (v4_ == nullptr) {
        const rte_rib_conf conf{0, nodes_for(routes_.size())};
        v4_ = rte_rib_create(name.c_str(), SOCKET_ID_ANY, &conf);
        require(v4_, name);
    }
    const auto& to = routes_[place].to;
    auto* node = rte_rib_insert(v4_, host_order(to.address), to.length);
    require(node, name);
    rte_rib_set_nh(node, place);
}

void StaticRoutes::add_v6(const std::string& name, std::size_t place) {
    if (v6_ == nullptr) {
        const rte_rib6_conf conf{0, nodes_for(routes_.size())};
        v6_ = rte_rib6_create(name.c_str(), SOCKET_ID_ANY, &conf);
        require(v6_, name);
    }
    const auto& to = routes_[place].to;
    auto* node = rte_rib6_insert(v6_, to.address.bytes.data(), to.length);
    require(node, name);
    rte_rib6_set_nh(node, place);
}

const Route* StaticRoutes::find(const IpAddress& destination) const {
    std::uint64_t place = 0;
    if (destination.is_v4()) {
        const auto* node = v4_ == nullptr ? nullptr : rte_rib_lookup(v4_, host_order(destination));
        return node != nullptr && rte_rib_get_nh(node, &place) == 0 ? &routes_[place] : nullptr;
    }
    const auto* node = v6_ == nullptr ? nullptr : rte_rib6_lookup(v6_, destination.bytes.data());
    return node != nullptr && rte_rib6_get_nh(node, &place) == 0 ? &routes_[place] : nullptr;
}

}  // namespace holdfast::net
