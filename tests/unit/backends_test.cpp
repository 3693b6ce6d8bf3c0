#include "cores/proxy/backends.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace holdfast;
using namespace holdfast::literals;
using proxy::BackendReason;
using proxy::Backends;
using proxy::Tried;

namespace {

Config make_config(Balance balance, unsigned backends) {
    Config c;
    c.limits.sessions = 64;
    c.limits.ring = 64;
    ServiceConfig s;
    s.name = "web";
    s.address = *Endpoint::parse("10.0.0.1:80");
    for (unsigned i = 0; i < backends; ++i)
        s.backends.push_back({IpAddress::from_v4(static_cast<std::uint32_t>(0x0a000100 + i)), 8080});
    s.balance = balance;
    s.health.interval = 1_s;
    s.health.rise = 2;
    s.health.fall = 3;
    c.services.push_back(s);
    c.key.assign(32, 1);
    return c;
}

std::string next_name() {
    static int n = 0;
    return "be" + std::to_string(n++);
}

struct Rig {
    explicit Rig(Balance balance = Balance::round_robin, unsigned count = 4)
        : config(make_config(balance, count)),
          secrets(config.key),
          lane(next_name(), config, -1),
          backends(config, secrets, lane) {}
    std::uint16_t choose(std::uint32_t client = 1, const Tried& tried = {}) {
        return backends.choose(0, IpAddress::from_v4(client), tried);
    }
    Config config;
    tcp::Secrets secrets;
    proxy::Lane lane;
    Backends backends;
};

}  // namespace

TEST_CASE("round robin goes through those that are up and not drained") {
    Rig rig;
    for (std::uint16_t b : {0, 1, 2, 3, 0}) CHECK(rig.choose() == b);
    rig.lane.backends[1].drained = true;
    rig.lane.backends[2].up = false;
    for (std::uint16_t b : {3, 0, 3, 0}) CHECK(rig.choose() == b);
    Tried tried;
    tried.add(0);
    tried.add(3);
    CHECK(rig.choose(1, tried) == Backends::none);
    CHECK_FALSE(rig.backends.has_choice(0, tried));
    CHECK(rig.backends.has_choice(0, {}));
}

TEST_CASE("least_sessions takes the one with the fewest") {
    Rig rig(Balance::least_sessions, 3);
    rig.backends.session_began(0, 0);
    rig.backends.session_began(0, 1);
    CHECK(rig.choose() == 2);
    rig.backends.session_began(0, 2);
    rig.backends.session_ended(0, 1);
    CHECK(rig.choose() == 1);
}

TEST_CASE("source_hash: stable, even, alike on both nodes, and a loss moves nobody else") {
    constexpr unsigned clients = 4000;
    Rig rig(Balance::source_hash), other(Balance::source_hash);
    std::vector<std::uint16_t> before;
    std::map<std::uint16_t, unsigned> share;
    for (unsigned c = 0; c < clients; ++c) {
        before.push_back(rig.choose(c));
        ++share[before.back()];
        CHECK(other.choose(c) == before.back());
    }
    for (const auto& [backend, n] : share) {
        CHECK(n > clients / 4 * 8 / 10);
        CHECK(n < clients / 4 * 12 / 10);
    }
    rig.lane.backends[2].up = false;
    for (unsigned c = 0; c < clients; ++c) {
        const auto now = rig.choose(c);
        if (before[c] == 2) CHECK(now != 2);
        else CHECK(now == before[c]);
    }
    rig.lane.backends[2].up = true;
    for (unsigned c = 0; c < clients; ++c) CHECK(rig.choose(c) == before[c]);
}

TEST_CASE("fall failures in a row take a backend down, rise answers in a row bring it back") {
    Rig rig;
    auto& cell = rig.lane.backends[0];
    CHECK_FALSE(rig.backends.failed(0, 0, BackendReason::silent));
    CHECK_FALSE(rig.backends.failed(0, 0, BackendReason::silent));
    rig.backends.answered(0, 0);
    CHECK_FALSE(rig.backends.failed(0, 0, BackendReason::silent));
    CHECK_FALSE(rig.backends.failed(0, 0, BackendReason::silent));
    CHECK(cell.up);
    CHECK(rig.backends.failed(0, 0, BackendReason::refuses));
    CHECK_FALSE(cell.up);
    CHECK(cell.reason == BackendReason::refuses);
    CHECK_FALSE(rig.backends.answered(0, 0));
    rig.backends.failed(0, 0, BackendReason::silent);
    CHECK_FALSE(rig.backends.answered(0, 0));
    CHECK(rig.backends.answered(0, 0));
    CHECK(cell.up);
}

TEST_CASE("without checks nothing takes a backend down: nobody would bring it back") {
    Rig rig;
    rig.config.services[0].health.interval = {};
    for (int i = 0; i < 100; ++i) CHECK_FALSE(rig.backends.failed(0, 0, BackendReason::refuses));
    CHECK(rig.lane.backends[0].up);
}

TEST_CASE("who becomes active assumes the best") {
    Rig rig;
    for (int i = 0; i < 3; ++i) rig.backends.failed(0, 1, BackendReason::silent);
    CHECK_FALSE(rig.lane.backends[1].up);
    rig.backends.assume_up();
    CHECK(rig.lane.backends[1].up);
    CHECK_FALSE(rig.backends.failed(0, 1, BackendReason::silent));
}
