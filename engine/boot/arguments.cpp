#include "engine/boot/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "lib/config/loader.hpp"

namespace holdfast::engine {
namespace {

constexpr const char* about =
    "Holdfast: a TCP proxy whose connections outlive the machine that carries them.";
constexpr const char* footer =
    "EAL options stand before a lone \"--\" (dpdk-testpmd --help lists them). Four lcores are needed: main, "
    "node core,\n"
    "client core, server core; one more where a service has an application. Several may share a CPU. "
    "Example:\n"
    "  holdfast --lcores 0@0,1@0,2@1,3@0 --no-huge -m 512 --vdev net_af_xdp0,iface=veth0 ... -- --config "
    "a.toml";

/// Names the first word that is no option of ours, and what was probably meant.
ParsedArguments refuse_word(const std::vector<std::string>& own, bool had_dashes, const CLI::App& app) {
    const auto is_ours = [&](const std::string& word) {
        return app.get_option_no_throw(word.substr(0, word.find('='))) != nullptr;
    };
    const auto is_value = [&](std::size_t i) { return i > 0 && own[i - 1] == "--config"; };
    std::size_t i = 0;
    while (i < own.size() && (is_ours(own[i]) || is_value(i))) ++i;
    std::cerr << "holdfast: unknown option " << (i < own.size() ? own[i] : own.back())
              << (had_dashes ? " after \"--\"" : "")
              << "; EAL options stand before a lone \"--\", ours after it: "
              << "holdfast [EAL options] -- --config FILE. See holdfast --help\n";
    return {std::nullopt, 2};
}

}  // namespace

bool Arguments::eal_has(const std::string& option) const {
    return std::ranges::find(eal, option) != eal.end();
}

ParsedArguments parse_arguments(int argc, const char* const* argv) {
    Arguments a;
    a.program = argc > 0 ? argv[0] : "holdfast";
    std::vector<std::string> own(argv + std::min(argc, 1), argv + argc);
    const auto dashes = std::ranges::find(own, "--");
    const bool had_dashes = dashes != own.end();
    if (had_dashes) {
        a.eal.assign(own.begin(), dashes);
        own.erase(own.begin(), dashes + 1);
    }
    // Asked of EAL, help and version would start half of it; the question is answered here.
    for (const char* option : {"--help", "-h", "--version", "-v"})
        if (a.eal_has(option)) own.assign({option[1] == 'h' || option[2] == 'h' ? "--help" : "--version"});

    CLI::App app(about, "holdfast [EAL options] --");
    app.set_version_flag("--version", "holdfast " HF_VERSION);
    app.footer(footer);
    bool keys = false;
    app.add_option("--config", a.config, "TOML configuration file")->type_name("FILE");
    app.add_flag("--check-config", a.check_config, "say whether the configuration is sound, and stop");
    app.add_flag("--config-keys", keys, "list all keys of the configuration, and stop");
    app.add_flag("--print-devices", a.print_devices,
                 "print each port's role, device and MTU, one a line, and stop");
    app.add_flag("--print-layout", a.print_layout, "set up ports and cores, say what runs where, and stop");
    try {
        app.parse(std::vector<std::string>(own.rbegin(), own.rend()));
        if (keys) std::cout << describe_keys();
        else if (a.config.empty()) throw CLI::RequiredError("--config FILE (after EAL options and \"--\")");
    } catch (const CLI::ExtrasError&) {
        return refuse_word(own, had_dashes, app);
    } catch (const CLI::ParseError& e) {
        return {std::nullopt, app.exit(e) == 0 ? 0 : 2};
    }
    if (keys) return {std::nullopt, 0};
    return {a, 0};
}

}  // namespace holdfast::engine
