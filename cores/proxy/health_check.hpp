// The check of one backend: a handshake that is broken off when the backend has answered.
#pragma once

#include <vector>

#include "lib/config/config.hpp"
#include "lib/session/record.hpp"

namespace holdfast::proxy {

struct HealthCheck {
    std::uint16_t service = 0, backend = 0;
    bool waiting = false;   ///< our SYN is out
    bool has_flow = false;  ///< its tuple stands in the flow table, until the next check takes another
    Instant due = Instant::never();   ///< the next SYN
    Instant late = Instant::never();  ///< the answer, if `waiting`
    LegRecord leg;
};

/// Checks of all backends whose services ask for them.
inline std::vector<HealthCheck> make_checks(const Config& config) {
    std::vector<HealthCheck> checks;
    for (std::uint16_t s = 0; s < config.services.size(); ++s) {
        if (config.services[s].health.interval == Duration{}) continue;
        for (std::uint16_t b = 0; b < config.services[s].backends.size(); ++b) {
            auto& check = checks.emplace_back();
            check.service = s;
            check.backend = b;
        }
    }
    return checks;
}

}  // namespace holdfast::proxy
