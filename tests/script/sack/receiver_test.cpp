// What we report of bytes above a hole: SACK blocks, duplicate ACKs, D-SACK. Here of what we hold ourselves,
// as with gate none; what is reported under gate peer is in ahead_test.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

struct Receiver : LaneStage {
    Receiver() : LaneStage(reporting_itself()) {}
    static LaneOptions reporting_itself() {
        LaneOptions o;
        o.tcp.hold_sack = false;
        return o;
    }
};

}  // namespace

STORY("sack: a hole is reported at once when nothing is withheld", "[sack]") {
    Receiver lane;
    lane.establish();
    lane.client().sends(data(1001, 2001));
    lane.client().expects(ack(1).sack(1001, 2001));
    lane.server().expects_nothing();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001).no_sack());
}

STORY("sack: the newest block comes first, and three fit beside timestamps (RFC 2018)", "[sack]") {
    Receiver lane;
    lane.establish();
    auto& client = lane.client();
    client.sends(data(1001, 1501));
    client.expects(ack(1).sack(1001, 1501));
    client.sends(data(3001, 3501));
    client.expects(ack(1).sack(3001, 3501).sack(1001, 1501));
    client.sends(data(5001, 5501));
    client.expects(ack(1).sack(5001, 5501).sack(3001, 3501).sack(1001, 1501));
    client.sends(data(1501, 2001));
    client.expects(ack(1).sack(1001, 2001).sack(5001, 5501).sack(3001, 3501));
    client.sends(data(7001, 7501));
    client.expects(ack(1).sack(7001, 7501).sack(1001, 2001).sack(5001, 5501));
}

STORY("sack: four blocks fit without timestamps", "[sack]") {
    Receiver lane;
    lane.client().offer.timestamps = false;
    lane.establish();
    for (Position p = 1001; p <= 5001; p += 1000) lane.client().sends(data(p, p + 500));
    for (int i = 0; i < 4; ++i) lane.client().takes();
    lane.client().expects(ack(1).sack(5001, 5501).sack(4001, 4501).sack(3001, 3501).sack(2001, 2501));
}

STORY("sack: without SACK a duplicate ACK is just that", "[sack]") {
    LaneStage lane;
    lane.client().offer.sack = false;
    lane.establish();
    lane.client().sends(data(1001, 2001));
    lane.client().expects(ack(1).no_sack());
}

STORY("sack: bytes received twice are reported by D-SACK (RFC 2883)", "[sack]") {
    LaneStage lane({.gate = Gate::none});
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.client().expects(ack(1001));
    lane.client().sends(data(1, 1001));
    lane.client().expects(ack(1001).sack(1, 1001));
    // Once, and in part.
    lane.client().sends(data(501, 1501));
    lane.client().expects(ack(1501).sack(501, 1001));
    lane.client().sends(data(1501, 1601));
    lane.client().expects(ack(1601).no_sack());
    lane.server().ignores_rest();
}

STORY("sack: bytes received twice above a hole", "[sack]") {
    Receiver lane;
    lane.establish();
    lane.client().sends(data(1001, 2001));
    lane.client().expects(ack(1).sack(1001, 2001));
    lane.client().sends(data(1001, 2001));
    // RFC 2883 section 4.2: the duplicate, then the block that holds it. It may wait for the ACK that passes
    // it.
    const auto s = lane.client().takes();
    expect(s.ack == 1 && !s.sacked.empty() && s.sacked.back() == Range{1001, 2001}, "a duplicate ACK");
}

STORY("sack: SACKed bytes are never dropped: they need not be sent again", "[sack]") {
    Receiver lane;
    lane.establish();
    lane.client().sends(data(1001, 2001));
    lane.client().expects(ack(1).sack(1001, 2001));
    lane.after(10_s);
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().expects(data(1001, 2001));
}
