// Gates in the configuration: what goes together, and what does not.
#include "tests/unit/config_text.hpp"

using namespace holdfast;
using namespace holdfast::test;

namespace {

constexpr const char* service =
    "backends = [\"10.77.2.20:80\"]\ngate = [\"peer\"]                  # or [\"none\"]\n";

/// The sound configuration with `lines` in the place of its service's backends and gate, from line 34 on.
std::string with(const std::string& lines) { return said(service, lines.c_str()); }

Config parsed(const std::string& lines) {
    const KeyFile key;
    return parse_config(replaced(example(key), service, lines.c_str()), "c.toml");
}

}  // namespace

TEST_CASE("gates: an application takes the place of backends") {
    const auto c = parsed("gate = [\"app\", \"standby\"]\napplication = \"echo\"\ndegrade = true\n");
    const auto& s = c.services[0];
    CHECK(s.gate == (Gate::app | Gate::standby));
    CHECK(s.application == ApplicationKind::echo);
    CHECK(s.degrade);
    CHECK(s.backends.empty());
    CHECK(c.has_applications());
    CHECK_FALSE(parsed(service).has_applications());
    CHECK(parsed("gate = [\"app\"]\napplication = \"echo\"\n").services[0].gate == Gate::app);
}

TEST_CASE("gates: another process takes the place of backends") {
    const auto c = parsed("gate = [\"host\", \"standby\"]\nhost = \"net_memif1\"\nhost_timeout_ms = 300\n");
    const auto& s = c.services[0];
    CHECK(s.gate == (Gate::host | Gate::standby));
    CHECK(s.host == "net_memif1");
    CHECK(s.host_timeout == milliseconds(300));
    CHECK(c.has_applications());
    CHECK(parsed("gate = [\"host\"]\nhost = \"net_memif1\"\n").services[0].host_timeout == seconds(1));
}

TEST_CASE("gates: what does not go together is named with its mend") {
    const auto [lines, message] = GENERATE(table<const char*, const char*>({
        {"gate = [\"app\", \"peer\"]\napplication = \"echo\"\n",
         "c.toml:34: service[0].gate: holds \"app\" and \"peer\", but a session ends either here or at a "
         "backend; leave one of them out"},
        {"gate = [\"app\"]\n",
         "c.toml:31: service[0].application: is missing, and gate \"app\" waits for it; name one, as in "
         "\"echo\""},
        {"gate = [\"app\"]\napplication = \"ecco\"\n",
         "c.toml:35: service[0].application: \"ecco\" is no application; use \"none\", \"echo\" or "
         "\"journal\""},
        {"gate = [\"app\"]\napplication = \"echo\"\nbackends = [\"10.77.2.20:80\"]\n",
         "c.toml:36: service[0].backends: stand beside gate \"app\", which serves the clients itself; leave "
         "one out"},
        {"gate = [\"app\"]\napplication = \"echo\"\nproxy_protocol = 1\n",
         "c.toml:36: service[0].proxy_protocol: tells backends of clients, and gate \"app\" has none; leave "
         "it "
         "out"},
        {"gate = [\"app\"]\napplication = \"echo\"\nhealth_interval_ms = 2000\n",
         "c.toml:36: service[0].health_interval_ms: checks backends, and gate \"app\" has none; leave it "
         "out"},
        {"gate = [\"app\"]\napplication = \"echo\"\napplication_library = \"/usr/lib/libupper.so\"\n",
         "c.toml:36: service[0].application_library: stands beside application; one of them serves the "
         "clients, "
         "leave the other out"},
        {"gate = [\"app\"]\napplication_library = \"libupper.so\"\n",
         "c.toml:35: service[0].application_library: is no absolute path; name the file as in "
         "\"/usr/lib/holdfast/libupper.so\""},
        {"backends = [\"10.77.2.20:80\"]\napplication_library = \"/usr/lib/libupper.so\"\n",
         "c.toml:35: service[0].application_library: runs with gate \"app\" alone; set gate = [\"app\"] or "
         "leave "
         "the library out"},
        {"gate = [\"app\", \"app\"]\napplication = \"echo\"\n",
         "c.toml:34: service[0].gate: \"app\" is there twice; leave one of them out"},
        {"gate = [\"none\", \"app\"]\napplication = \"echo\"\n",
         "c.toml:34: service[0].gate: holds \"none\" beside another gate; leave one of them out"},
        {"backends = [\"10.77.2.20:80\"]\ngate = [\"standby\"]\n",
         "c.toml:35: service[0].gate: holds \"standby\" alone, so what is acknowledged nobody but the "
         "standby "
         "has: set mirror_payload = \"all\", or use [\"peer\", \"standby\"] or [\"app\", \"standby\"]"},
        {"backends = [\"10.77.2.20:80\"]\ngate = [\"standby\"]\nmirror_payload = \"tails\"\n",
         "c.toml:35: service[0].gate: holds \"standby\" alone, so what is acknowledged nobody but the "
         "standby "
         "has: set mirror_payload = \"all\", or use [\"peer\", \"standby\"] or [\"app\", \"standby\"]"},
        {"backends = [\"10.77.2.20:80\"]\ngate = [\"peer\", \"standby\"]\n",
         "c.toml:31: service[0].mirror_payload: is \"none\", so gate \"standby\" has nothing to wait for; "
         "set it "
         "to \"tails\" or \"all\", or use [\"peer\"]"},
        {"backends = [\"10.77.2.20:80\"]\napplication = \"echo\"\n",
         "c.toml:35: service[0].application: runs with gate \"app\" alone; set gate = [\"app\"] or leave the "
         "application out"},
        {"backends = [\"10.77.2.20:80\"]\ndegrade = true\n",
         "c.toml:35: service[0].degrade: is about gate \"standby\", which is not set; set it or leave "
         "degrade "
         "out"},
        {"gate = [\"host\", \"app\"]\nhost = \"net_memif1\"\napplication = \"echo\"\n",
         "c.toml:34: service[0].gate: holds \"host\" beside \"app\" or \"peer\", but one alone serves a "
         "session; leave the "
         "others out"},
        {"gate = [\"host\"]\n",
         "c.toml:31: service[0].host: is missing, and gate \"host\" waits for the process there; name the "
         "ethdev that leads to "
         "it, as in \"net_memif1\""},
        {"backends = [\"10.77.2.20:80\"]\nhost = \"net_memif1\"\n",
         "c.toml:35: service[0].host: is about gate \"host\", which is not set; set it or leave the key out"},
        {"gate = [\"host\"]\nhost = \"net_memif1\"\nbackends = [\"10.77.2.20:80\"]\n",
         "c.toml:36: service[0].backends: stand beside gate \"host\", which serves the clients itself; leave "
         "one out"},
        {"gate = [\"host\"]\nhost = \"net_af_xdp0\"\n",
         "c.toml:35: service[0].host: \"net_af_xdp0\" is a port of the node; give the process a device of "
         "its own"},
        {"gate = [\"app\"]\napplication = \"echo\"\nmirror_payload = \"all\"\n",
         "c.toml:36: service[0].mirror_payload: is about bytes on their way to a backend, and gates \"app\" "
         "and \"host\" have none; leave it out"},
        {"backends = [\"10.77.2.20:80\"]\ngate = [\"none\"]\nmirror_payload = \"all\"\n",
         "c.toml:36: service[0].mirror_payload: protects nothing that gate \"none\" has acknowledged "
         "already; "
         "use gate = [\"peer\"] or leave it out"},
        {"backends = [\"10.77.2.20:80\"]\nmirror_payload = \"some\"\n",
         "c.toml:35: service[0].mirror_payload: \"some\" is no choice of bytes; use \"none\", \"tails\" or "
         "\"all\""},
        {"gate = [\"peer\"]\n", "c.toml:31: service[0].backends: is empty; give at least one backend"},
    }));
    CHECK(with(lines) == message);
}

