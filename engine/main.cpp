// holdfast [EAL options] -- --config FILE
#include <exception>
#include <iostream>

#include "engine/boot/arguments.hpp"
#include "engine/boot/host.hpp"
#include "engine/boot/start_refused.hpp"
#include "engine/control/log.hpp"
#include "lib/config/loader.hpp"

using namespace holdfast;

namespace {

/// Says that the configuration is sound, and what it asks of the machine.
int report_sound(const std::string& path, const Config& config) {
    std::cout << path << ": sound; node " << config.node_name << " (id " << config.node_id << "), services:";
    for (const auto& s : config.services) std::cout << " " << s.name << " at " << s.address.to_string();
    std::cout << "\n";
    return 0;
}

/// For programs: the launch scripts read this instead of the configuration file.
int print_devices(const Config& config) {
    const auto print = [](const char* role, const PortConfig& port) {
        std::cout << role << " " << port.device << " " << port.mtu << "\n";
    };
    print("client", config.client);
    print("server", config.server);
    print("mirror", config.mirror);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto [arguments, exit_status] = engine::parse_arguments(argc, argv);
    if (!arguments) return exit_status;
    try {
        // All of it is read before anything starts: a wrong configuration never starts half a node.
        const Config config = load_config(arguments->config);
        if (arguments->print_devices) return print_devices(config);
        if (arguments->check_config) return report_sound(arguments->config, config);
        return engine::run_node(*arguments, config);
    } catch (const ConfigError& e) {
        std::cerr << e.what() << "\n";
    } catch (const std::exception& e) {
        engine::say(std::string("not started: ") + e.what());
    }
    return 1;
}
