// Who may open a session: limits of each service, of live sessions and of new ones in a second. Client core.
#pragma once

#include <string>
#include <vector>

#include "lib/base/time.hpp"
#include "lib/config/config.hpp"
#include "lib/table/flow_table.hpp"

namespace holdfast::proxy {

class Admission {
  public:
    /// `config` outlives it. `name` is unique in the process; memory for counts by source is taken only if
    /// some service limits them. Throws std::runtime_error when DPDK refuses.
    Admission(const Config& config, const std::string& name, int socket);

    enum class Verdict : std::uint8_t { admitted, over_rate, service_full, source_full };
    /// Whether `client` may open a session with `service` now; if so, it has used up its share of the rate.
    Verdict judge(std::uint16_t service, const IpAddress& client, Instant now);

    /// A session is live from here on, however it began.
    void session_began(std::uint16_t service, const IpAddress& client);
    void session_ended(std::uint16_t service, const IpAddress& client);

  private:
    bool limits_sources(std::uint16_t service) const {
        return config_.services[service].sessions_per_source_max > 0;
    }
    /// Place of the count of the client's source, or FlowTable::none.
    std::uint32_t find_source(std::uint16_t service, const IpAddress& client) const;

    const Config& config_;
    std::vector<std::uint32_t> live_;  ///< by service
    std::vector<Instant> used_until_;  ///< by service: the rate is used up until then
    FlowTable sources_;                ///< source of a service -> place in source_live_
    std::vector<std::uint32_t> source_live_, free_places_;
};

}  // namespace holdfast::proxy
