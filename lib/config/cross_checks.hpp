// What must hold between keys, once each key by itself is sound.
#pragma once

#include "lib/config/config.hpp"
#include "lib/config/problems.hpp"

namespace holdfast {

/// Adds a problem for every rule between keys that `config` breaks.
void cross_check(const Config& config, Problems& problems);

}  // namespace holdfast
