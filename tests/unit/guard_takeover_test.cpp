// Stories of two nodes of which one dies or resigns: who takes over, and when.
#include "guard_stories.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::guard::test;

// ---- takeover ----

TEST_CASE("takeover: within lease + margin of the last heartbeat, and not before", "[guard]") {
    for (int us = 0; us < 6'000; us += 250) {
        Healthy w;
        w.run_for(microseconds(us));
        w.kill(0);
        const Instant death = w.now();
        REQUIRE(w.run_until([&] { return w.speaking(1); }, 100_ms));
        const Duration took = w.now() - death;
        INFO("took " << took.to_us() << " us");
        CHECK(took <= bound + 1_ms);
        CHECK(took >= bound - 6_ms);
        CHECK(w.node(1).last_reason == Reason::silence);
        CHECK(w.guard(1).last_detection() >= bound);
        CHECK(w.guard(1).last_detection() <= w.guard(1).detection_bound() + 1_ms);
        CHECK(logged(w.node(1), EventKind::takeover));
    }
}

TEST_CASE("takeover: two in a row, with a rejoin between", "[guard]") {
    Healthy w;
    w.kill(0);
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 50_ms));
    w.start(0);
    REQUIRE(w.run_until([&] { return w.is(0, State::ready); }, 200_ms));
    w.run_for(100_ms);
    w.kill(1);
    const Instant death = w.now();
    REQUIRE(w.run_until([&] { return w.speaking(0); }, 50_ms));
    CHECK(w.now() - death <= bound + 1_ms);
    CHECK(w.guard(0).term() == 4);
    CHECK(w.node(0).counted(Counter::became_active_silence) == 1);
}

TEST_CASE("takeover: a standby that is still syncing waits longer, then serves what it has", "[guard]") {
    World w;
    w.sync_time = 10_s;
    w.start(0);
    w.start(1);
    REQUIRE(w.run_until([&] { return w.is(1, State::syncing); }, 1_s));
    w.kill(0);
    w.run_for(290_ms);
    CHECK(w.active() == 2);
    CHECK(w.guard(1).hold() == Hold::syncing);
    CHECK(w.run_until([&] { return w.speaking(1); }, 60_ms));
}

TEST_CASE("takeover: the peer restarts at once, the ready standby takes over all the same", "[guard]") {
    Healthy w;
    w.kill(0);
    w.run_for(1_ms);
    w.start(0);
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 60_ms));
    CHECK(w.node(1).last_reason == Reason::restarted);
    REQUIRE(w.run_until([&] { return w.healthy(); }, 200_ms));
    CHECK(w.active() == 1);
}

TEST_CASE("takeover: not by a standby without a reference", "[guard]") {
    Healthy w;
    w.node(1).reference_up = false;
    w.run_for(100_ms);
    w.kill(0);
    w.run_for(1_s);
    CHECK(w.active() == 2);
    CHECK(w.guard(1).hold() == Hold::reference);
    w.node(1).reference_up = true;
    CHECK(w.run_until([&] { return w.speaking(1); }, 100_ms));
}

TEST_CASE("takeover: not while somebody answers for the virtual address", "[guard]") {
    Healthy w;
    w.squatter = true;
    w.kill(0);
    w.run_for(1_s);
    CHECK(w.active() == 2);
    CHECK(w.guard(1).hold() == Hold::vip);
    w.squatter = false;
    CHECK(w.run_until([&] { return w.speaking(1); }, 60_ms));
}

TEST_CASE("takeover: both dead and restarted, they serve again", "[guard]") {
    Healthy w;
    w.kill(0);
    w.kill(1);
    w.run_for(10_ms);
    w.start(1);
    w.start(0);
    CHECK(w.run_until([&] { return w.healthy(); }, 500_ms));
}

TEST_CASE("takeover: announced at once, repeated, and not for ever", "[guard]") {
    Healthy w;
    w.kill(0);
    w.run_for(2_s);
    CHECK(w.node(1).announcements >= 19);
    w.run_for(20_s);
    CHECK(w.node(1).announcements >= 99);
    CHECK(w.node(1).announcements <= 101);
}

// ---- resignation, stall, port ----

TEST_CASE("resign: the active stops first, the standby speaks a few milliseconds later", "[guard]") {
    Healthy w;
    const Instant before = w.now();
    REQUIRE(w.guard(0).resign(w.local(0, w.now())));
    CHECK_FALSE(w.speaking(0));
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 10_ms));
    CHECK(w.now() - before < 8_ms);
    CHECK(w.node(1).last_reason == Reason::resigned);
    w.kill(0);
    w.run_for(1_s);
    CHECK(w.active() == 1);
    CHECK(w.node(1).counted(Counter::lease_lapses) == 0);
}

