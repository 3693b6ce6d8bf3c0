// How the window grows after a loss (RFC 9438): like Reno's where round trips are short, along the curve
// where they are long.
#include "tests/script/flight.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr Position mss = Flight::mss;

/// Ten segments were under way when the first of them was lost; the recovery is over. All bytes of the client
/// are here, and wait for the window.
struct Recovered : LaneStage {
    explicit Recovered(Duration round_trip) : round(round_trip) {
        server().default_window = 1'000'000;
        establish();
        client().sends(data(1, 1 + mss));
        server().expects(data(1, 1 + mss));
        after(round);
        server().sends(ack(1 + mss));
        client().ignores_rest();
        for (Position i = 1; i <= 10; ++i) client().sends(Flight::segment(i));
        server().ignores_rest();
        after(round);
        server().sends(ack(1 + mss).sack(1 + 2 * mss, 1 + 11 * mss));
        server().expects(Flight::segment(1));
        client().ignores_rest();
        after(round);
        server().sends(ack(1 + 11 * mss));
        for (Position i = 11; i <= 130; ++i) client().sends(Flight::segment(i));
        client().ignores_rest();
    }
    /// Segments that leave in this round trip: the window, rounded up. At its end they are acknowledged.
    int next_round() {
        int n = 0;
        for (; server().has_unexpected(); ++n) server().takes();
        after(round);
        server().sends(ack(server().knows().heard_end));
        client().ignores_rest();
        return n;
    }
    void expect_rounds(const std::vector<int>& expected) {
        for (std::size_t i = 0; i < expected.size(); ++i)
            expect_equal(static_cast<std::uint64_t>(next_round()), static_cast<std::uint64_t>(expected[i]),
                         "segments in round " + std::to_string(i));
    }
    Duration round;
};

}  // namespace

STORY("cubic: round trips of 10 ms: half a segment each up to where the loss was, then one", "[retransmit]") {
    Recovered lane(10_ms);
    // Windows of 7, 7.5, 8.1, 8.7, 9.2, 9.8, 10.3, 11.4, 12.5 segments.
    lane.expect_rounds({7, 8, 9, 9, 10, 10, 11, 12, 13});
    lane.ignore_rest();
}

STORY("cubic: round trips of 900 ms: fast up to the plateau, flat around it, then ever faster",
      "[retransmit]") {
    Recovered lane(900_ms);
    // 10 + 0.4 (t - 1.96)^3 at t = 0.9 s, 1.8 s, ..., rounded up; a little more is reached because the
    // rounded window is what was acknowledged.
    for (const int w : {7, 10, 10, 11, 12, 17, 25}) {
        const int n = lane.next_round();
        expect(n >= w && n <= w + w / 10 + 1,
               std::to_string(n) + " segments where the curve has " + std::to_string(w));
    }
    lane.ignore_rest();
}
