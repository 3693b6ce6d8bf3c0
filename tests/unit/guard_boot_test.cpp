// Stories of two nodes that start: who boots into what, and in which term.
#include "guard_stories.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::guard::test;

// ---- boot ----

TEST_CASE("boot: alone, a node waits, searches, and becomes active", "[guard]") {
    World w;
    w.start(1);
    w.run_for(w.settings().boot_wait - 1_ms);
    CHECK_FALSE(w.speaking(1));
    CHECK(w.run_until([&] { return w.speaking(1); }, 10_ms));
    CHECK(w.guard(1).term() == 1);
    CHECK(w.node(1).disk_term == 1);
    CHECK(w.node(1).last_reason == Reason::boot);
    CHECK(w.node(1).counted(Counter::vip_queries) > 5);
    CHECK(w.node(1).counted(Counter::vip_queries) < 20);
}

TEST_CASE("boot: together, in every order and distance, one is active and the other ready", "[guard]") {
    for (unsigned first = 0; first < 2; ++first) {
        for (int ms = 0; ms <= 400; ms += 7) {
            World w(static_cast<std::uint64_t>(ms));
            w.start(first);
            w.run_for(milliseconds(ms));
            w.start(1 - first);
            INFO("node " << first << " first, by " << ms << " ms: " << w.describe());
            CHECK(w.run_until([&] { return w.healthy(); }, 500_ms));
            CHECK(w.node(0).activations + w.node(1).activations == 1);
            CHECK_FALSE(w.violation());
        }
    }
}

TEST_CASE("boot: at once, node 0 becomes active without the whole wait", "[guard]") {
    World w;
    w.start(0);
    w.start(1);
    CHECK(w.run_until([&] { return w.healthy(); }, 100_ms));
    CHECK(w.active() == 0);
}

TEST_CASE("boot: node 1 goes first when node 0 cannot write its term", "[guard]") {
    World w;
    w.node(0).options.disk = seconds(-1);
    w.start(0);
    w.start(1);
    CHECK(w.run_until([&] { return w.speaking(1); }, 100_ms));
    w.run_for(1_s);
    CHECK(w.active() == 1);
    CHECK_FALSE(w.violation());
}

TEST_CASE("boot: a node that hears an active peer becomes its standby at once and never preempts",
          "[guard]") {
    Healthy w(1);
    CHECK(w.active() == 1);
    w.kill(0);
    w.run_for(500_ms);
    w.start(0);
    CHECK(w.run_until([&] { return w.is(0, State::syncing); }, 15_ms));
    w.run_for(5_s);
    CHECK(w.active() == 1);
    CHECK(w.is(0, State::ready));
    CHECK(w.node(1).counted(Counter::lease_lapses) == 0);
}

TEST_CASE("boot: a node does not take over from a peer that is suspended", "[guard]") {
    Healthy w;
    w.kill(1);
    w.run_for(200_ms);
    w.node(0).reference_up = false;
    REQUIRE(w.run_until([&] { return w.is(0, State::suspended); }, 100_ms));
    w.start(1);
    w.run_for(2_s);
    // The peer's echo is a lease: the old active goes on with its table.
    CHECK(w.active() == 0);
    CHECK(w.node(0).tables_dropped == 0);
    CHECK(w.node(0).counted(Counter::resumed_unsure) == 1);
    CHECK(w.guard(0).term() > 2);  // the peer may have served: a new term
    CHECK(w.node(1).activations == 0);
}

TEST_CASE("boot: isolated, a node never becomes active", "[guard]") {
    World w;
    w.node(0).reference_up = false;
    w.start(0);
    w.run_for(5_s);
    CHECK(w.active() == 2);
    CHECK(w.guard(0).hold() == Hold::reference);
    CHECK(w.node(0).counted(Counter::held_reference) == 1);
}

TEST_CASE("boot: no reference configured, a link on a service port has to do", "[guard]") {
    World w;
    w.settings().references = 0;
    w.node(0).reference_up = false;
    w.start(0);
    CHECK(w.run_until([&] { return w.speaking(0); }, 310_ms));
}

