#include "lib/config/gate_checks.hpp"

namespace holdfast {
namespace {

/// Keys that speak of backends, beside gate `here`, which has none.
void check_backend_keys(const ServiceConfig& s, const std::string& section, const std::string& here,
                        Problems& problems) {
    if (!s.backends.empty())
        problems.add(section + ".backends",
                     "stand beside gate \"" + here + "\", which serves the clients itself; leave one out");
    if (s.proxy_protocol != 0)
        problems.add(section + ".proxy_protocol",
                     "tells backends of clients, and gate \"" + here + "\" has none; leave it out");
    if (s.health.interval > Duration{})
        problems.add(section + ".health_interval_ms",
                     "checks backends, and gate \"" + here + "\" has none; leave it out");
}

/// An application from a file.
void check_library(const ServiceConfig& s, const std::string& section, Problems& problems) {
    if (s.application_library.empty()) return;
    if (s.application_library.front() != '/')
        problems.add(section + ".application_library",
                     "is no absolute path; name the file as in \"/usr/lib/holdfast/libupper.so\"");
    if (s.application != ApplicationKind::none)
        problems.add(section + ".application_library",
                     "stands beside application; one of them serves the clients, leave the other out");
    if (!has(s.gate, Gate::app))
        problems.add(section + ".application_library",
                     "runs with gate \"app\" alone; set gate = [\"app\"] or leave the library out");
}

/// Gate host and its link.
void check_host(const ServiceConfig& s, const std::string& section, Problems& problems) {
    const bool host = has(s.gate, Gate::host);
    if (host && has(s.gate, Gate::peer | Gate::app))
        problems.add(section + ".gate",
                     "holds \"host\" beside \"app\" or \"peer\", but one alone serves a session; "
                     "leave the others out");
    if (host && s.host.empty())
        problems.add(section + ".host",
                     "is missing, and gate \"host\" waits for the process there; name the ethdev that "
                     "leads to it, as in \"net_memif1\"");
    if (!host && !s.host.empty())
        problems.add(section + ".host",
                     "is about gate \"host\", which is not set; set it or leave the key out");
}

/// What is mirrored of the bytes on their way to a backend, and which gates go with it.
void check_payload(const ServiceConfig& s, const std::string& section, Problems& problems) {
    if (s.mirror_payload == MirrorPayload::none) return;
    if (has(s.gate, served_here))
        problems.add(
            section + ".mirror_payload",
            "is about bytes on their way to a backend, and gates \"app\" and \"host\" have none; leave it "
            "out");
    else if (s.gate == Gate::none)
        problems.add(section + ".mirror_payload",
                     "protects nothing that gate \"none\" has acknowledged already; use gate = [\"peer\"] or "
                     "leave it out");
}

void check_journal(const ServiceConfig& s, const std::string& section, Problems& problems) {
    const bool journal = s.application == ApplicationKind::journal;
    const ServiceConfig defaults;
    if (journal && s.journal_dir.empty())
        problems.add(section + ".journal_dir",
                     "is missing, and application \"journal\" needs one; name a directory of its own, as in "
                     "\"/var/lib/holdfast/journal\"");
    const auto only = [&](bool said, const char* key) {
        if (!journal && said)
            problems.add(section + key, "is about application \"journal\", which is not set; leave it out");
    };
    only(!s.journal_dir.empty(), ".journal_dir");
    only(s.journal_bytes_max != defaults.journal_bytes_max, ".journal_max_bytes");
    only(s.journal_standby != defaults.journal_standby, ".journal_standby");
    if (journal && s.journal_standby == JournalStandby::durable && !has(s.gate, Gate::standby))
        problems.add(section + ".journal_standby",
                     "is about gate \"standby\", which is not set; set it or leave journal_standby out");
}

}  // namespace

void check_journal_directories(const std::vector<ServiceConfig>& services, Problems& problems) {
    for (std::size_t i = 0; i < services.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (!services[i].journal_dir.empty() && services[i].journal_dir == services[j].journal_dir)
                problems.add("service[" + std::to_string(i) + "].journal_dir",
                             "is that of service " + services[j].name + ", too; give each journal its own");
}

void check_gates(const ServiceConfig& s, const std::string& section, Problems& problems) {
    const bool app = has(s.gate, Gate::app), standby = has(s.gate, Gate::standby);
    if (app && has(s.gate, Gate::peer))
        problems.add(section + ".gate",
                     "holds \"app\" and \"peer\", but a session ends either here or at a "
                     "backend; leave one of them out");
    const bool mirrored = s.mirror_payload != MirrorPayload::none;
    if (is_entrusted(s.gate) && s.mirror_payload != MirrorPayload::all)
        problems.add(section + ".gate",
                     "holds \"standby\" alone, so what is acknowledged nobody but the standby has: set "
                     "mirror_payload = \"all\", or use [\"peer\", \"standby\"] or [\"app\", \"standby\"]");
    else if (standby && has(s.gate, Gate::peer) && !mirrored)
        problems.add(
            section + ".mirror_payload",
            "is \"none\", so gate \"standby\" has nothing to wait for; set it to \"tails\" or \"all\", "
            "or use [\"peer\"]");
    check_host(s, section, problems);
    check_library(s, section, problems);
    if (app && s.application == ApplicationKind::none && s.application_library.empty())
        problems.add(section + ".application",
                     "is missing, and gate \"app\" waits for it; name one, as in \"echo\"");
    if (!app && s.application != ApplicationKind::none)
        problems.add(section + ".application",
                     "runs with gate \"app\" alone; set gate = [\"app\"] or leave the application out");
    if (s.degrade && !standby)
        problems.add(section + ".degrade",
                     "is about gate \"standby\", which is not set; set it or leave degrade out");
    check_payload(s, section, problems);
    if (has(s.gate, served_here)) check_backend_keys(s, section, app ? "app" : "host", problems);
    check_journal(s, section, problems);
}

}  // namespace holdfast
