// The core of a lane that runs applications. It has no port: its frames are the client core's.
#pragma once

#include "cores/app/app_sessions.hpp"
#include "cores/protocol/core.hpp"

namespace holdfast::protocol {

class AppCore final : public Core {
  public:
    /// `pool` is that of the client's port. References outlive the core; `lane.application` is there.
    AppCore(const Config& config, rte_mempool* pool, proxy::Lane& lane, app::ApplicationFactory make,
            app::HostLinks host_link, Instant now);

    void receive(std::span<rte_mbuf* const> burst, Instant now) override;
    std::uint32_t advance(Instant now) override { return sessions_.advance(now); }
    std::uint32_t transmit(std::span<rte_mbuf*>, Instant) override { return 0; }
    Instant next_deadline() const override { return sessions_.next_deadline(); }
    std::uint64_t held_mbufs() const override { return sessions_.held_mbufs(); }

    const app::AppCounters& counters() const { return counters_; }
    const app::HostCounters& host_counters() const { return host_counters_; }

  private:
    app::AppCounters counters_;
    app::HostCounters host_counters_;
    app::AppSessions sessions_;
};

}  // namespace holdfast::protocol
