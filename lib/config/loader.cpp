#include "lib/config/loader.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "lib/config/cross_checks.hpp"
#include "lib/config/key_file.hpp"
#include "lib/config/knobs.hpp"
#include "lib/config/problems.hpp"

namespace holdfast {
namespace {

std::string join(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
    return text;
}

const Knob* find_knob(std::string_view section, std::string_view key) {
    for (const auto& k : knobs())
        if (k.section == section && k.key == key) return &k;
    return nullptr;
}

bool is_section(std::string_view name) {
    return std::ranges::any_of(knobs(), [&](const Knob& k) { return k.section == name; });
}

/// True for "port": it holds sections, but no key of its own.
bool holds_sections(std::string_view name) {
    return std::ranges::any_of(knobs(),
                               [&](const Knob& k) { return k.section.starts_with(std::string(name) + "."); });
}

/// Levenshtein distance, for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
            diagonal = above;
        }
    }
    return row[b.size()];
}

/// " did you mean ...?" with the candidate nearest to `word`, if one is near.
template <class Range>
std::string suggestion(std::string_view word, const Range& candidates) {
    std::string_view best;
    std::size_t best_distance = 4;
    for (std::string_view c : candidates)
        if (const auto d = edit_distance(word, c); d < best_distance) best_distance = d, best = c;
    if (best.empty()) return "remove it, or see holdfast --config-keys";
    return "did you mean \"" + std::string(best) + "\"?";
}

/// What to say of a key that bears a section's name.
std::string section_wanted(const std::string& name) {
    if (is_section(name)) return "is a section; write [" + name + "] and its keys below";
    std::string sections;
    std::string_view last;
    for (const auto& k : knobs()) {
        if (k.section != last && k.section.starts_with(name + "."))
            sections += (sections.empty() ? "[" : ", [") + std::string(k.section) + "]";
        last = k.section;
    }
    return "holds sections; write " + sections + ", each with its keys below";
}

std::optional<KnobValue> read_rows(const toml::array& array) {
    std::vector<KnobRow> rows;
    for (const auto& item : array) {
        if (!item.is_table()) return std::nullopt;
        auto& row = rows.emplace_back();
        for (const auto& [key, value] : *item.as_table()) {
            if (!value.is_string()) return std::nullopt;
            row.emplace_back(key.str(), value.as_string()->get());
        }
    }
    return KnobValue(std::move(rows));
}

/// The value if it has a kind that some key takes; `wanted` tells what an empty list is.
std::optional<KnobValue> read_value(const toml::node& node, KnobKind wanted) {
    if (const auto v = node.as_integer()) return KnobValue(v->get());
    if (const auto v = node.as_boolean()) return KnobValue(v->get());
    if (const auto v = node.as_string()) return KnobValue(v->get());
    const auto array = node.as_array();
    if (array == nullptr) return std::nullopt;
    if (wanted == KnobKind::rows) return read_rows(*array);
    std::vector<std::string> items;
    for (const auto& item : *array) {
        if (!item.is_string()) return std::nullopt;
        items.push_back(item.as_string()->get());
    }
    return KnobValue(std::move(items));
}

std::string wanted(const Knob& knob) {
    switch (knob.access.kind) {
        case KnobKind::integer:
            return "an integer from " + std::to_string(knob.min) + " to " + std::to_string(knob.max);
        case KnobKind::boolean: return "true or false";
        case KnobKind::text: return "a string in quotes";
        case KnobKind::list: return "a list of strings, as in [\"...\"]";
        case KnobKind::rows: return "a list of tables of strings, as in [{... = \"...\"}]";
    }
    return {};
}

[[noreturn]] void refuse_file(const std::string& path, const std::string& problem) {
    throw ConfigError({path + ":1: file: " + problem});
}

/// The whole file. Throws ConfigError with the reason and its mend.
std::string read_text(const std::string& path) {
    std::error_code not_there;
    if (std::filesystem::is_directory(path, not_there))
        refuse_file(path, "is a directory; name a file in it with --config");
    errno = 0;
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (file) return text;
    const int error = errno;
    const std::string mend = error == ENOENT   ? "give an existing file with --config"
                             : error == EACCES ? "let this user read it, or start as root"
                                               : "give another file with --config";
    refuse_file(path, std::string("can not be read: ") + std::strerror(error) + "; " + mend);
}

/// Walks the parsed document and fills the Config row by row.
class Reader {
  public:
    Reader(Config& config, Problems& problems) : config_(config), problems_(problems) {}

    void read(const toml::table& root) {
        read_table(root, "");
        require_keys();
    }

