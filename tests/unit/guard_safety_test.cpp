// Seeds: faults drawn at random, then none; never two leases at once, and service comes back.
#include <catch2/catch.hpp>

#include "guard_harness.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::guard::test;

namespace {

void draw_clocks(World& w) {
    for (unsigned id = 0; id < 2; ++id) {
        w.node(id).options.drift_ppm = w.random().between(-1000, 1000);
        w.node(id).options.offset = Duration{w.random().between(0, 1'000'000'000'000)};
        w.node(id).options.disk = Duration{w.random().between(0, 30'000'000)};
    }
}

/// The default, the lab's, or short ones with a margin that drift and trips nearly use up.
void draw_times(World& w) {
    Settings& s = w.settings();
    if (w.random().chance(200'000)) s.references = 0;
    switch (w.random().below(3)) {
        case 0: return;
        case 1:
            s.heartbeat = 20_ms, s.lease = 150_ms, s.lease_margin = 50_ms, s.boot_wait = s.syncing_wait = 1_s;
            return;
        case 2:
            s.heartbeat = 3_ms, s.lease = 15_ms, s.lease_margin = 3_ms, s.boot_wait = s.syncing_wait = 100_ms;
            return;
    }
}

/// One fault, somewhere. Queries for the virtual address and their answers are spared: where those fail too,
/// "serve" promises nothing.
void draw_fault(World& w) {
    Random& r = w.random();
    const unsigned id = static_cast<unsigned>(r.below(2));
    const Path path = static_cast<Path>(r.below(path_count));
    switch (r.below(14)) {
        case 0: return w.kill(id);
        case 1:
        case 2:
            if (!w.node(id).alive()) w.start(id);
            return;
        case 3:
        case 4: return w.pause(id, Duration{r.between(1, 200) * 1'000'000});
        case 5: return w.cut(id, path, r.below(2) == 0);
        case 6: return w.cut_heartbeats();
        case 7: return w.cut_heartbeats(true);
        case 8: return w.set_loss(static_cast<std::uint32_t>(r.below(700'000)));
        case 9: w.node(id).reference_up = !w.node(id).reference_up; return;
        case 10:
            for (std::size_t p = 0; p < path_count; ++p) w.cut(id, static_cast<Path>(p), false);
            return;
        case 11:
            if (w.node(id).alive()) w.guard(id).resign(w.local(id, w.now()));
            return;
        case 12: w.node(id).inputs.link[r.below(2)] ^= true; return;
        case 13: w.node(id).cores_stalled = !w.node(id).cores_stalled; return;
    }
}

void end_faults(World& w) {
    w.cut_heartbeats(true);
    w.set_loss(0);
    w.long_lag_per_million = 0;
    for (unsigned id = 0; id < 2; ++id) {
        w.node(id).reference_up = true;
        w.node(id).cores_stalled = false;
        w.node(id).inputs.link = {true, true, true};
        if (!w.node(id).alive()) w.start(id);
    }
}

struct Coverage {
    std::uint64_t activations = 0, lapses = 0, searches = 0;
};

/// A safety phase with faults, then a liveness phase without.
void run_seed(std::uint64_t seed, Coverage& coverage) {
    World w(seed);
    draw_clocks(w);
    draw_times(w);
    w.sync_time = Duration{w.random().between(1, 100) * 1'000'000};
    w.long_lag_per_million = w.random().chance(300'000) ? 2'000 : 0;
    w.start(0);
    w.start(1);
    for (int fault = 0; fault < 30; ++fault) {
        w.run_for(Duration{w.random().between(0, w.random().chance(500'000) ? 20'000'000 : 300'000'000)});
        draw_fault(w);
    }
    end_faults(w);
    const bool served = w.run_until([&] { return w.healthy(); }, 3_s);
    INFO((w.violation() ? *w.violation() : w.describe()));
    REQUIRE_FALSE(w.violation());
    REQUIRE(served);
    for (unsigned id = 0; id < 2; ++id) {
        coverage.activations += w.node(id).activations;
        coverage.lapses += w.node(id).counted(Counter::lease_lapses);
        coverage.searches += w.node(id).counted(Counter::held_vip);
    }
}

}  // namespace

TEST_CASE("safety: simultaneous boot with half of the heartbeats lost", "[guard]") {
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        World w(seed);
        draw_clocks(w);
        w.set_loss(500'000);
        w.start(static_cast<unsigned>(seed & 1));
        w.run_for(Duration{w.random().between(0, 400'000'000)});
        w.start(1 - static_cast<unsigned>(seed & 1));
        const bool served = w.run_until([&] { return w.healthy(); }, 2_s);
        w.run_for(300_ms);
        INFO(w.describe());
        REQUIRE(served);
        REQUIRE_FALSE(w.violation());
    }
}

TEST_CASE("safety: whatever fails, never two leases at once; when nothing fails, service", "[guard]") {
    Coverage coverage;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) run_seed(seed, coverage);
    // The faults were there.
    CHECK(coverage.activations > 2'000);
    CHECK(coverage.lapses > 300);
    CHECK(coverage.searches > 1'000);
}

TEST_CASE("safety: the same for many more seeds", "[.][guard-soak]") {
    Coverage coverage;
    for (std::uint64_t seed = 1'001; seed <= 30'000; ++seed) run_seed(seed, coverage);
}

TEST_CASE("safety: the same seed gives the same run", "[guard]") {
    const auto run = [](std::uint64_t seed) {
        World w(seed);
        draw_clocks(w);
        w.start(0);
        w.start(1);
        for (int fault = 0; fault < 20; ++fault) {
            w.run_for(Duration{w.random().between(0, 100'000'000)});
            draw_fault(w);
        }
        return w.describe();
    };
    CHECK(run(7) == run(7));
    CHECK(run(7) != run(8));
}
