#include <catch2/catch.hpp>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "cores/protocol/guard_settings.hpp"
#include "lib/base/random.hpp"
#include "lib/config/knobs.hpp"
#include "lib/config/loader.hpp"

using namespace holdfast;

namespace {

/// A key file that lives as long as the test.
struct KeyFile {
    KeyFile() {
        const int fd = mkstemp(path.data());
        REQUIRE(fd >= 0);
        const std::string bytes(32, 'k');
        REQUIRE(write(fd, bytes.data(), bytes.size()) == 32);
        close(fd);
    }
    ~KeyFile() { unlink(path.c_str()); }
    std::string path = "/tmp/holdfast-key-XXXXXX";
};

/// A sound configuration around `guard`, the lines of its section.
Config with_guard(const KeyFile& key, const std::string& guard) {
    return parse_config(R"([node]
id = 1
state_dir = "/nowhere"
[port.client]
device = "c"
address = "10.1.0.2/24"
virtual_mac = "02:48:46:00:01:00"
[port.server]
device = "s"
address = "10.2.0.2/24"
virtual_mac = "02:48:46:00:02:00"
snat = ["10.2.0.100"]
[port.mirror]
device = "m"
address = "10.3.0.2/24"
[mirror]
peer = "10.3.0.3"
[[service]]
name = "web"
address = "10.1.0.100:80"
backends = ["10.2.0.20:80"]
[guard]
key_file = ")" + key.path + "\"\n" +
                            guard,
                        "c.toml");
}

/// A value of a key's range; small ones as often as large ones.
std::int64_t draw(const Knob& knob, Random& random) {
    if (random.chance(50'000)) return knob.min;
    if (random.chance(50'000)) return knob.max;
    const double low = std::log(static_cast<double>(knob.min) + 1);
    const double high = std::log(static_cast<double>(knob.max) + 1);
    const double at = static_cast<double>(random.below(1'000'001)) / 1'000'000;
    return std::clamp(static_cast<std::int64_t>(std::exp(low + at * (high - low))) - 1, knob.min, knob.max);
}

/// Every number of the section [guard], drawn, and some references.
std::string draw_guard(Random& random) {
    std::string text;
    for (const Knob& knob : knobs())
        if (knob.section == "guard" && knob.access.kind == KnobKind::integer)
            text += std::string(knob.key) + " = " + std::to_string(draw(knob, random)) + "\n";
    text += "reference = [";
    for (auto left = random.below(19); left > 0; --left)
        text += "\"10.2.0." + std::to_string(random.between(20, 99)) + "\"" + (left > 1 ? ", " : "");
    return text + "]\n";
}

}  // namespace

TEST_CASE("whatever the loader accepts, the guard accepts") {
    const KeyFile key;
    Random random(2026);
    int accepted = 0, refused = 0;
    while (accepted < 2'000) {
        REQUIRE(accepted + refused < 200'000);
        const std::string guard = draw_guard(random);
        try {
            const Config config = with_guard(key, guard);
            INFO(guard);
            REQUIRE(settings_error(protocol::guard_settings(config, 1, 0)) == "");
            ++accepted;
        } catch (const ConfigError&) {
            ++refused;
        }
    }
    CHECK(refused > 1'000);
}

TEST_CASE("waiting times without a key follow a long lease") {
    const KeyFile key;
    const auto settings = [&](const std::string& guard) {
        return protocol::guard_settings(with_guard(key, guard), 1, 0);
    };
    const auto by_default = settings("");
    CHECK(by_default.syncing_wait == seconds(1));
    CHECK(by_default.echo_window == seconds(1));
    const auto longest = settings("lease_ms = 60000\nlease_margin_ms = 10000\nboot_wait_ms = 140000\n");
    CHECK(longest.syncing_wait == seconds(140));
    CHECK(longest.echo_window == seconds(60));
}
