// What was on its way when the old active died, the new one sends by itself.
#include "tests/script/payload/heir.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// A request of 300 bytes was acknowledged and its answer of 200, too; the records of that came through.
void talk(LaneStage& lane) {
    lane.establish();
    lane.client().sends(data(1, 301));
    lane.server().expects(data(1, 301));
    lane.server().sends(data(1, 201).ack(301));
    lane.client().expects(data(1, 201).ack(301));
    lane.client().sends(ack(201));
    lane.server().expects(ack(201));
    lane.after(60_ms);
}

}  // namespace

STORY("payload: a request that was lost with the old active is sent at once, and its answer passed on",
      "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    Heir heir(old);
    heir.client().expects(probe(200).ack(300));
    heir.server().expects(probe(300).ack(200));
    heir.server().expects(data(301, 501).ack(201).push());
    heir.server().sends(data(201, 401).ack(501));
    heir.client().expects(data(201, 401).ack(501));
    heir.client().sends(ack(401));
    heir.server().expects(ack(401));
    heir.after(1000_ms);
    heir.expect_count(Side::server, "payload_sent", 1);
    heir.expect_count(Side::server, "payload_repeated", 0);
    heir.expect_view(proxy::View::terminated);
}

STORY("payload: the first request of a connection, whose server has not said a word", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    old.establish();
    old.client().sends(data(1, 301));
    Heir heir(old);
    heir.ignore_rest();
    Seen s = heir.server().takes();
    while (s.begin == s.end || s.begin < 1) s = heir.server().takes();
    expect_equal(s.begin, 1, "it begins");
    expect_equal(s.end, 301, "it ends");
    expect_equal(s.ack, 1, "it completes the handshake");
}

STORY("payload: an answer that was lost with the old active is sent at once", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    old.server().sends(data(201, 401).ack(501));
    Heir heir(old);
    heir.client().expects(probe(200).ack(300));
    heir.client().expects(data(201, 401));
    heir.server().expects(probe(300).ack(200));
    heir.server().expects(data(301, 501).ack(201));
    heir.client().sends(ack(401).seq(501));
    heir.server().expects(ack(401).seq(501));
    heir.server().sends(ack(501).seq(401));
    heir.client().expects(ack(501).seq(401));
    heir.after(1000_ms);
    heir.expect_count(Side::client, "payload_repeated", 0);
}
