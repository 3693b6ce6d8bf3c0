// Stories of two nodes whose paths fail or that stand still: who stays silent, and who speaks.
#include "guard_stories.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::guard::test;

// ---- the standby dies, paths fail ----

TEST_CASE("the standby is killed: the active goes on without any gap", "[guard]") {
    for (int us = 0; us < 6'000; us += 250) {
        Healthy w;
        w.run_for(microseconds(us));
        w.kill(1);
        w.run_for(1_s);
        CHECK(w.longest_silence() == 0_s);
        CHECK(w.node(0).counted(Counter::lease_lapses) == 0);
        CHECK(w.node(0).counted(Counter::solo_entered) == 2);  // at boot, and now
        CHECK(w.is(0, State::solo));
        CHECK(w.guard(0).term() == 2);
        w.start(1);
        CHECK(w.run_until([&] { return w.healthy(); }, 200_ms));
        w.run_for(200_ms);
        CHECK(w.longest_silence() == 0_s);
    }
}

TEST_CASE("the standby is killed and no reference answers: the active falls silent in time", "[guard]") {
    Healthy w;
    w.node(0).reference_up = false;
    w.run_for(100_ms);
    CHECK(w.speaking(0));
    w.kill(1);
    w.run_for(31_ms);
    CHECK_FALSE(w.speaking(0));
    w.run_for(10_ms);
    CHECK(w.guard(0).hold() == Hold::reference);
    CHECK(logged(w.node(0), EventKind::lease_expired));
}

TEST_CASE("one path is enough", "[guard]") {
    for (unsigned keep = 0; keep < path_count; ++keep) {
        Healthy w;
        for (unsigned p = 0; p < path_count; ++p) {
            if (p == keep) continue;
            w.cut(0, static_cast<Path>(p));
            w.cut(1, static_cast<Path>(p));
        }
        w.run_for(1_s);
        CHECK(w.active() == 0);
        CHECK(w.node(0).counted(Counter::lease_lapses) == 0);
        CHECK(w.guard(1).paths_heard(w.local(1, w.now())) == 1u << keep);
        CHECK(logged(w.node(1), EventKind::peer_silent));
    }
}

TEST_CASE("the mirror link alone is cut: no takeover, the standby is no longer ready", "[guard]") {
    Healthy w;
    w.cut(0, Path::mirror);
    w.cut(1, Path::mirror);
    w.run_for(2_s);
    CHECK(w.active() == 0);
    CHECK(w.is(0, State::solo));
    CHECK(w.is(1, State::syncing));
    CHECK(w.node(0).counted(Counter::lease_lapses) == 0);
    w.cut(0, Path::mirror, true);
    w.cut(1, Path::mirror, true);
    CHECK(w.run_until([&] { return w.healthy(); }, 200_ms));
}

TEST_CASE("partition: heartbeats cut, the active answers for the virtual address and goes on alone",
          "[guard]") {
    Healthy w;
    w.cut_heartbeats();
    w.run_for(3_s);
    CHECK(w.active() == 0);
    CHECK(w.longest_silence() == 0_s);
    CHECK(w.node(1).activations == 0);
    CHECK(w.node(1).counted(Counter::vip_answers) > 10);
    w.cut_heartbeats(true);
    CHECK(w.run_until([&] { return w.healthy(); }, 200_ms));
    CHECK(w.node(0).tables_dropped == 0);
}

TEST_CASE("partition: the active is the isolated one: it falls silent, the standby takes over", "[guard]") {
    Healthy w;
    w.cut_heartbeats();
    w.arp(0).up = w.arp(1).up = false;
    w.node(0).reference_up = false;
    CHECK(w.run_until([&] { return w.speaking(1); }, bound + 5_ms));
    CHECK(w.is(0, State::suspended));
    w.run_for(1_s);
    w.cut_heartbeats(true);
    w.arp(0).up = w.arp(1).up = true;
    w.node(0).reference_up = true;
    CHECK(w.run_until([&] { return w.healthy(); }, 200_ms));
    CHECK(w.active() == 1);
    CHECK(w.node(0).tables_dropped == 1);
    CHECK(logged(w.node(0), EventKind::term_rejected));
}

