#include "engine/boot/layout.hpp"

#include <numa.h>
#include <rte_lcore.h>

#include "engine/boot/start_refused.hpp"

namespace holdfast::engine {
namespace {

std::string numa_node_name(int node) { return node < 0 ? "any" : std::to_string(node); }

std::string offloads(const protocol::PortProfile& p) {
    std::string text;
    if (p.tx_ip_checksum) text += " tx-ip-checksum";
    if (p.tx_tcp_checksum) text += " tx-tcp-checksum";
    if (p.rx_checksum) text += " rx-checksum";
    if (p.multi_segs) text += " multi-segs";
    return text.empty() ? " none" : text;
}

/// A warning when the core would reach over to another NUMA node for every packet.
std::string distance_note(unsigned lcore, const Port& port) {
    const int core_node = static_cast<int>(rte_lcore_to_socket_id(lcore));
    if (numa_available() < 0 || port.socket() < 0 || port.socket() == core_node) return {};
    return "  (far from its port: distance " + std::to_string(numa_distance(core_node, port.socket())) +
           ", choose an lcore on NUMA node " + std::to_string(port.socket()) + ")";
}

}  // namespace

Lcores assign_lcores(bool with_applications) {
    const std::size_t wanted = with_applications ? core_count : core_count - 1;
    if (rte_lcore_count() <= wanted)
        throw StartRefused("too few lcores: " + std::to_string(rte_lcore_count()) + " given, " +
                           std::to_string(wanted + 1) + " needed (main, node core, client core, server core" +
                           (with_applications ? ", application core" : "") + "); give -l 0-" +
                           std::to_string(wanted) +
                           ", or where CPUs are few let several share one: --lcores 0@0,1@0,2@1,3@0" +
                           (with_applications ? ",4@1" : ""));
    Lcores lcores{};
    std::size_t taken = 0;
    unsigned id;
    RTE_LCORE_FOREACH_WORKER(id) {
        if (taken < wanted) lcores[taken++] = id;
    }
    return lcores;
}

std::string describe_layout(const Lcores& lcores, const std::array<const Port*, port_count>& ports,
                            bool with_applications) {
    constexpr const char* names[port_count] = {"node core  ", "client core", "server core"};
    std::string text = "layout:\n  control      lcore " + std::to_string(rte_get_main_lcore()) + "\n";
    const auto place = [&](CoreRole role) {
        const auto lcore = lcores[static_cast<std::size_t>(role)];
        return "  lcore " + std::to_string(lcore) + ", NUMA node " +
               std::to_string(rte_lcore_to_socket_id(lcore));
    };
    for (std::size_t i = 0; i < port_count; ++i) {
        const Port& p = *ports[i];
        text += std::string("  ") + names[i] + place(static_cast<CoreRole>(i)) + distance_note(lcores[i], p) +
                "\n      port " + p.role() + ": " + p.device() + " (" + std::string(p.driver()) +
                "), NUMA node " + numa_node_name(p.socket()) + ", MAC " + p.profile().mac.to_string() +
                ", MTU " + std::to_string(p.profile().mtu) + ", offloads:" + offloads(p.profile()) + "\n";
        for (const auto& note : p.notes()) text += "      note: " + note + "\n";
    }
    if (with_applications) text += "  applications" + place(CoreRole::application) + "\n";
    return text;
}

PreferNumaNode::PreferNumaNode(int node)
    : set_(node >= 0 && numa_available() >= 0 && node <= numa_max_node()) {
    if (set_) numa_set_preferred(node);
}

PreferNumaNode::~PreferNumaNode() {
    if (set_) numa_set_localalloc();
}

}  // namespace holdfast::engine
