// Whether the addresses of a configuration can be used, and used beside each other.
#pragma once

#include "lib/config/config.hpp"
#include "lib/config/problems.hpp"

namespace holdfast {

/// Adds a problem for every address that no host can have and for every one that stands in two roles that do
/// not go together.
void check_addresses(const Config& config, Problems& problems);

}  // namespace holdfast