TEST_CASE("partition: the standby is the isolated one: nothing happens", "[guard]") {
    Healthy w;
    w.cut_heartbeats();
    w.arp(0).up = w.arp(1).up = false;
    w.node(1).reference_up = false;
    w.run_for(3_s);
    CHECK(w.active() == 0);
    CHECK(w.longest_silence() == 0_s);
    CHECK(w.node(1).activations == 0);
}

TEST_CASE("partition in two halves that both have references: both serve, and the higher term wins after",
          "[guard]") {
    // The compromise of on_isolation = "serve" without a witness: each half sees a dead peer.
    World w;
    w.start(0);
    w.start(1);
    REQUIRE(w.run_until([&] { return w.healthy(); }, 1_s));
    w.cut_heartbeats();
    w.arp(0).up = w.arp(1).up = false;
    w.run_for(1_s);
    CHECK(w.speaking(0));
    CHECK(w.speaking(1));
    CHECK(w.violation());
    w.cut_heartbeats(true);
    w.arp(0).up = w.arp(1).up = true;
    REQUIRE(w.run_until([&] { return !w.speaking(0); }, 20_ms));
    CHECK(w.node(0).tables_dropped == 1);
    CHECK(w.node(1).tables_dropped == 0);
    CHECK(w.run_until([&] { return w.healthy(); }, 200_ms));
    CHECK(w.active() == 1);
}

TEST_CASE("one way: the standby is not heard, the active goes on alone, the standby hears it do so",
          "[guard]") {
    Healthy w;
    for (const Path p : {Path::client, Path::server, Path::mirror}) w.cut(1, p);
    w.run_for(3_s);
    CHECK(w.active() == 0);
    CHECK(w.longest_silence() == 0_s);
    CHECK(w.node(1).activations == 0);
}

TEST_CASE("one way: the active is not heard, the standby takes over, the active falls silent first",
          "[guard]") {
    Healthy w;
    for (const Path p : {Path::client, Path::server, Path::mirror}) w.cut(0, p);
    CHECK(w.run_until([&] { return w.speaking(1); }, bound * 2));
    CHECK_FALSE(w.speaking(0));
    w.run_for(10_ms);
    CHECK(w.is(0, State::syncing));
    CHECK(w.node(0).tables_dropped == 1);
}

TEST_CASE("one way: the active is not heard by a standby that could not succeed it, and goes on", "[guard]") {
    World w;
    w.sync_time = 100_s;
    w.start(0);
    w.start(1);
    REQUIRE(w.run_until([&] { return w.is(1, State::syncing); }, 1_s));
    w.run_for(100_ms);
    w.forget_silence();
    for (const Path p : {Path::client, Path::server, Path::mirror}) w.cut(0, p);
    w.run_for(3_s);
    CHECK(w.active() == 0);
    CHECK(w.longest_silence() == 0_s);
    CHECK_FALSE(w.violation());
}

// ---- pause and wake ----

TEST_CASE("pause: beyond the takeover, the old active wakes silent, asks, and gives way", "[guard]") {
    Healthy w;
    w.pause(0, 2_s);
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 60_ms));
    // Until it wakes nothing changes; then it must not speak, and soon follows.
    REQUIRE(w.run_until([&] { return w.node(0).last_step > Instant{} + 2_s; }, 3_s));
    CHECK_FALSE(w.speaking(0));
    CHECK(w.is(0, State::suspended));
    CHECK(w.node(0).tables_dropped == 0);
    REQUIRE(w.run_until([&] { return w.is(0, State::syncing); }, 10_ms));
    CHECK(w.node(0).tables_dropped == 1);
    CHECK(w.node(0).counted(Counter::yields) == 1);
    CHECK(w.run_until([&] { return w.healthy(); }, 200_ms));
    CHECK(w.active() == 1);
}

