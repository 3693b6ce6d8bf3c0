// Reassembly against its model: all operations in any order, with and without reports at once.
#include <catch2/catch.hpp>

#include "lib/base/random.hpp"
#include "tests/support/held_segment.hpp"
#include "tests/unit/reassembly_model.hpp"

using namespace holdfast;
using namespace holdfast::test;
using tcp::Reassembly;
using Insertion = Reassembly::Insertion;

namespace {

class Pair {
  public:
    explicit Pair(std::uint64_t seed) : random_(seed), may_report_(random_.below(2) == 0) {}

    void step() {
        switch (random_.below(10)) {
            case 0: mark_sacked(); break;
            case 1: offer(); break;
            case 2: REQUIRE(queue_.drop_unreported() == model_.drop_unreported()); break;
            case 3: take(); break;
            case 4: report(somewhere()); break;
            default: insert(); break;
        }
        compare();
    }
    void finish() { take(); }

  private:
    Position somewhere() { return model_.next + random_.below(30) * unit_; }

    /// Mostly above a hole, so that much waits.
    void insert() {
        const auto at = somewhere();
        const auto begin = at == model_.next && random_.below(4) != 0 ? at + unit_ : at;
        const auto end = begin + unit_ * static_cast<Position>(random_.between(1, 3)) + random_.below(3) * 50;
        auto packet = segment_of(pool_, begin, end);
        const auto got = queue_.insert(std::move(packet), model_.next, may_report_);
        ReassemblyModel::Piece piece{begin, end};
        piece.may_report = may_report_;
        REQUIRE(model_.insert(piece, got == Insertion::coalesced) == got);
        report(begin);
    }
    void mark_sacked() {
        const auto begin = somewhere();
        const tcp::PositionRange r{begin, begin + random_.below(10) * unit_};
        REQUIRE(queue_.mark_sacked(r) == model_.mark_sacked(r));
    }
    void offer() {
        if (model_.next_offer() == nullptr) return;
        if (random_.below(3) == 0) {
            queue_.offer_later();
            model_.offer_later();
        } else {
            queue_.note_offered();
            model_.note_offered();
        }
    }
    /// Some of the blocks of an ACK leave.
    void report(Position newest) {
        const auto found = queue_.ranges(newest);
        const auto expected = model_.ranges(newest);
        REQUIRE(found.count == std::min(expected.size(), found.range.size()));
        std::size_t fresh = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const auto& e = expected[i].range;
            if (expected[i].news || (e.begin <= newest && newest < e.end)) ++fresh;
            if (i >= found.count) continue;
            REQUIRE(found.range[i].begin == e.begin);
            REQUIRE(found.range[i].end == e.end);
        }
        REQUIRE(found.fresh == std::min(fresh, found.range.size()));
        REQUIRE(found.more == (fresh > found.range.size()));
        for (std::size_t i = 0, told = random_.below(found.count + 1); i < told; ++i) {
            queue_.mark_reported(found.range[i]);
            model_.mark_reported(expected[i]);
        }
    }
    void take() {
        for (const auto& piece : model_.in_order) {
            REQUIRE(queue_.front_at(piece.begin) != nullptr);
            const auto packet = queue_.pop();
            const auto& d = meta(packet.get());
            REQUIRE(d.end() == piece.end);
            REQUIRE(d.reported == piece.reported);
            REQUIRE(d.ahead == piece.offered);
            REQUIRE(bytes_are_true(packet.get()));
        }
        model_.in_order.clear();
    }
    void compare() {
        REQUIRE(queue_.mbufs() == model_.in_order.size() + model_.waiting.size());
        REQUIRE(queue_.mbufs() == pool_.in_use());
        REQUIRE(queue_.empty() == (queue_.mbufs() == 0));
        if (!model_.in_order.empty()) REQUIRE(queue_.in_order_end() == model_.next);
        const auto* first = queue_.first_waiting();
        REQUIRE((first == nullptr) == model_.waiting.empty());
        if (first != nullptr) REQUIRE(meta(first).begin == model_.waiting.front().begin);
        const auto* offer = queue_.next_offer();
        const auto* expected = model_.next_offer();
        REQUIRE((offer == nullptr) == (expected == nullptr));
        if (offer == nullptr) return;
        REQUIRE(meta(offer).begin == expected->begin);
        REQUIRE(meta(offer).end() == expected->end);
    }

    static constexpr Position unit_ = 300;
    Random random_;
    bool may_report_;
    MbufPool pool_{255};
    Reassembly queue_;
    ReassemblyModel model_;
};

}  // namespace

TEST_CASE("reassembly: against its model, every operation in any order", "[tcp]") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        INFO("seed " << seed);
        Pair pair(seed);
        for (int step = 0; step < 150; ++step) pair.step();
        pair.finish();
    }
}
