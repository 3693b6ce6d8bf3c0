// Static routes of both families, found by their longest prefix.
//
// By librte_rib: its tree holds as many nodes as there are routes. The tables of librte_lpm and librte_fib
// answer faster and take 16 MB and more for each port; here a route is looked up once a leg.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/base/address.hpp"

struct rte_rib;
struct rte_rib6;

namespace holdfast::net {

class StaticRoutes {
  public:
    /// `name` is unique in the process among objects with routes, and has at most 48 bytes. Throws
    /// std::runtime_error when memory is missing.
    StaticRoutes(const std::string& name, std::vector<Route> routes);
    ~StaticRoutes();
    StaticRoutes(const StaticRoutes&) = delete;
    StaticRoutes& operator=(const StaticRoutes&) = delete;

    /// The route with the longest prefix that holds `destination`; nullptr when there is none.
    const Route* find(const IpAddress& destination) const;

  private:
    void add_v4(const std::string& name, std::size_t place);
    void add_v6(const std::string& name, std::size_t place);

    std::vector<Route> routes_;
    // Made with the first route of their family.
    rte_rib* v4_ = nullptr;
    rte_rib6* v6_ = nullptr;
};

}  // namespace holdfast::net
