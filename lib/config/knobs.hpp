// The configuration's keys as rows: parsing, unknown-key detection, `--config-keys` and the tests read this
// table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/config/config.hpp"

namespace holdfast {

/// Which kind of TOML value a key takes.
enum class KnobKind : std::uint8_t { integer, boolean, text, list, rows };

/// A table of strings in a list of such tables, in the order of its keys.
using KnobRow = std::vector<std::pair<std::string, std::string>>;

/// A value as it stands in the file.
using KnobValue =
    std::variant<std::int64_t, bool, std::string, std::vector<std::string>, std::vector<KnobRow>>;

/// One key. `section` is the TOML table ("port.client"), or "service" for the array of tables [[service]].
struct Knob {
    /// How the value reaches the Config. The default of a key is what a default-constructed Config holds.
    struct Access {
        KnobKind kind;
        /// Stores the value (a service's key: in the last service). Returns "what is wrong; how to mend", or
        /// nothing. The kind and the range of integers were checked before.
        std::string (*set)(Config&, const KnobValue&);
        /// The present value as it would stand in the file.
        std::string (*show)(const Config&);
    };

    std::string_view section, key;
    bool required;
    std::int64_t min, max;  ///< of integers, both included; 0, 0 for other kinds
    Access access;
    std::string_view help;
};

/// All keys, grouped by section in the order in which a person would write them.
std::span<const Knob> knobs();

/// A Config with every default and one empty service, to show defaults from.
Config config_defaults();

}  // namespace holdfast
