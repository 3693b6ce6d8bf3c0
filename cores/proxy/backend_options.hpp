// Which options each backend accepted in its last SYN-ACK: a cookie offers only what all of a service are
// known to accept, since it is given before any of them is asked.
#pragma once

#include <atomic>
#include <vector>

#include "cores/tcp/handshake.hpp"
#include "lib/config/config.hpp"

namespace holdfast::proxy {

class BackendOptions {
  public:
    explicit BackendOptions(const Config& config) {
        for (const auto& service : config.services) accepted_.emplace_back(service.backends.size());
    }

    /// The server core alone: what a backend made of an offer. What it was not offered stays as it is known.
    void note(std::uint16_t service, std::uint16_t backend, const tcp::HandshakeOffer& offered,
              const tcp::HandshakeOffer& accepted) {
        if (service >= accepted_.size() || backend >= accepted_[service].size()) return;
        auto& known = accepted_[service][backend];
        const auto before = known.load(std::memory_order_relaxed), asked = bits(offered);
        known.store(static_cast<std::uint8_t>((before & ~asked) | (bits(accepted) & asked)),
                    std::memory_order_relaxed);
    }

    /// `offer` less what some backend of the service is not known to accept. Any core.
    tcp::HandshakeOffer accepted_by_all(std::uint16_t service, tcp::HandshakeOffer offer) const {
        std::uint8_t all = 0xff;
        for (const auto& backend : accepted_[service]) all &= backend.load(std::memory_order_relaxed);
        offer.sack = offer.sack && (all & sack) != 0;
        offer.timestamps = offer.timestamps && (all & timestamps) != 0;
        offer.window_scaling = offer.window_scaling && (all & window_scaling) != 0;
        return offer;
    }

  private:
    static constexpr std::uint8_t sack = 1, timestamps = 2, window_scaling = 4;
    static std::uint8_t bits(const tcp::HandshakeOffer& o) {
        return static_cast<std::uint8_t>((o.sack ? sack : 0) | (o.timestamps ? timestamps : 0) |
                                         (o.window_scaling ? window_scaling : 0));
    }

    std::vector<std::vector<std::atomic<std::uint8_t>>> accepted_;  ///< by service, then backend
};

}  // namespace holdfast::proxy
