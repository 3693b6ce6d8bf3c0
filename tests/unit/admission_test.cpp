#include "cores/proxy/admission.hpp"

#include <catch2/catch.hpp>

using namespace holdfast;
using namespace holdfast::literals;
using proxy::Admission;
using Verdict = Admission::Verdict;

namespace {

Config one_service(void (*set)(ServiceConfig&)) {
    Config c;
    c.limits.sessions = 16;
    c.services.emplace_back();
    set(c.services.back());
    return c;
}

std::string next_name() {
    static int n = 0;
    return "ad" + std::to_string(n++);
}

struct Rig {
    explicit Rig(void (*set)(ServiceConfig&))
        : config(one_service(set)), admission(config, next_name(), -1) {}
    Verdict judge(const char* client, Instant now = {}) {
        return admission.judge(0, *IpAddress::parse(client), now);
    }
    void begin(const char* client) { admission.session_began(0, *IpAddress::parse(client)); }
    void end(const char* client) { admission.session_ended(0, *IpAddress::parse(client)); }
    Config config;
    Admission admission;
};

}  // namespace

TEST_CASE("a service without limits admits") {
    Rig rig([](ServiceConfig&) {});
    for (int i = 0; i < 1000; ++i) {
        rig.begin("192.0.2.1");
        CHECK(rig.judge("192.0.2.1") == Verdict::admitted);
    }
}

TEST_CASE("counts by source are exact, and a table of all sources is never too small") {
    Rig rig([](ServiceConfig& s) { s.sessions_per_source_max = 2; });
    for (int round = 0; round < 3; ++round) {
        // As many sources as sessions.
        for (int i = 0; i < 16; ++i) rig.begin(("192.0.2." + std::to_string(i)).c_str());
        CHECK(rig.judge("192.0.2.5") == Verdict::admitted);
        for (int i = 0; i < 16; ++i) rig.end(("192.0.2." + std::to_string(i)).c_str());
    }
    rig.begin("192.0.2.5");
    CHECK(rig.judge("192.0.2.5") == Verdict::admitted);
    rig.begin("192.0.2.5");
    CHECK(rig.judge("192.0.2.5") == Verdict::source_full);
    CHECK(rig.judge("192.0.2.6") == Verdict::admitted);
    rig.end("192.0.2.5");
    CHECK(rig.judge("192.0.2.5") == Verdict::admitted);
}

TEST_CASE("an IPv6 source is its /64") {
    Rig rig([](ServiceConfig& s) { s.sessions_per_source_max = 1; });
    rig.begin("2001:db8:1:2:3:4:5:6");
    CHECK(rig.judge("2001:db8:1:2::99") == Verdict::source_full);
    CHECK(rig.judge("2001:db8:1:3::99") == Verdict::admitted);
}

TEST_CASE("the rate: a second's worth at once, then one each share of a second") {
    Rig rig([](ServiceConfig& s) { s.accept_rate = 10; });
    Instant now{};
    for (int i = 0; i < 10; ++i) CHECK(rig.judge("192.0.2.1", now) == Verdict::admitted);
    CHECK(rig.judge("192.0.2.1", now) == Verdict::over_rate);
    now = now + 99_ms;
    CHECK(rig.judge("192.0.2.1", now) == Verdict::over_rate);
    now = now + 1_ms;
    CHECK(rig.judge("192.0.2.1", now) == Verdict::admitted);
    CHECK(rig.judge("192.0.2.1", now) == Verdict::over_rate);
    // Idle time is not saved beyond a second.
    now = now + 60_s;
    int admitted = 0;
    while (rig.judge("192.0.2.1", now) == Verdict::admitted) ++admitted;
    CHECK(admitted == 10);
}

TEST_CASE("a refused client takes nothing of the rate") {
    Rig rig([](ServiceConfig& s) {
        s.accept_rate = 1;
        s.sessions_max = 1;
    });
    rig.begin("192.0.2.1");
    CHECK(rig.judge("192.0.2.1") == Verdict::service_full);
    rig.end("192.0.2.1");
    CHECK(rig.judge("192.0.2.1") == Verdict::admitted);
}
