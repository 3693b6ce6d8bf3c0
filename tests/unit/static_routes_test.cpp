// Routes: the longest prefix counts, in both families; frames go to the neighbour that it names.
#include "cores/net/static_routes.hpp"

#include <catch2/catch.hpp>

#include "lib/base/random.hpp"
#include "tests/support/interface_rig.hpp"

using namespace holdfast;
using namespace holdfast::test;

namespace {

Route route(const char* to, const char* via) { return {*Prefix::parse(to), ip(via)}; }

/// Somewhere near the prefixes of the random routes.
IpAddress draw_address(Random& random, bool v6) {
    auto a = ip(v6 ? "2001:db8::" : "10.0.0.0");
    for (unsigned i = v6 ? 4 : 13; i < 16; ++i)
        a.bytes[i] = static_cast<std::uint8_t>(random.below(3) == 0 ? random.below(256) : 0);
    return a;
}

Prefix draw_network(Random& random, bool v6) {
    Prefix p{draw_address(random, v6), static_cast<std::uint8_t>(random.between(v6 ? 32 : 8, v6 ? 128 : 32))};
    for (unsigned bit = p.length + (v6 ? 0u : 96u); bit < 128; ++bit)
        p.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
    return p;
}

const Route* longest(const std::vector<Route>& routes, const IpAddress& a) {
    const Route* best = nullptr;
    for (const auto& r : routes)
        if (r.to.contains(a) && (best == nullptr || r.to.length > best->to.length)) best = &r;
    return best;
}

net::InterfaceSettings routed(std::vector<Route> routes) {
    auto s = interface_settings();
    s.name = "rig";
    s.routes = std::move(routes);
    return s;
}

}  // namespace

TEST_CASE("routes: the longest of many prefixes, in both families", "[net]") {
    Random random(7);
    for (int round = 0; round < 20; ++round) {
        std::vector<Route> routes;
        while (routes.size() < 64) {
            const bool v6 = random.below(2) == 0;
            const auto to = draw_network(random, v6);
            if (std::none_of(routes.begin(), routes.end(), [&](const Route& r) { return r.to == to; }))
                routes.push_back({to, draw_address(random, v6)});
        }
        const net::StaticRoutes table("test", routes);
        for (int i = 0; i < 500; ++i) {
            const auto a = draw_address(random, random.below(2) == 0);
            const auto *expected = longest(routes, a), *found = table.find(a);
            REQUIRE((found == nullptr) == (expected == nullptr));
            if (expected != nullptr) REQUIRE(*found == *expected);
        }
    }
}

TEST_CASE("routes: two tables in a process, and one without routes", "[net]") {
    const net::StaticRoutes one("a", {route("10.8.0.0/16", "10.0.0.9")}),
        other("b", {route("10.8.0.0/16", "10.0.0.8")}), none("", {});
    CHECK(one.find(ip("10.8.1.1"))->via == ip("10.0.0.9"));
    CHECK(other.find(ip("10.8.1.1"))->via == ip("10.0.0.8"));
    CHECK(none.find(ip("10.8.1.1")) == nullptr);
    CHECK(one.find(ip("fd00::1")) == nullptr);
}

TEST_CASE("routes: a frame goes to the route's neighbour, the gateway's or its own", "[net]") {
    InterfaceRig rig(routed({route("10.8.0.0/16", "10.0.0.9"), route("10.8.9.0/24", "10.0.0.8"),
                             route("10.0.0.192/26", "10.0.0.7"), route("10.0.0.0/8", "10.0.0.6")}));
    const auto asked_for = [&](const char* destination) {
        rig.send(ip(destination));
        return rig.transmitted_arp().target;
    };
    CHECK(asked_for("10.8.1.1") == ip("10.0.0.9"));
    CHECK(asked_for("10.8.9.1") == ip("10.0.0.8"));
    CHECK(asked_for("192.0.2.1") == gateway);
    // A part of the port's own network lies behind a neighbour, the rest of it does not: less than the
    // network itself says nothing of it.
    CHECK(asked_for("10.0.0.200") == ip("10.0.0.7"));
    CHECK(asked_for("10.0.0.20") == ip("10.0.0.20"));
    CHECK(asked_for("10.9.0.1") == ip("10.0.0.6"));
}

TEST_CASE("routes: next hops never make room in the neighbour table", "[net]") {
    auto settings = routed({route("10.8.0.0/16", "10.0.0.9")});
    settings.neighbours = 8;
    InterfaceRig rig(std::move(settings));
    rig.receive_arp(true, ip("10.0.0.9"), neighbour_mac, own_address);
    for (int i = 20; i < 120; ++i) rig.net.query(ip(("10.0.0." + std::to_string(i)).c_str()), rig.now);
    (void)rig.transmitted();
    CHECK(rig.count(net::Counter::neighbours_forgotten) > 0);
    rig.send(ip("10.8.1.1"));
    const auto frames = rig.transmitted();
    REQUIRE(frames.size() == 1);
    CHECK(sim::destination_mac(frames[0]) == neighbour_mac);
}
