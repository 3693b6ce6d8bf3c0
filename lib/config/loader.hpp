// Reads the configuration file. All or nothing: a Config comes out only if nothing at all was wrong.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lib/config/config.hpp"

namespace holdfast {

/// Everything that is wrong with a configuration, each as "file:line: section.key: what is wrong; how to
/// mend".
class ConfigError : public std::runtime_error {
  public:
    explicit ConfigError(std::vector<std::string> problems);
    const std::vector<std::string>& problems() const { return problems_; }

  private:
    std::vector<std::string> problems_;
};

/// Reads and checks the TOML file at `path` and the key file that it names. Throws ConfigError.
Config load_config(const std::string& path);

/// The same from text; `name` stands in messages where the path would.
Config parse_config(std::string_view text, std::string_view name);

/// All keys for people, in the order and notation of the file: section, key, default, range, meaning.
std::string describe_keys();

}  // namespace holdfast
