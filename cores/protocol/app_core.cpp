#include "cores/protocol/app_core.hpp"

#include "cores/protocol/lane_budget.hpp"

namespace holdfast::protocol {

AppCore::AppCore(const Config& config, rte_mempool* pool, proxy::Lane& lane, app::ApplicationFactory make,
                 app::HostLinks host_link, Instant now)
    : sessions_({config, lane, pool, counters_, lane_budget(config), std::move(make), std::move(host_link),
                 host_counters_, now}) {}

/// Nobody has frames for it.
void AppCore::receive(std::span<rte_mbuf* const> burst, Instant) {
    for (auto* m : burst) rte_pktmbuf_free(m);
}

}  // namespace holdfast::protocol
