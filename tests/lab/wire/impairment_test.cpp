// The wire's faults in virtual time: a frame is its number, and what comes out is compared with when it went
// in.
#include "impairment.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::lossy;

namespace {

constexpr std::size_t kLength = 1'000;
constexpr int kMany = 20'000;

struct Out {
    std::uint32_t number;
    Instant at;
};

/// Frames every `gap` from time 1 s on, and what left until nothing was on its way.
class Run {
  public:
    explicit Run(Settings settings, Limits limits = {1'024, 50'000}) : impairment(limits, 7) {
        if (!settings.seed) settings.seed = 7;
        impairment.set(settings);
    }

    void send(std::uint32_t number, Instant at) {
        collect(at);
        std::array<std::byte, kLength> frame{};
        std::memcpy(frame.data(), &number, sizeof number);
        // In two pieces, as the VLAN tag makes them.
        const std::array<Bytes, 2> pieces{Bytes(frame).first(100), Bytes(frame).subspan(100)};
        impairment.receive(pieces, at);
    }

    void send_many(int count, Duration gap) {
        for (int i = 0; i < count; ++i) send(static_cast<std::uint32_t>(i), sent_at(i, gap));
        check_sum();
        collect(Instant::never());
        check_sum();
    }

    /// Nothing vanishes without a reason.
    void check_sum() const {
        CHECK(count(Count::received) + count(Count::duplicated) ==
              out.size() + impairment.on_the_way() + count(Count::lost) + count(Count::queue_full) +
                  count(Count::store_full));
        CHECK(count(Count::passed) == out.size());
    }

    static Instant sent_at(int number, Duration gap) { return Instant{} + 1_s + gap * number; }

    /// Takes out every frame at the very time it is due, and gives back what was lent.
    void collect(Instant until) {
        for (Instant now; (now = impairment.next_deadline()) <= until && !now.is_never();) {
            while (const std::size_t n = impairment.transmit(now, due_))
                for (const Bytes frame : std::span(due_).first(n)) out.push_back({number_of(frame), now});
        }
    }

    std::uint64_t count(Count which) const { return impairment.counters()[which]; }

    bool in_order() const {
        for (std::size_t i = 1; i < out.size(); ++i)
            if (out[i].number < out[i - 1].number) return false;
        return true;
    }

    Impairment impairment;
    std::vector<Out> out;

  private:
    static std::uint32_t number_of(Bytes frame) {
        REQUIRE(frame.size() == kLength);
        std::uint32_t number;
        std::memcpy(&number, frame.data(), sizeof number);
        return number;
    }

    std::array<Bytes, 3> due_;
};

std::vector<std::uint32_t> numbers(const Run& run) {
    std::vector<std::uint32_t> found;
    for (const Out& each : run.out) found.push_back(each.number);
    return found;
}

}  // namespace

