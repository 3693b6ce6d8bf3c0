// Marks across a takeover: while segments are translated, marks and reports are the ends' own; terminated
// again, each leg begins anew.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

struct Inherited : TakeoverStage {
    explicit Inherited(bool ecn) : TakeoverStage({.ecn = ecn}) { take_over_and_probe(); }
};

}  // namespace

STORY("ecn: translated, marks, reports and answers go through as they came", "[ecn]") {
    Inherited lane(true);
    lane.client().sends(data(1001, 2001).ce());
    lane.server().expects(data(1001, 2001).ce());
    lane.server().sends(ack(2001).ece());
    lane.client().expects(ack(2001).ece().not_ect());
    lane.client().sends(data(2001, 3001).cwr().ect());
    lane.server().expects(data(2001, 3001).cwr().ect());
    lane.client().sends(data(2001, 3001));
    lane.server().expects(data(2001, 3001).not_ect());
    lane.expect_count(Side::client, "ecn_marks", 0);
}

STORY("ecn: translated without an agreement there is nothing of it", "[ecn]") {
    Inherited lane(false);
    lane.client().sends(data(1001, 2001).ce().cwr());
    lane.server().expects(data(1001, 2001).not_ect());
    lane.server().sends(ack(2001).ece());
    lane.client().expects(ack(2001));
}

STORY("ecn: terminated again, the window begins anew and CWR says so: what the server still reports ends",
      "[ecn]") {
    Inherited lane(true);
    lane.both_heard();
    lane.after(20_ms);
    lane.expect_view(proxy::View::terminated);
    lane.client().sends(data(1001, 1101).ect());
    lane.server().expects(data(1001, 1101).cwr().ect());
    // It had a mark to report of the time before.
    lane.server().sends(ack(1101).ece());
    lane.client().expects(ack(1101));
    // And marks of now are each leg's own.
    lane.server().sends(data(501, 601).ce());
    lane.client().expects(data(501, 601).cwr().ect());
    lane.client().sends(ack(601));
    lane.server().expects(ack(601).ece());
    lane.expect_count(Side::server, "ecn_marks", 1);
}

STORY("ecn: a client whose SYN-ACK was under way at the takeover gets the same again", "[ecn]") {
    Past past;
    past.up = past.down = 1;
    past.established = past.progress = false;
    past.ecn = true;
    TakeoverStage lane(past);
    lane.take_over();
    lane.client().expects(syn_ack().ece().not_ect());
    lane.ignore_rest();
}