TEST_CASE("gates: payload may be mirrored behind gate peer") {
    CHECK_FALSE(parsed(service).mirrors_payload());
    const auto c = parsed("backends = [\"10.77.2.20:80\"]\nmirror_payload = \"tails\"\n");
    CHECK(c.services[0].mirror_payload == MirrorPayload::tails);
    CHECK(c.mirrors_payload());
    CHECK(parsed("backends = [\"10.77.2.20:80\"]\ngate = [\"peer\", \"standby\"]\nmirror_payload = \"all\"\n")
              .services[0]
              .gate == (Gate::peer | Gate::standby));
    CHECK(parsed("backends = [\"10.77.2.20:80\"]\ngate = [\"standby\"]\nmirror_payload = \"all\"\n")
              .services[0]
              .gate == Gate::standby);
    CHECK(
        said("[limits]", "[limits]\npayload_bytes = 65536\npayloads = 131072") ==
        "c.toml:53: limits.payloads: is less than four times limits.payload_bytes; choose at least 262144 or "
        "lower limits.payload_bytes");
}

TEST_CASE("gates: a journal has its directory, its bound and its place at the standby") {
    const auto c = parsed(
        "gate = [\"app\", \"standby\"]\napplication = \"journal\"\njournal_dir = \"/var/lib/j\"\n"
        "journal_max_bytes = 2097152\njournal_standby = \"durable\"\n");
    const auto& s = c.services[0];
    CHECK(s.application == ApplicationKind::journal);
    CHECK(s.journal_dir == "/var/lib/j");
    CHECK(s.journal_bytes_max == 2097152);
    CHECK(s.journal_standby == JournalStandby::durable);
}

TEST_CASE("gates: what a journal lacks, and what is said without one, is named with its mend") {
    const auto [lines, message] = GENERATE(table<const char*, const char*>({
        {"gate = [\"app\"]\napplication = \"journal\"\n",
         "c.toml:31: service[0].journal_dir: is missing, and application \"journal\" needs one; name a "
         "directory of its own, as in \"/var/lib/holdfast/journal\""},
        {"gate = [\"app\"]\napplication = \"echo\"\njournal_dir = \"/j\"\n",
         "c.toml:36: service[0].journal_dir: is about application \"journal\", which is not set; leave it "
         "out"},
        {"gate = [\"app\"]\napplication = \"echo\"\njournal_standby = \"durable\"\n",
         "c.toml:36: service[0].journal_standby: is about application \"journal\", which is not set; leave "
         "it "
         "out"},
        {"gate = [\"app\"]\napplication = \"journal\"\njournal_dir = \"/j\"\njournal_standby = "
         "\"durable\"\n",
         "c.toml:37: service[0].journal_standby: is about gate \"standby\", which is not set; set it or "
         "leave "
         "journal_standby out"},
        {"gate = [\"app\"]\napplication = \"journal\"\njournal_dir = \"/j\"\n\n[[service]]\nname = "
         "\"two\"\naddress = \"10.77.1.100:81\"\ngate = [\"app\"]\napplication = \"journal\"\njournal_dir = "
         "\"/j\"\n",
         "c.toml:43: service[1].journal_dir: is that of service web, too; give each journal its own"},
    }));
    CHECK(with(lines) == message);
}

TEST_CASE("gates: replies of one session fit into those of the lane") {
    CHECK(
        said("[limits]", "[limits]\nreply_bytes = 131072\nreplies = 65536") ==
        "c.toml:53: limits.replies: is less than what one session may hold; choose at least 131072 or lower "
        "limits.reply_bytes");
}
