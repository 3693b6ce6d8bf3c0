// Which core runs on which lcore, and how far its memory is.
#pragma once

#include <array>
#include <string>

#include "engine/port/port.hpp"

namespace holdfast::engine {

/// The cores in the order in which they take EAL's worker lcores.
enum class CoreRole { node, client, server, application };
inline constexpr std::size_t core_count = 4, port_count = 3;

/// The lcore of each core, by CoreRole; the application core has one where services have applications.
using Lcores = std::array<unsigned, core_count>;

/// The first worker lcores: three, and one more `with_applications`. Throws StartRefused when EAL was given
/// fewer beside the main one.
Lcores assign_lcores(bool with_applications);

/// What runs where, one line a core; `ports` by CoreRole.
std::string describe_layout(const Lcores& lcores, const std::array<const Port*, port_count>& ports,
                            bool with_applications);

/// While it lives, memory of this thread that is not DPDK's comes from NUMA node `node` where it can. Does
/// nothing for -1 and on machines without NUMA.
class PreferNumaNode {
  public:
    explicit PreferNumaNode(int node);
    ~PreferNumaNode();
    PreferNumaNode(const PreferNumaNode&) = delete;
    PreferNumaNode& operator=(const PreferNumaNode&) = delete;

  private:
    bool set_ = false;
};

}  // namespace holdfast::engine