TEST_CASE("wire: without settings every frame passes at once, whole and in order", "[wire]") {
    Run run({});
    run.send_many(1'000, 10_us);
    REQUIRE(run.out.size() == 1'000);
    for (int i = 0; i < 1'000; ++i) {
        CHECK(run.out[static_cast<std::size_t>(i)].number == static_cast<std::uint32_t>(i));
        CHECK(run.out[static_cast<std::size_t>(i)].at == Run::sent_at(i, 10_us));
    }
    CHECK(run.count(Count::passed_bytes) == 1'000 * kLength);
    CHECK(run.impairment.next_deadline().is_never());
}

TEST_CASE("wire: delay is exact", "[wire]") {
    Run run({.delay = 20_ms});
    run.send_many(100, 1_ms);
    REQUIRE(run.out.size() == 100);
    for (int i = 0; i < 100; ++i)
        CHECK(run.out[static_cast<std::size_t>(i)].at == Run::sent_at(i, 1_ms) + 20_ms);
}

TEST_CASE("wire: loss is the share that was asked for, and counted", "[wire]") {
    Run run({.loss_ppm = 30'000});
    run.send_many(kMany, 10_us);
    // 600 expected, standard deviation 24.
    CHECK(run.count(Count::lost) > 500);
    CHECK(run.count(Count::lost) < 700);
    CHECK(run.out.size() + run.count(Count::lost) == kMany);
}

TEST_CASE("wire: all and nothing are exact", "[wire]") {
    Run all({.loss_ppm = 1'000'000});
    all.send_many(1'000, 10_us);
    CHECK(all.out.empty());
    Run none({});
    none.send_many(1'000, 10_us);
    CHECK(none.count(Count::lost) == 0);
}

TEST_CASE("wire: the same seed loses the same frames, whatever the delay is", "[wire]") {
    Run a({.loss_ppm = 50'000, .seed = 3}), b({.loss_ppm = 50'000, .delay = 9_ms, .jitter = 5_ms, .seed = 3}),
        c({.loss_ppm = 50'000, .seed = 4});
    for (Run* each : {&a, &b, &c}) each->send_many(2'000, 10_us);
    CHECK(numbers(a) == numbers(b));
    CHECK(numbers(a) != numbers(c));
}

TEST_CASE("wire: a seed given again begins the same chances again", "[wire]") {
    const Settings settings{.loss_ppm = 50'000, .seed = 3};
    Run run(settings);
    run.send_many(1'000, 10_us);
    const auto first = numbers(run);
    run.impairment.set(settings);
    for (std::uint32_t i = 0; i < 1'000; ++i) run.send(i, Run::sent_at(0, 10_us) + 1_s);
    run.collect(Instant::never());
    auto twice = first;
    twice.insert(twice.end(), first.begin(), first.end());
    CHECK(numbers(run) == twice);
}

TEST_CASE("wire: jitter spreads delays over its range and lets nothing overtake", "[wire]") {
    for (const Duration gap : {10_us, 3_ms}) {  // a dense stream, and one in which each frame is alone
        Run run({.delay = 10_ms, .jitter = 2_ms});
        run.send_many(kMany, gap);
        REQUIRE(run.out.size() == kMany);
        CHECK(run.in_order());
        CHECK(run.count(Count::reordered) == 0);
        Duration least = 1_s, most = 0_s;
        for (const Out& each : run.out) {
            const Duration took = each.at - Run::sent_at(static_cast<int>(each.number), gap);
            least = std::min(least, took);
            most = std::max(most, took);
        }
        CHECK(least >= 10_ms);
        CHECK(least < milliseconds(10) + 300_us);
        CHECK(most <= 12_ms);
        CHECK(most > milliseconds(11) + 700_us);
    }
}

TEST_CASE("wire: a share of frames is held back, and only those are overtaken", "[wire]") {
    Run run({.reorder_ppm = 20'000, .delay = 10_ms, .jitter = 1_ms, .reorder_by = 2_ms});
    run.send_many(kMany, 100_us);
    REQUIRE(run.out.size() == kMany);
    CHECK(run.count(Count::reordered) > 300);
    CHECK(run.count(Count::reordered) < 500);
    std::uint32_t highest = 0;
    std::uint64_t overtaken = 0;
    for (const Out& each : run.out) {
        if (each.number < highest) ++overtaken;
        highest = std::max(highest, each.number);
    }
    CHECK(overtaken == run.count(Count::reordered));
}

TEST_CASE("wire: a frame held back without followers is not counted as reordered", "[wire]") {
    Run run({.reorder_ppm = 1'000'000, .reorder_by = 2_ms});
    run.send_many(100, 5_ms);
    CHECK(run.out.size() == 100);
    CHECK(run.count(Count::reordered) == 0);
}

TEST_CASE("wire: copies follow their frame at once, and are counted", "[wire]") {
    Run run({.dup_ppm = 100'000, .delay = 5_ms});
    run.send_many(kMany, 10_us);
    CHECK(run.in_order());
    CHECK(run.count(Count::duplicated) > 1'800);
    CHECK(run.count(Count::duplicated) < 2'200);
    CHECK(run.out.size() == kMany + run.count(Count::duplicated));
    std::map<std::uint32_t, int> seen;
    for (const Out& each : run.out) ++seen[each.number];
    CHECK(seen.size() == kMany);
    for (const auto& [number, times] : seen) CHECK(times <= 2);
}

TEST_CASE("wire: the rate spaces frames, and an idle wire sends the first one at its own speed", "[wire]") {
    Run run({.delay = 1_ms, .rate_bps = 80'000'000, .queue_bytes = 1'000'000});  // 1000 bytes in 100 us
    for (std::uint32_t i = 0; i < 50; ++i) run.send(i, Run::sent_at(0, 0_us));
    for (std::uint32_t i = 50; i < 60; ++i) run.send(i, Run::sent_at(1, 1_s));
    run.collect(Instant::never());
    REQUIRE(run.out.size() == 60);
    for (int i = 0; i < 50; ++i)
        CHECK(run.out[static_cast<std::size_t>(i)].at == Run::sent_at(0, 0_us) + 1_ms + 100_us * (i + 1));
    CHECK(run.out[50].at == Run::sent_at(1, 1_s) + 1_ms + 100_us);
}

TEST_CASE("wire: the rate's queue drops at its tail and never holds more than its bound", "[wire]") {
    Run run({.rate_bps = 80'000'000, .queue_bytes = 20'000});
    run.send_many(kMany, 50_us);  // twice the rate
    CHECK(run.count(Count::queue_full) + run.out.size() == kMany);
    CHECK(run.out.size() > kMany / 2);
    CHECK(run.out.size() < kMany / 2 + 25);
    CHECK(run.in_order());
    Duration most = 0_s;
    for (const Out& each : run.out)
        most = std::max(most, each.at - Run::sent_at(static_cast<int>(each.number), 50_us));
    CHECK(most <= 2_ms);
    CHECK(most > milliseconds(1) + 800_us);
}

TEST_CASE("wire: a frame larger than the queue still passes an idle wire", "[wire]") {
    Run run({.rate_bps = 80'000'000, .queue_bytes = 500});
    run.send_many(10, 1_ms);
    CHECK(run.out.size() == 10);
}

TEST_CASE("wire: the queue's default is one bandwidth-delay product and at least 64 KB", "[wire]") {
    CHECK(Settings{.rate_bps = 100'000'000}.queue_limit() == 65'536);
    CHECK(Settings{.delay = 20_ms, .rate_bps = 100'000'000}.queue_limit() == 500'000);
    CHECK(Settings{.delay = 2_s, .rate_bps = 10'000'000'000}.queue_limit() == 5'000'000'000);
    CHECK(Settings{.delay = 20_ms, .rate_bps = 100'000'000, .queue_bytes = 9}.queue_limit() == 9);
}

TEST_CASE("wire: a full store drops and counts, and is whole again once it is empty", "[wire]") {
    Run run({.delay = 1_s}, {1'024, 8});
    for (int round = 0; round < 3; ++round) {
        for (std::uint32_t i = 0; i < 10; ++i) run.send(i, Instant{} + 10_s * (round + 1));
        run.collect(Instant::never());
        CHECK(run.out.size() == 8U * static_cast<std::size_t>(round + 1));
        CHECK(run.count(Count::store_full) == 2U * static_cast<std::uint64_t>(round + 1));
    }
}

TEST_CASE("wire: frames on their way keep their times when the settings change, and stay ahead", "[wire]") {
    Run run({.delay = 50_ms, .rate_bps = 1'000'000, .queue_bytes = 1'000'000});
    for (std::uint32_t i = 0; i < 3; ++i) run.send(i, Run::sent_at(0, 0_us));  // 8 ms each
    run.impairment.set({});
    run.send(3, Run::sent_at(0, 0_us) + 1_ms);
    run.send(4, Run::sent_at(0, 0_us) + 200_ms);
    run.collect(Instant::never());
    REQUIRE(run.out.size() == 5);
    CHECK(run.in_order());
    CHECK(run.out[3].at == Run::sent_at(0, 0_us) + 74_ms);
    CHECK(run.out[4].at == Run::sent_at(0, 0_us) + 200_ms);
}

TEST_CASE("wire: settings are read, and a wrong word is named", "[wire]") {
    CHECK(parse_settings("") == Settings{});
    CHECK(parse_settings("loss_ppm=5 delay_ns=20 rate_bps=1000 vlan=7 seed=1 ") ==
          Settings{.loss_ppm = 5, .delay = 20_ns, .rate_bps = 1'000, .vlan = 7, .seed = 1});
    for (const std::string wrong :
         {"frob=1", "loss_ppm", "loss_ppm=", "loss_ppm=1000001", "delay_ns=-1", "vlan=4095"})
        CHECK_THROWS_WITH(parse_settings("dup_ppm=1 " + wrong), Catch::StartsWith(wrong + ": "));
}
