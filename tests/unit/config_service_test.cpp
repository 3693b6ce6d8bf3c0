// What a service may ask of its backends and its clients.
#include "tests/unit/config_text.hpp"

using namespace holdfast;
using namespace holdfast::test;

namespace {

constexpr const char* gate = "gate = [\"peer\"]                  # or [\"none\"]\n";

/// The sound configuration with more lines in its service, from line 36 on.
std::string with(const std::string& lines) { return said(gate, (gate + lines).c_str()); }

}  // namespace

TEST_CASE("every setting of a service reaches its place") {
    const KeyFile key;
    const auto text = replaced(
        example(key), gate,
        "gate = [\"none\"]\nbalance = \"source_hash\"\nconnect_timeout_ms = 700\nhealth_interval_ms = 900\n"
        "health_timeout_ms = 300\nhealth_rise = 4\nhealth_fall = 5\nproxy_protocol = 2\nsessions_max = 6\n"
        "sessions_per_source_max = 7\naccept_rate = 8\nidle_timeout_s = 9\nhandshake_timeout_ms = 1000\n");
    const auto c = parse_config(text, "c.toml");
    const auto& s = c.services.at(0);
    CHECK(s.balance == Balance::source_hash);
    CHECK(s.connect_timeout == milliseconds(700));
    CHECK(s.health.interval == milliseconds(900));
    CHECK(s.health.timeout == milliseconds(300));
    CHECK(s.health.rise == 4);
    CHECK(s.health.fall == 5);
    CHECK(s.proxy_protocol == 2);
    CHECK(s.sessions_max == 6);
    CHECK(s.sessions_per_source_max == 7);
    CHECK(s.accept_rate == 8);
    CHECK(s.idle_timeout == seconds(9));
    CHECK(s.handshake_timeout == milliseconds(1000));
}

TEST_CASE("more backends than a choice may look through are refused") {
    std::string list;
    for (int i = 0; i < 257; ++i)
        list += (i == 0 ? "\"10.77.2.20:" : ", \"10.77.2.20:") + std::to_string(1000 + i) + "\"";
    CHECK(said("\"10.77.2.20:80\"", list) ==
          "c.toml:34: service[0].backends: there are 257; choose at most 256");
}

TEST_CASE("a wrong setting of a service is named with its mend") {
    const auto [lines, message] = GENERATE(table<const char*, const char*>({
        {"balance = \"random\"\n",
         "c.toml:36: service[0].balance: \"random\" is no way to choose a backend; use \"round_robin\", "
         "\"least_sessions\" or \"source_hash\""},
        {"proxy_protocol = 3\n",
         "c.toml:36: service[0].proxy_protocol: 3 is out of range; write an integer from 0 to 2"},
        {"connect_timeout_ms = 60000\n",
         "c.toml:36: service[0].connect_timeout_ms: 60000 is out of range; write an integer from 100 to "
         "30000"},
        {"health_interval_ms = 500\n",
         "c.toml:31: service[0].health_timeout_ms: is longer than health_interval_ms; choose at most 500"},
        {"health_interval_ms = 500\nhealth_timeout_ms = 501\n",
         "c.toml:37: service[0].health_timeout_ms: is longer than health_interval_ms; choose at most 500"},
        {"health_intervall_ms = 500\n",
         "c.toml:36: service[0].health_intervall_ms: unknown key; did you mean \"health_interval_ms\"?"},
    }));
    CHECK(with(lines) == message);
}
