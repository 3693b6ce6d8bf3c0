// One end that says different bytes for the same place, across a takeover: what the far end got first is what
// counts.
#include "tests/script/attack/stranger.hpp"
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("attack: after a takeover what the far end has is not said to it in other words by us", "[attack]") {
    TakeoverStage lane;
    lane.judge_form_only();
    lane.take_over_and_probe();
    lane.client().sends(data(1001, 2001));
    const auto first = lane.server().takes();
    lane.server().sends(ack(2001));
    lane.client().takes();
    lane.client().sends(ack(501));
    lane.server().takes();
    lane.after(700_ms);
    lane.expect_view(proxy::View::terminated);
    // Anchored: what was forwarded is received, and its other version is a duplicate that goes nowhere.
    Stranger liar(lane, Side::client, lane.client());
    liar.sends(data(1001, 2001));
    liar.sends(data(1501, 2501));
    const auto rest = lane.server().takes();
    expect(rest.begin == 2001 && rest.end == 2501, "only what is new");
    lane.server().expects_nothing();
    expect_equal(first.begin, 1001, "the first word");
    expect(lane.count(Side::client, "old_duplicates") > 0, "counted");
    lane.ignore_rest();
}

STORY("attack: in translated mode other words for old bytes go on, and the far end drops them as it would",
      "[attack]") {
    TakeoverStage lane;
    lane.judge_form_only();
    lane.take_over_and_probe();
    lane.client().sends(data(1001, 2001));
    lane.server().takes();
    Stranger liar(lane, Side::client, lane.client());
    liar.sends(data(1001, 2001));
    const auto again = lane.server().takes();
    expect(again.begin == 1001 && again.raw.payload[0] == 'X', "nothing is held here that could be compared");
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    lane.client().expects_nothing();
    lane.ignore_rest();
}