TEST_CASE("boot: with every heartbeat lost but queries heard, two that search make one speaker", "[guard]") {
    for (int us = -40'000; us <= 40'000; us += 500) {
        World w(static_cast<std::uint64_t>(us));
        w.cut_heartbeats();
        w.at(Instant{} + 50_ms, [&] { w.start(0); });
        w.at(Instant{} + 50_ms + microseconds(us), [&] { w.start(1); });
        w.run_for(1_s);
        INFO("node 1 later by " << us << " us");
        CHECK(w.active() != 2);
        CHECK_FALSE(w.violation());
        CHECK(w.node(0).activations + w.node(1).activations == 1);
    }
}

// ---- terms ----

TEST_CASE("terms: nobody becomes active in a term that is not stored", "[guard]") {
    World w;
    w.node(0).options.disk = 700_ms;
    w.start(0);
    w.run_for(690_ms);
    CHECK(w.active() == 2);
    CHECK(w.guard(0).hold() == Hold::term);
    CHECK(w.run_until([&] { return w.speaking(0); }, 60_ms));
    CHECK(w.node(0).disk_term == w.guard(0).term());
}

TEST_CASE("terms: reserved ahead, a takeover does not wait for a slow disk", "[guard]") {
    Healthy w;
    w.node(1).options.disk = 500_ms;
    w.kill(0);
    const Instant death = w.now();
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 100_ms));
    CHECK(w.now() - death <= bound + 1_ms);
    CHECK(w.node(1).disk_term == w.guard(1).term());
}

TEST_CASE("terms: a standby with a full disk stays one and says why", "[guard]") {
    World w;
    w.node(1).options.disk = seconds(-1);
    w.start(0);
    w.start(1);
    REQUIRE(w.run_until([&] { return w.healthy(); }, 1_s));
    w.kill(0);
    w.run_for(1_s);
    CHECK(w.active() == 2);
    CHECK(w.guard(1).hold() == Hold::term);
}

TEST_CASE("terms: grow through deaths and lives, above everything stored anywhere", "[guard]") {
    World w;
    w.node(0).options.stored_term = 10;
    w.node(1).options.stored_term = 33;
    w.start(0);
    w.start(1);
    REQUIRE(w.run_until([&] { return w.healthy(); }, 1_s));
    std::uint64_t last = 33;
    for (int i = 0; i < 10; ++i) {
        const unsigned a = w.active();
        REQUIRE(a < 2);
        CHECK(w.guard(a).term() > last);
        CHECK(belongs_to(w.guard(a).term(), a));
        CHECK(w.node(a).disk_term >= w.guard(a).term());
        last = w.guard(a).term();
        w.kill(a);
        REQUIRE(w.run_until([&] { return w.speaking(1 - a); }, 50_ms));
        w.start(a);
        REQUIRE(w.run_until([&] { return w.healthy(); }, 200_ms));
    }
    CHECK_FALSE(w.violation());
}

// ---- configurations that do not fit ----

TEST_CASE("lease: a peer with another lease is granted none, and is not succeeded", "[guard]") {
    for (unsigned active = 0; active < 2; ++active) {
        World w;
        w.start(active);
        REQUIRE(w.run_until([&] { return w.speaking(active); }, 2_s));
        w.settings().lease = w.settings().lease * 2;
        w.settings().boot_wait = w.settings().boot_wait * 2;
        w.start(1 - active);
        w.run_for(500_ms);
        CHECK(w.speaking(active));
        w.kill(active);
        w.run_for(5_s);
        CHECK_FALSE(w.speaking(1 - active));
        CHECK(w.guard(1 - active).hold() == Hold::lease);
        CHECK(w.node(1 - active).counted(Counter::held_lease) > 0);
    }
}

TEST_CASE("lease: of two that boot with different leases node 0 serves", "[guard]") {
    World w;
    w.start(0);
    w.settings().lease = w.settings().lease * 2;
    w.settings().boot_wait = w.settings().boot_wait * 2;
    w.start(1);
    w.run_for(10_s);
    CHECK(w.speaking(0));
    CHECK_FALSE(w.speaking(1));
}
