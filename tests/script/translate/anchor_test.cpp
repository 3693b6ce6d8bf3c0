// Anchoring: back to terminated, when nothing is outstanding and not before.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

struct Translated : TakeoverStage {
    Translated() { take_over_and_probe(); }
    /// Both ends heard, nothing outstanding, and calm.
    void anchor() {
        both_heard();
        after(20_ms);
        expect_view(proxy::View::terminated);
    }
};

}  // namespace

STORY("anchor: both ends heard and nothing outstanding: terminated again", "[translate]") {
    Translated lane;
    lane.anchor();
    lane.expect_count(Side::client, "sessions_anchored", 1);
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001).ack(501));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
    lane.server().sends(data(501, 601));
    lane.client().expects(data(501, 601));
    lane.client().sends(ack(601));
    lane.server().expects(ack(601));
}

STORY("anchor: not while one end was not heard", "[translate]") {
    Translated lane;
    lane.client().sends(ack(501));
    lane.server().expects(ack(501));
    lane.at(90_ms);
    lane.expect_view(proxy::View::translated);
}

STORY("anchor: not while bytes are outstanding", "[translate]") {
    Translated lane;
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    lane.at(90_ms);
    lane.expect_view(proxy::View::translated);
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
    lane.after(20_ms);
    lane.expect_view(proxy::View::terminated);
}

STORY("anchor: not while a client that was heard to have more has not repeated it", "[translate]") {
    Translated lane;
    // Its pure ACK carries SND.NXT: it has sent up to 3001, of which we know nothing.
    lane.client().knowledge().sent = 3001;
    lane.client().sends(ack(501));
    lane.server().expects(ack(501).seq(3001));
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    lane.at(90_ms);
    lane.expect_view(proxy::View::translated);
    lane.client().sends(data(1001, 2001));
    lane.client().sends(data(2001, 3001));
    lane.server().ignores_rest();
    lane.server().sends(ack(3001));
    lane.client().expects(ack(3001));
    lane.after(20_ms);
    lane.expect_view(proxy::View::terminated);
}

STORY("anchor: a session that is never quiescent stays translated, and that is no fault", "[translate]") {
    Translated lane;
    Position p = 1001;
    lane.client().sends(data(p, p + 1000));
    lane.server().expects(data(p, p + 1000));
    for (int i = 0; i < 200; ++i, p += 1000) {
        lane.after(3_ms);
        lane.client().sends(data(p + 1000, p + 2000));
        lane.server().expects(data(p + 1000, p + 2000));
        lane.server().sends(ack(p + 1000));
        lane.client().expects(ack(p + 1000));
    }
    lane.expect_view(proxy::View::translated);
}

STORY("anchor: windows do not shrink by it", "[translate]") {
    Translated lane;
    lane.anchor();
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001).window(64000));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001).window(64000));
}

STORY("anchor: a window beyond our budget, which the old active may have offered, is not taken back",
      "[translate]") {
    // One place in the lane's rings: the second of two segments never gets to the other core.
    TakeoverStage lane({}, {.limits = {64, 16384, 1023, 2}});
    lane.trust_nobody();
    lane.take_over_and_probe();
    lane.client().sends(ack(501));
    lane.server().expects(ack(501));
    lane.server().sends_together({ack(1001).window(1024), ack(1001).window(64000)});
    lane.client().expects(ack(1001).window(1024));
    lane.expect_count(Side::server, "translate_refused", 1);
    lane.after(20_ms);
    lane.expect_view(proxy::View::terminated);
    lane.client().expects(ack(1001).window(64000));
    lane.client().sends(data(1001, 1129));
    lane.server().expects(data(1001, 1129));
    lane.server().sends(ack(1129).window(64000));
    lane.client().expects(ack(1129).window(63872));
}

STORY("anchor: an ACK of what was heard before is no error though we never sent it", "[translate]") {
    Translated lane;
    lane.anchor();
    lane.client().sends(ack(501));
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "ack_of_unsent", 0);
}

STORY("anchor: soon after it both ends are asked whether they live, by a true byte", "[translate]") {
    // The old active may have died between the ends' last words and the record of them.
    Translated lane;
    lane.anchor();
    lane.at(5100_ms);
    lane.client().expects(probe(500).ack(1001));
    lane.server().expects(probe(1000).ack(501));
    lane.client().sends(ack(501));
    lane.server().sends(ack(1001));
    lane.at(60_s);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
}

STORY("anchor: new data puts it off, and nothing of it is lost", "[translate]") {
    Translated lane;
    lane.both_heard();
    lane.at(9_ms);
    lane.client().sends(data(1001, 1101));
    lane.server().expects(data(1001, 1101));
    lane.server().sends(ack(1101));
    lane.client().expects(ack(1101));
    lane.at(15_ms);
    lane.expect_view(proxy::View::translated);
    lane.at(30_ms);
    lane.expect_view(proxy::View::terminated);
    lane.client().sends(data(1101, 1201));
    lane.server().expects(data(1101, 1201));
}
