// Gates and what goes with them.
#pragma once

#include <string>

#include "lib/config/config.hpp"
#include "lib/config/problems.hpp"

namespace holdfast {

/// Reports what a service, whose keys stand under `section`, combines and should not.
void check_gates(const ServiceConfig& s, const std::string& section, Problems& problems);

/// Reports journals that share a directory.
void check_journal_directories(const std::vector<ServiceConfig>& services, Problems& problems);

}  // namespace holdfast