TEST_CASE("resign: refused without a ready standby, and on a standby", "[guard]") {
    Healthy w;
    CHECK_FALSE(w.guard(1).resign(w.local(1, w.now())));
    w.kill(1);
    w.run_for(100_ms);
    CHECK_FALSE(w.guard(0).resign(w.local(0, w.now())));
    CHECK(w.speaking(0));
}

TEST_CASE("resign: nobody succeeds, so the node is active again", "[guard]") {
    Healthy w;
    REQUIRE(w.guard(0).resign(w.local(0, w.now())));
    w.kill(1);
    w.run_for(290_ms);
    CHECK(w.active() == 2);
    CHECK(w.run_until([&] { return w.speaking(0); }, 100_ms));
    CHECK(w.node(0).tables_dropped == 0);
}

TEST_CASE("resign: the word is stale when the standby was paused with it in its queue", "[guard]") {
    Healthy w;
    w.pause(1, 400_ms);
    w.run_for(2_ms);
    REQUIRE(w.guard(0).resign(w.local(0, w.now())));
    w.run_for(10_ms);
    w.cut_heartbeats();
    // Node 0 finds no successor, searches, and speaks again; then node 1 wakes up.
    REQUIRE(w.run_until([&] { return w.speaking(0); }, 380_ms));
    w.run_for(1_s);
    CHECK(w.active() == 0);
    CHECK(w.node(1).activations == 0);
}

TEST_CASE("a standby whose own client core stands does not take over", "[guard]") {
    Healthy w;
    w.node(1).cores_stalled = true;
    w.run_for(20_ms);
    w.kill(0);
    w.run_for(1_s);
    CHECK(w.active() == 2);
    CHECK(w.guard(1).hold() == Hold::stalled);
    w.node(1).cores_stalled = false;
    CHECK(w.run_until([&] { return w.speaking(1); }, bound + 10_ms));
}

TEST_CASE("a paused standby takes over in time when it wakes before its time", "[guard]") {
    Healthy w;
    w.kill(0);
    const Instant death = w.now();
    w.run_for(12_ms);
    w.pause(1, 20_ms);
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 100_ms));
    CHECK(w.now() - death <= bound + 1_ms);
    CHECK(w.node(1).counted(Counter::gaps) == 1);
}

TEST_CASE("a stalled core of the active: the standby withholds its lease and takes over", "[guard]") {
    Healthy w;
    w.node(0).cores_stalled = true;
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 30_ms + bound + 20_ms));
    CHECK(w.node(1).last_reason == Reason::stalled);
    w.node(0).cores_stalled = false;
    CHECK(w.run_until([&] { return w.healthy(); }, 300_ms));
}

TEST_CASE("a dead service port of the active: the standby takes over, unless its own is dead too",
          "[guard]") {
    Healthy w;
    w.node(0).inputs.link[0] = w.node(1).inputs.link[0] = false;
    w.run_for(500_ms);
    CHECK(w.active() == 0);
    CHECK(w.node(0).counted(Counter::lease_lapses) == 0);
    w.node(1).inputs.link[0] = true;
    REQUIRE(w.run_until([&] { return w.speaking(1); }, bound + 20_ms));
    CHECK(w.node(1).last_reason == Reason::port_down);
    w.run_for(1_s);
    CHECK(w.active() == 1);
}

TEST_CASE("a dead service port of the active: no takeover by a standby that cannot serve", "[guard]") {
    Healthy w;
    w.node(1).reference_up = false;
    w.run_for(100_ms);
    w.node(0).inputs.link[1] = false;
    w.run_for(1_s);
    CHECK(w.active() == 0);
    CHECK(w.longest_silence() == 0_s);
}

// ---- noise ----

TEST_CASE("noise: half of all heartbeats lost for a minute, no takeover, no lapse", "[guard]") {
    Healthy w;
    w.set_loss(300'000);
    w.run_for(60_s);
    CHECK(w.active() == 0);
    CHECK(w.node(1).activations == 0);
    CHECK(w.longest_silence() == 0_s);
}

TEST_CASE("events: the log of a takeover tells the story in order", "[guard]") {
    Healthy w;
    w.node(1).log.clear();
    w.kill(0);
    w.run_for(200_ms);
    std::vector<EventKind> kinds;
    for (const Event& e : w.node(1).log) kinds.push_back(e.kind);
    const std::vector<EventKind> expected{EventKind::peer_silent,  EventKind::peer_silent,
                                          EventKind::peer_silent,  EventKind::takeover,
                                          EventKind::role_changed, EventKind::solo_granted};
    CHECK(kinds == expected);
}
