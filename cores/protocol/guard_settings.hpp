// What the configuration means for the guard.
#pragma once

#include <cstdint>

#include "cores/guard/settings.hpp"
#include "lib/config/config.hpp"

namespace holdfast::protocol {

/// The guard's settings out of a configuration that parse_config() accepted: they have no settings_error().
/// The key is a view into `config`.
guard::Settings guard_settings(const Config& config, std::uint64_t boot_nonce, std::uint64_t stored_term);

}  // namespace holdfast::protocol
