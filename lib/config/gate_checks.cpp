#include "lib/config/gate_checks.hpp"

namespace holdfast {
namespace {

/// Keys that speak of backends, beside an application that takes their place.
void check_backend_keys(const ServiceConfig& s, const std::string& section, Problems& problems) {
    if (!s.backends.empty())
        problems.add(section + ".backends",
                     "stand beside gate \"app\", whose application serves the clients itself; leave one out");
    if (s.proxy_protocol != 0)
        problems.add(section + ".proxy_protocol",
                     "tells backends of clients, and gate \"app\" has none; leave it out");
    if (s.health.interval > Duration{})
        problems.add(section + ".health_interval_ms",
                     "checks backends, and gate \"app\" has none; leave it out");
}

}  // namespace

void check_gates(const ServiceConfig& s, const std::string& section, Problems& problems) {
    const bool app = has(s.gate, Gate::app), standby = has(s.gate, Gate::standby);
    if (app && has(s.gate, Gate::peer))
        problems.add(section + ".gate",
                     "holds \"app\" and \"peer\", but a session ends either here or at a "
                     "backend; leave one of them out");
    if (standby && !app)
        problems.add(
            section + ".gate",
            "holds \"standby\" without \"app\": bytes on their way to a backend are not mirrored; use "
            "[\"peer\"], which needs no more, or [\"app\", \"standby\"]");
    const bool library = !s.application_library.empty();
    if (library && s.application_library.front() != '/')
        problems.add(section + ".application_library",
                     "is no absolute path; name the file as in \"/usr/lib/holdfast/libupper.so\"");
    if (library && s.application != ApplicationKind::none)
        problems.add(section + ".application_library",
                     "stands beside application; one of them serves the clients, leave the other out");
    if (library && !app)
        problems.add(section + ".application_library",
                     "runs with gate \"app\" alone; set gate = [\"app\"] or leave the library out");
    if (app && s.application == ApplicationKind::none && !library)
        problems.add(section + ".application",
                     "is missing, and gate \"app\" waits for it; name one, as in \"echo\"");
    if (!app && s.application != ApplicationKind::none)
        problems.add(section + ".application",
                     "runs with gate \"app\" alone; set gate = [\"app\"] or leave the application out");
    if (s.degrade && !standby)
        problems.add(section + ".degrade",
                     "is about gate \"standby\", which is not set; set it or leave degrade out");
    if (app) check_backend_keys(s, section, problems);
}

}  // namespace holdfast
