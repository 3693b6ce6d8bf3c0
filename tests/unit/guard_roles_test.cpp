// Stories of two nodes: who boots into what, who takes over and when, who stays silent.
#include <catch2/catch.hpp>

#include <algorithm>

#include "guard_harness.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::guard::test;

namespace {

/// Both nodes run and are in sync; node `first` is active.
struct Healthy : World {
    explicit Healthy(unsigned first = 0) {
        start(first);
        REQUIRE(run_until([&] { return speaking(first); }, 1_s));
        start(1 - first);
        REQUIRE(run_until([&] { return is(first, State::protected_) && is(1 - first, State::ready); }, 1_s));
        run_for(100_ms);
        forget_silence();
    }
    ~Healthy() { CHECK_FALSE(violation()); }
};

bool logged(const Node& n, EventKind kind) {
    return std::any_of(n.log.begin(), n.log.end(), [&](const Event& e) { return e.kind == kind; });
}

/// From the last heartbeat that can have left to the earliest and latest takeover by a ready standby.
constexpr Duration bound = 30_ms + 10_ms;

}  // namespace

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
