// The command line: EAL's options, "--", and ours.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace holdfast::engine {

struct Arguments {
    std::string program;
    std::vector<std::string> eal;  ///< what stood before "--"
    std::string config;            ///< path of the configuration file
    bool check_config = false;     ///< only say whether the configuration is sound
    bool print_devices = false;    ///< only say which device each port is
    bool print_layout = false;     ///< set up ports and cores, say what runs where, and stop

    bool eal_has(const std::string& option) const;
};

/// Either what to do, or the status to exit with at once (help, version and errors are already printed).
struct ParsedArguments {
    std::optional<Arguments> arguments;
    int exit_status = 0;
};

/// Reads the command line; touches nothing but standard output and standard error.
ParsedArguments parse_arguments(int argc, const char* const* argv);

}  // namespace holdfast::engine