TEST_CASE("pause: shorter than the lease, nothing happens", "[guard]") {
    Healthy w;
    for (int i = 0; i < 20; ++i) {
        w.pause(0, 18_ms);
        w.run_for(50_ms);
    }
    CHECK(w.active() == 0);
    CHECK(w.node(0).counted(Counter::lease_lapses) == 0);
    CHECK(w.node(1).activations == 0);
}

TEST_CASE("pause: past the lease but not past the takeover, the standby's echo gives the lease back",
          "[guard]") {
    Healthy w;
    w.pause(0, 34_ms);
    REQUIRE(w.run_until([&] { return w.node(0).counted(Counter::lease_lapses) == 1; }, 50_ms));
    CHECK_FALSE(w.speaking(0));
    REQUIRE(w.run_until([&] { return w.speaking(0); }, 10_ms));
    CHECK(w.node(0).last_resumed == Resumed::sure);
    CHECK(w.guard(0).term() == 2);
    w.run_for(500_ms);
    CHECK(w.node(1).activations == 0);
    CHECK(w.node(0).tables_dropped == 0);
}

TEST_CASE("pause: of an active without a standby, it searches before it goes on, in a new term", "[guard]") {
    Healthy w;
    w.kill(1);
    w.run_for(300_ms);
    w.pause(0, 5_s);
    w.run_for(5_s + 1_ms);
    CHECK_FALSE(w.speaking(0));
    w.run_for(38_ms);
    CHECK_FALSE(w.speaking(0));
    CHECK(w.guard(0).hold() == Hold::vip);
    CHECK(w.run_until([&] { return w.speaking(0); }, 20_ms));
    CHECK(w.node(0).last_resumed == Resumed::unsure);
    CHECK(w.guard(0).term() == 4);
    CHECK(w.node(0).disk_term == 4);
    CHECK(w.node(0).tables_dropped == 0);
    CHECK(w.node(0).activations == 1);
}

TEST_CASE("pause: the successor was there and answers for the address, the paused one stays silent",
          "[guard]") {
    Healthy w;
    w.pause(0, 1_s);
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 60_ms));
    w.cut_heartbeats();
    w.run_for(3_s);
    CHECK(w.is(0, State::suspended));
    CHECK(w.node(0).tables_dropped == 0);
    CHECK(w.active() == 1);
}

TEST_CASE("pause: of the standby proves nothing about the active", "[guard]") {
    for (int ms = 10; ms <= 300; ms += 10) {
        Healthy w;
        w.pause(1, milliseconds(ms));
        w.run_for(milliseconds(ms) + 500_ms);
        INFO("paused for " << ms << " ms");
        CHECK(w.node(1).activations == 0);
        CHECK(w.longest_silence() == 0_s);
        CHECK(w.healthy());
    }
}

TEST_CASE("pause: between the decision and the frames, a new active finds its lease over", "[guard]") {
    Healthy w;
    w.kill(0);
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 60_ms));
    w.pause(1, 1_s);
    w.run_for(31_ms);
    CHECK_FALSE(w.speaking(1));
    w.run_for(1_s);
    CHECK(w.run_until([&] { return w.speaking(1); }, 100_ms));
    CHECK(w.node(1).counted(Counter::lease_lapses) == 1);
}

// ---- a rival on the wire ----

TEST_CASE("rival: a foreign frame from the virtual MAC makes the speaker announce again", "[guard]") {
    Healthy w;
    w.run_for(w.settings().announce_for + 1_s);
    const auto before = w.node(0).announcements;
    w.run_for(1_s);
    REQUIRE(w.node(0).announcements == before);
    w.guard(0).virtual_mac_heard(w.local(0, w.now()));
    w.guard(1).virtual_mac_heard(w.local(1, w.now()));
    w.run_for(250_ms);
    CHECK(w.node(0).announcements > before);
    CHECK(w.node(0).counted(Counter::vip_conflicts) == 1);
    CHECK(w.node(1).counted(Counter::vip_conflicts) == 0);
}