  private:
    void read_table(const toml::table& table, const std::string& section) {
        for (const auto& [key, node] : table) {
            const std::string name =
                section.empty() ? std::string(key.str()) : section + "." + std::string(key.str());
            problems_.place(name, node.source().begin.line);
            if (name == "service") read_services(node);
            else if (node.is_table() && (is_section(name) || holds_sections(name)))
                read_table(*node.as_table(), name);
            else if (is_section(name) || holds_sections(name)) problems_.add(name, section_wanted(name));
            else if (const Knob* knob = find_knob(section, key.str())) apply(*knob, name, node);
            else reject_unknown(section, std::string(key.str()), name, node.is_table());
        }
    }

    void read_services(const toml::node& node) {
        const auto array = node.as_array();
        if (array == nullptr || !array->is_array_of_tables()) {
            problems_.add("service", "is not a list of tables; start each service with [[service]]");
            return;
        }
        for (const auto& item : *array) {
            const std::string section = "service[" + std::to_string(config_.services.size()) + "]";
            problems_.place(section, item.source().begin.line);
            config_.services.emplace_back();
            read_service(*item.as_table(), section);
        }
    }

    void read_service(const toml::table& table, const std::string& section) {
        for (const auto& [key, node] : table) {
            const std::string name = section + "." + std::string(key.str());
            problems_.place(name, node.source().begin.line);
            if (const Knob* knob = find_knob("service", key.str())) apply(*knob, name, node);
            else reject_unknown("service", std::string(key.str()), name, false);
        }
        require_keys_of("service", section);
    }

    void apply(const Knob& knob, const std::string& name, const toml::node& node) {
        const auto value = read_value(node, knob.access.kind);
        if (!value || value->index() != static_cast<std::size_t>(knob.access.kind)) {
            problems_.add(name, "has the wrong type; write " + wanted(knob));
            return;
        }
        if (const auto n = std::get_if<std::int64_t>(&*value);
            n != nullptr && (*n < knob.min || *n > knob.max)) {
            problems_.add(name, std::to_string(*n) + " is out of range; write " + wanted(knob));
            return;
        }
        if (auto problem = knob.access.set(config_, *value); !problem.empty()) problems_.add(name, problem);
    }

    void reject_unknown(const std::string& section, const std::string& key, const std::string& name,
                        bool is_table) {
        std::vector<std::string_view> candidates;
        for (const auto& k : knobs()) {
            if (is_table) candidates.push_back(k.section);
            else if (k.section == section) candidates.push_back(k.key);
        }
        problems_.add(name, std::string(is_table ? "unknown section; " : "unknown key; ") +
                                suggestion(is_table ? name : key, candidates));
    }

    void require_keys() {
        std::string_view last;
        for (const auto& k : knobs()) {
            if (k.section != last && k.section != "service")
                require_keys_of(k.section, std::string(k.section));
            last = k.section;
        }
        if (!problems_.has_place("service")) problems_.add("service", "there is none; add a [[service]]");
    }

    /// `section` as in the table of keys, `place` as in this file (they differ for services).
    void require_keys_of(std::string_view section, const std::string& place) {
        for (const auto& k : knobs())
            if (k.required && k.section == section && !problems_.has_place(place + "." + std::string(k.key)))
                problems_.add(place + "." + std::string(k.key),
                              "is missing; add it (" + std::string(k.help) + ")");
    }

    Config& config_;
    Problems& problems_;
};

}  // namespace

ConfigError::ConfigError(std::vector<std::string> problems)
    : std::runtime_error(join(problems)), problems_(std::move(problems)) {}

Config parse_config(std::string_view text, std::string_view name) {
    Problems problems{std::string(name)};
    Config config;
    try {
        Reader(config, problems).read(toml::parse(text, name));
    } catch (const toml::parse_error& e) {
        problems.place("syntax", e.source().begin.line);
        problems.add("syntax", std::string(e.description()) + "; mend this line, the rest was not read");
        throw ConfigError(problems.lines());
    }
    // Checks between keys would only repeat themselves while single keys are wrong.
    if (problems.empty()) cross_check(config, problems);
    if (problems.empty()) read_key_file(config, problems);
    if (!problems.empty()) throw ConfigError(problems.lines());
    return config;
}

Config load_config(const std::string& path) { return parse_config(read_text(path), path); }

std::string describe_keys() {
    const Config defaults = config_defaults();
    std::ostringstream out;
    out << "# All keys of the configuration, with their defaults.\n\n";
    std::string_view section;
    for (const auto& k : knobs()) {
        if (k.section != section)
            out << (section.empty() ? "" : "\n") << (k.section == "service" ? "[[" : "[") << k.section
                << (k.section == "service" ? "]]" : "]") << "\n";
        section = k.section;
        out << k.key << " = " << (k.required ? "(required)" : k.access.show(defaults)) << "\n    # "
            << k.help;
        if (k.access.kind == KnobKind::integer) out << " (" << k.min << " to " << k.max << ")";
        out << "\n";
    }
    return out.str();
}

}  // namespace holdfast
