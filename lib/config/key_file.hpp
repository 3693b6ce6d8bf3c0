// The pair's shared key.
#pragma once

#include "lib/config/config.hpp"
#include "lib/config/problems.hpp"

namespace holdfast {

/// Reads guard.key_file into config.key; adds a problem when it is absent, too short or readable by others.
void read_key_file(Config& config, Problems& problems);

}  // namespace holdfast
