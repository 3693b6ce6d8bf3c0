// An end that leaves as many holes as it can, and says the same bytes again and again. What a segment costs
// is counted in unit/reassembly_cost_test; here is what becomes of it.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr Position lowest = 1003, highest = 2003;
constexpr std::uint64_t segments = (highest - lowest) / 2 + 1;

LaneOptions roomy(Gate gate) {
    LaneOptions o;
    o.gate = gate;
    o.mbufs = 4095;
    return o;
}

/// Every second byte above a hole, from the highest down.
void send_all(LaneStage& lane) {
    for (auto p = highest; p >= lowest; p -= 2) {
        lane.client().sends(data(p, p + 1));
        lane.client().ignores_rest();
    }
}

/// The missing bytes come, all in the smallest pieces.
void fill_all(LaneStage& lane) {
    lane.client().sends(data(1, lowest));
    for (auto p = lowest + 1; p < highest; p += 2) lane.client().sends(data(p, p + 1));
    lane.server().ignores_rest();
    lane.client().ignores_rest();
    expect_equal(lane.server().knows().heard_end, highest + 1, "bytes that arrived");
    lane.server().sends(ack(highest + 1));
    lane.client().ignores_rest();
    expect_equal(lane.client().knows().heard_ack, highest + 1, "bytes acknowledged");
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

}  // namespace

STORY(
    "attack: every second byte, sent and reported one by one, twice: each is held once, reported once the "
    "server "
    "has it, and joins the others",
    "[attack]") {
    LaneStage lane(roomy(Gate::peer));
    lane.establish();
    send_all(lane);
    expect_equal(lane.held_mbufs(), (highest - lowest) / 2 + 1, "mbufs held");
    lane.expect_count(Side::server, "ahead_sent", segments);
    lane.server().ignores_rest();
    for (auto p = lowest; p <= highest; p += 2) {
        lane.server().sends(ack(1).sack(p, p + 1));
        const auto s = lane.client().takes();
        expect(!s.sacked.empty() && s.sacked[0].begin == p, "the newest report comes first");
        lane.client().ignores_rest();
    }
    send_all(lane);
    lane.expect_count(Side::client, "old_duplicates", segments);
    lane.client().ignores_rest();
    fill_all(lane);
}

STORY("attack: every second byte without gate peer: reported at once, the newest first", "[attack]") {
    LaneStage lane(roomy(Gate::none));
    lane.establish();
    for (auto p = highest; p >= lowest; p -= 2) {
        lane.client().sends(data(p, p + 1));
        const auto s = lane.client().takes();
        expect(!s.sacked.empty() && s.sacked[0].begin == p, "the newest report comes first");
        lane.client().ignores_rest();
    }
    fill_all(lane);
}
