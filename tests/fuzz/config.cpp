// The configuration loader on hostile text: a Config, or problems that can be shown; never anything else.
#include <string>

#include "lib/config/loader.hpp"
#include "tests/fuzz/target.hpp"

using namespace holdfast;

namespace {

constexpr std::size_t text_max = 8192;

/// Problems go to a terminal, one a line.
void require_printable(const std::string& line) {
    for (const char c : line)
        fuzz::require(static_cast<unsigned char>(c) >= ' ' && c != 0x7f,
                      "a problem holds a control character");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), std::min(size, text_max));
    try {
        const auto c = parse_config(text, "fuzz");
        fuzz::require(!c.services.empty() && c.services.size() <= Config::services_max, "no services");
        fuzz::require(c.key.size() >= 32, "a short key");
        for (const auto& s : c.services) fuzz::require(!s.backends.empty(), "a service without backends");
    } catch (const ConfigError& e) {
        fuzz::require(!e.problems().empty(), "refused, and nothing is wrong");
        for (const auto& line : e.problems()) {
            fuzz::require(line.starts_with("fuzz:"), "a problem without its place");
            require_printable(line);
        }
    }
    return 0;
}
