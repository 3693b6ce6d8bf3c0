// No attack takes more than its budget: what a segment costs hardly depends on how many wait already.
#include <catch2/catch.hpp>

#include <algorithm>
#include <vector>

#include "cores/tcp/reassembly.hpp"
#include "lib/base/random.hpp"
#include "tests/support/held_segment.hpp"
#include "tests/support/instructions.hpp"

using namespace holdfast;
using namespace holdfast::test;
using tcp::Reassembly;

namespace {

/// A peer fills the budget with segments of one byte above a hole, in the worst order that it can think of.
struct Attack {
    bool shuffled;    ///< else backwards
    Position apart;   ///< from one byte to the next: 1 leaves no holes between them
    bool may_report;  ///< SACK tells at once what waits, not only what the far end has
};

constexpr Position first = 1001;
enum Step : std::uint8_t { arrival, offer, report_of_one, repetition, report_of_all, covering, steps };

std::vector<Position> positions(const Attack& attack, std::size_t n) {
    std::vector<Position> all(n);
    for (std::size_t i = 0; i < n; ++i) all[i] = first + (n - 1 - i) * attack.apart;
    Random random(n);
    if (attack.shuffled)
        for (auto i = n; i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
    return all;
}

/// An ACK with all its blocks.
void acknowledge(Reassembly& queue, Position newest) {
    const auto found = queue.ranges(newest);
    for (std::size_t i = 0; i < found.count; ++i) queue.mark_reported(found.range[i]);
}

/// The attack with so many segments, counted for a sample of them.
class Cost {
  public:
    Cost(const Attack& attack, std::size_t n)
        : attack_(attack),
          every_(n / samples),
          all_(positions(attack, n)),
          pool_(static_cast<unsigned>(2 * n)) {
        counts_ = count_instructions(steps, [&](const InstructionGauge& gauge) { run(gauge); });
    }

    /// Instructions per segment.
    std::uint64_t operator[](std::size_t step) const { return counts_[step] / samples; }

  private:
    static constexpr std::size_t samples = 4;

    /// `act` for each position, counted for a few of them.
    template <typename Act>
    void each(const InstructionGauge& gauge, Step step, Act act) {
        for (std::size_t i = 0; i < all_.size(); ++i) {
            const bool counted = i % every_ == every_ - 1;
            auto packet = segment_of(pool_, all_[i], all_[i] + (step == covering ? 100 : 1));
            if (counted) gauge.begin(step);
            act(all_[i], std::move(packet));
            if (counted) gauge.end();
        }
    }

    void run(const InstructionGauge& gauge) {
        const auto arrive = [&](Position p, Packet packet) {
            queue_.insert(std::move(packet), 1, attack_.may_report);
            acknowledge(queue_, p);
        };
        const auto report = [&](Position p, Position end) {
            queue_.mark_sacked({p, end});
            acknowledge(queue_, p);
        };
        const auto end = first + all_.size() * attack_.apart;
        each(gauge, arrival, arrive);
        each(gauge, offer, [&](Position, const Packet&) {
            if (queue_.next_offer() == nullptr) return;
            queue_.offer_later();
            queue_.note_offered();
        });
        each(gauge, report_of_one, [&](Position p, const Packet&) { report(p, p + 1); });
        each(gauge, repetition, arrive);
        each(gauge, report_of_all, [&](Position, const Packet&) { report(first, end); });
        each(gauge, covering, arrive);
        queue_.clear();
    }

    Attack attack_;
    std::size_t every_;
    std::vector<Position> all_;
    MbufPool pool_;
    Reassembly queue_;
    std::vector<std::uint64_t> counts_;
};

}  // namespace

TEST_CASE("reassembly: eight times as many segments that wait make none of them dearer", "[tcp]") {
    const Attack attacks[] = {{false, 1, false}, {false, 2, true}, {true, 1, false}, {true, 2, false}};
    for (const auto& attack : attacks) {
        const Cost few(attack, 512), many(attack, 4096);
        for (std::size_t step = 0; step < steps; ++step) {
            INFO((attack.shuffled ? "shuffled, " : "backwards, ")
                 << attack.apart << " apart, SACK of " << (attack.may_report ? "here" : "the far end")
                 << ", step " << step << ": " << few[step] << " and " << many[step] << " instructions");
            CHECK(many[step] < 2 * few[step]);
        }
    }
}
