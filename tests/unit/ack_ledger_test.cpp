// The ledger: acknowledged <= releasable <= received, and no ACK number where a sender would see reneging
// (R1).
#include "cores/tcp/ack_ledger.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "lib/base/random.hpp"

using namespace holdfast;
using tcp::AckLedger;

namespace {

AckLedger started(Position at) {
    AckLedger ledger;
    ledger.start(at);
    return ledger;
}

}  // namespace

TEST_CASE("ledger: what is received is not acknowledged before it is released", "[tcp]") {
    auto l = started(1);
    l.receive_until(101);
    CHECK(l.ack_number() == 1);
    CHECK_FALSE(l.nothing_withheld());
    CHECK(l.release_until(51));
    CHECK(l.ack_number() == 51);
    CHECK(l.acknowledged() == 1);
    l.note_ack_sent();
    CHECK(l.acknowledged() == 51);
    CHECK(l.release_until(101));
    CHECK(l.nothing_withheld());
}

TEST_CASE("ledger: a gate that claims more than was received is clamped, and says so", "[tcp]") {
    auto l = started(1);
    l.receive_until(11);
    CHECK_FALSE(l.release_until(1000));
    CHECK(l.releasable() == 11);
    // The claim is not remembered: bytes that come later wait for a gate of their own.
    l.receive_until(2000);
    CHECK(l.ack_number() == 11);
}

TEST_CASE("ledger: nothing ever goes back", "[tcp]") {
    auto l = started(100);
    l.receive_until(200);
    l.receive_until(150);
    CHECK(l.received() == 200);
    l.release_until(180);
    l.release_until(120);
    CHECK(l.releasable() == 180);
}

TEST_CASE("ledger: an ACK inside a SACKed range stops one byte below it", "[tcp]") {
    //        1      100   200          300
    //        |......|#####|............|      # was SACKed
    auto l = started(1);
    l.note_sacked({100, 200});
    l.receive_until(300);
    const auto ack_when_released = [&](Position p) {
        auto copy = l;
        copy.release_until(p);
        return copy.ack_number();
    };
    CHECK(ack_when_released(98) == 98);
    CHECK(ack_when_released(99) == 99);
    CHECK(ack_when_released(100) == 99);
    CHECK(ack_when_released(150) == 99);
    CHECK(ack_when_released(199) == 99);
    CHECK(ack_when_released(200) == 200);
    CHECK(ack_when_released(300) == 300);
}

TEST_CASE("ledger: a growing block uses one entry", "[tcp]") {
    auto l = started(1);
    for (Position end = 101; end < 10'000; end += 100) l.note_sacked({100, end});
    l.receive_until(10'000);
    l.release_until(500);
    CHECK(l.ack_number() == 99);
    CHECK(l.is_clamped());
}

TEST_CASE("ledger: where ranges are too many, the last one covers what lies between", "[tcp]") {
    auto l = started(1);
    for (Position i = 0; i < AckLedger::sacked_max + 2; ++i)
        l.note_sacked({100 * (i + 1), 100 * (i + 1) + 10});
    l.receive_until(2000);
    // Between the last ranges, which are one now, no ACK ends; between the others it may.
    l.release_until(750);
    CHECK(l.ack_number() == 750);
    l.release_until(950);
    CHECK(l.ack_number() == 799);
    l.release_until(1010);
    CHECK(l.ack_number() == 1010);
    // Entries are free again once the ACK has passed them.
    l.note_ack_sent();
    for (Position i = 0; i < AckLedger::sacked_max; ++i) l.note_sacked({2100 + 100 * i, 2110 + 100 * i});
    l.receive_until(3000);
    l.release_until(2850);
    CHECK(l.ack_number() == 2850);
}

// Finding 1: only when ranges are not whole runs of held bytes, as reassembly happens to report them.
TEST_CASE("ledger: its invariants hold whatever happens", "[tcp]") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        INFO("seed " << seed);
        Random random(seed);
        auto l = started(1);
        std::vector<tcp::PositionRange> sacked;  // all that ever were
        for (int step = 0; step < 200; ++step) {
            const auto before = l;
            switch (random.below(4)) {
                case 0: l.receive_until(l.received() + random.below(50)); break;
                case 1: l.release_until(l.releasable() + random.below(60)); break;
                case 2: l.note_ack_sent(); break;
                case 3: {
                    // What was SACKed becomes received, or is received next.
                    const auto begin = l.received() + 1 + random.below(100);
                    const tcp::PositionRange range{begin, begin + 1 + random.below(50)};
                    l.receive_until(begin - 1);
                    l.note_sacked(range);
                    sacked.push_back(range);
                }
            }
            REQUIRE(l.acknowledged() <= l.releasable());
            REQUIRE(l.releasable() <= l.received());
            REQUIRE(l.acknowledged() >= before.acknowledged());
            const auto ack = l.ack_number();
            REQUIRE(ack >= l.acknowledged());
            REQUIRE(ack <= l.releasable());
            REQUIRE(l.is_clamped() == (ack < l.releasable()));
            for (const auto& r : sacked)
                REQUIRE_FALSE((r.begin <= ack && ack < r.end && ack > l.acknowledged()));
        }
    }
}

TEST_CASE("ledger: a range that begins below what was acknowledged takes nothing back", "[tcp]") {
    auto l = started(150);
    l.note_sacked({100, 200});
    l.receive_until(300);
    l.release_until(160);
    CHECK(l.ack_number() == 150);
    l.release_until(200);
    CHECK(l.ack_number() == 200);
}
