// holdfastctl: what a running node says of itself, as tables or as JSON.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/control/table.hpp"
#include "engine/control/telemetry_client.hpp"

using namespace holdfast::engine;
using nlohmann::json;

namespace {

struct Options {
    std::string socket, runtime;
    bool as_json = false, all = false;
    std::string service, backend, word;  ///< of drain
};

double to_ms(const json& us) { return us.get<double>() / 1000; }

json status(TelemetryClient& client, const Options&) {
    json s = client.ask("/holdfast/status");
    const json& takeover = s["last_takeover"];
    s["last_takeover"] = {{"detect_ms", to_ms(takeover["detect_us"])},
                          {"takeover_ms", to_ms(takeover["takeover_us"])}};
    s["detection_ms"] = to_ms(s["detection_us"]);
    s.erase("detection_us");
    return s;
}

json sessions(TelemetryClient& client, const Options&) {
    return client.ask_all("/holdfast/sessions", "slot");
}
json backends(TelemetryClient& client, const Options&) {
    return client.ask_all("/holdfast/backends", "place");
}
json counters(TelemetryClient& client, const Options&) {
    return client.ask_all("/holdfast/counters", "number");
}
json mirror(TelemetryClient& client, const Options&) { return client.ask("/holdfast/mirror"); }
json guard(TelemetryClient& client, const Options&) { return client.ask("/holdfast/guard"); }
json cores(TelemetryClient& client, const Options&) { return client.ask("/holdfast/cores"); }

json events(TelemetryClient& client, const Options&) {
    json rows = client.ask_all("/holdfast/events", "number");
    for (auto& row : rows) {
        row["at_ms"] = to_ms(row["at_us"]);
        row.erase("at_us");
    }
    return rows;
}

json drain(TelemetryClient& client, const Options& o) {
    const json answer = client.ask("/holdfast/drain", o.service + "," + o.backend + "," + o.word);
    const std::string problem = answer["problem"];
    if (!problem.empty()) throw std::runtime_error(problem);
    return {{"service", o.service}, {"backend", o.backend}, {"drained", o.word == "on"}};
}

void print_status(const json& s, const Options&) {
    const json& takeover = s["last_takeover"];
    const std::string reason = s["mirror"]["reason"];
    std::cout << "node " << s["node"].get<std::string>() << ": " << s["role"].get<std::string>() << ", "
              << s["state"].get<std::string>() << ", term " << s["term"] << "\nsessions       "
              << s["sessions"] << " (" << s["sessions_terminated"] << " terminated, "
              << s["sessions_translated"] << " translated, " << s["sessions_protected"]
              << " protected)\nmirror         " << s["mirror"]["state"].get<std::string>()
              << (reason.empty() ? "" : ": " + reason) << "\ndetection      " << s["detection_ms"]
              << " ms\nlast takeover  ";
    if (takeover["detect_ms"] == 0.0 && takeover["takeover_ms"] == 0.0) std::cout << "none since start\n";
    else
        std::cout << "after " << takeover["detect_ms"] << " ms of silence, took " << takeover["takeover_ms"]
                  << " ms\n";
}

void print_sessions(const json& rows, const Options&) {
    std::cout << format_table(rows, {{"slot", "SLOT"},
                                     {"service", "SERVICE"},
                                     {"client", "CLIENT"},
                                     {"virtual", "VIRTUAL"},
                                     {"snat", "SNAT"},
                                     {"backend", "BACKEND"},
                                     {"mode", "MODE"},
                                     {"protection", "PROTECTION"},
                                     {"bytes_up", "UP"},
                                     {"bytes_down", "DOWN"},
                                     {"withheld_up", "HELD UP"},
                                     {"withheld_down", "HELD DOWN"}});
}

void print_backends(const json& rows, const Options&) {
    std::cout << format_table(rows, {{"id", "ID"},
                                     {"service", "SERVICE"},
                                     {"backend", "BACKEND"},
                                     {"state", "STATE"},
                                     {"sessions", "SESSIONS"},
                                     {"reason", "REASON"}});
}

void print_counters(const json& rows, const Options& options) {
    json shown = json::array();
    for (const auto& row : rows)
        if (options.all || row["value"] != 0) shown.push_back(row);
    std::cout << format_table(
        shown, {{"module", "MODULE"}, {"name", "COUNTER"}, {"value", "VALUE"}, {"help", "MEANING"}});
    if (!options.all) std::cout << rows.size() - shown.size() << " more are 0 (--all shows them)\n";
}

void print_events(const json& rows, const Options&) {
    std::cout << format_table(
        rows,
        {{"number", "NUMBER"}, {"at_ms", "MS SINCE START"}, {"event", "EVENT"}, {"text", "WHAT HAPPENED"}});
}

/// Nested objects as "outer.inner value" lines.
void print_flat(const json& object, const std::string& prefix, json& rows) {
    for (const auto& [key, value] : object.items()) {
        if (value.is_object()) print_flat(value, prefix + key + ".", rows);
        else rows.push_back({{"name", prefix + key}, {"value", value}});
    }
}

void print_object(const json& object, const Options&) {
    json rows = json::array();
    print_flat(object, "", rows);
    std::size_t width = 0;
    for (const auto& row : rows) width = std::max(width, row["name"].get_ref<const std::string&>().size());
    for (const auto& row : rows) {
        const std::string name = row["name"];
        const json& value = row["value"];
        std::cout << name << std::string(width - name.size() + 2, ' ')
                  << (value.is_string() ? value.get<std::string>() : value.dump()) << "\n";
    }
}

struct Command {
    const char* name;
    const char* help;
    json (*ask)(TelemetryClient&, const Options&);
    void (*print)(const json&, const Options&);
};
constexpr Command commands[] = {
    {"status", "role, sessions, mirror, last takeover", status, print_status},
    {"sessions", "every session with its mode and protection", sessions, print_sessions},
    {"backends", "every backend with its state and sessions", backends, print_backends},
    {"drain", "SERVICE BACKEND on|off: a drained backend gets no new sessions on this node", drain,
     print_object},
    {"counters", "counters that are not 0, with their meaning", counters, print_counters},
    {"events", "what happened lately", events, print_events},
    {"mirror", "the connection to the other node", mirror, print_object},
    {"guard", "lease, paths and links", guard, print_object},
    {"cores", "each core's thread: cycles, worst cycle, drops", cores, print_object},
};

int run(const Command& command, const Options& options) {
    try {
        TelemetryClient client(options.socket.empty() ? find_telemetry_socket(options.runtime)
                                                      : options.socket);
        const json answer = command.ask(client, options);
        if (options.as_json) std::cout << answer.dump(2) << "\n";
        else command.print(answer, options);
        return 0;
    } catch (const std::exception& e) {
        std::cerr << "holdfastctl " << command.name << ": " << e.what() << "\n";
        return 1;
    }
}

std::string command_names() {
    std::string names;
    for (const auto& c : commands) names += (names.empty() ? "" : ", ") + std::string(c.name);
    return names;
}

/// What is wrong with the command line, and the mend.
std::string wrong_words(const CLI::App& app, const CLI::ParseError& error) {
    const auto unknown = app.remaining(true);
    const bool has_command = !app.get_subcommands().empty();
    if (unknown.empty())
        return has_command || error.get_name() != "RequiredError"
                   ? error.what()
                   : "no command; give one of " + command_names();
    if (unknown.front().starts_with("-")) return "unknown option " + unknown.front();
    if (has_command) return "unknown word " + unknown.front() + " after the command; leave it out";
    return "unknown command " + unknown.front() + "; one of " + command_names();
}

int refuse(const CLI::App& app, const CLI::ParseError& error) {
    std::cerr << "holdfastctl: " << wrong_words(app, error) << ". See holdfastctl --help\n";
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("holdfastctl: what a running node says of itself", "holdfastctl");
    app.set_version_flag("--version", "holdfastctl " HF_VERSION);
    Options options;
    app.add_option("--socket", options.socket, "telemetry socket of the node")->type_name("PATH");
    app.add_option("--runtime", options.runtime, "the node's RUNTIME_DIRECTORY")->type_name("DIR");
    app.add_flag("--json", options.as_json, "for programs");
    app.add_flag("--all", options.all, "counters: those that are 0 too");
    app.fallthrough();
    app.require_subcommand(1);
    for (const auto& c : commands) app.add_subcommand(c.name, c.help);
    auto* drain_words = app.get_subcommand("drain");
    drain_words->add_option("SERVICE", options.service, "its name")->required();
    drain_words->add_option("BACKEND", options.backend, "its address and port")->required();
    drain_words->add_option("WORD", options.word, "on or off")
        ->required()
        ->check(CLI::IsMember({"on", "off"}));
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& e) {
        return app.exit(e);
    } catch (const CLI::ParseError& e) {
        return refuse(app, e);
    }
    for (const auto& c : commands)
        if (app.got_subcommand(c.name)) return run(c, options);
    return 2;
}
