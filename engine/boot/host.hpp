// Puts a node together from its parts, runs it, and takes it apart.
#pragma once

#include "engine/boot/arguments.hpp"
#include "lib/config/config.hpp"

namespace holdfast::engine {

/// Runs a node until SIGTERM or SIGINT. Returns the exit status: 0 after a clean stop. Throws StartRefused,
/// or std::runtime_error that names what is missing; nothing is left running then.
int run_node(const Arguments& arguments, const Config& config);

}  // namespace holdfast::engine
