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

void expect_probes(LaneStage& lane) {
    lane.client().expects(probe(200).ack(300));
    lane.server().expects(probe(300).ack(200));
}

}  // namespace

STORY("payload: a request that was lost with the old active is sent at once, and its answer passed on",
      "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    Heir heir(old);
    expect_probes(heir);
    heir.server().expects(data(301, 501).ack(201).push().at(0_ms));
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

STORY("payload: it is sent again, ever slower, until it is acknowledged", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    Heir heir(old);
    expect_probes(heir);
    heir.server().expects(data(301, 501).at(0_ms));
    heir.client().sends(ack(201).seq(501));  // it answers the probe; its own timeout is far
    heir.server().expects(ack(201).seq(501));
    for (const auto due : {100_ms, 300_ms}) {
        heir.at(due + 3_ms);
        Seen s = heir.server().takes();
        while (s.begin != 301) s = heir.server().takes();
        expect_equal(s.end, 501, "its end");
        heir.server().ignores_rest();
    }
    heir.server().sends(ack(501).seq(201));
    heir.client().expects(ack(501));
    heir.after(5000_ms);
    heir.server().expects_nothing();
    heir.expect_count(Side::server, "payload_repeated", 2);
}

STORY("payload: when nobody acknowledges it, it is left to its sender", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    Heir heir(old);
    heir.ignore_rest();
    heir.after(60_s);
    heir.expect_count(Side::server, "payload_sent", 9);
    heir.expect_count(Side::server, "payload_given_up", 1);
    heir.server().ignores_rest();
    heir.client().sends(data(301, 501));
    heir.server().expects(data(301, 501));
}

STORY("payload: its sender's own retransmission is passed on as ever", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    Heir heir(old);
    expect_probes(heir);
    heir.server().expects(data(301, 501));
    heir.client().sends(data(301, 501));
    heir.server().expects(data(301, 501));
    heir.server().sends(ack(501).seq(201));
    heir.client().expects(ack(501).seq(201));
    heir.after(1000_ms);
    heir.server().expects_nothing();
}

STORY("payload: more than an initial window goes out as it is acknowledged", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::all));
    talk(old);
    for (Position at = 301; at < 20'000; at += 1448) old.client().sends(data(at, at + 1448));
    Heir heir(old);
    expect_probes(heir);
    constexpr Position first_flight = 301 + 10 * 1448;
    Position at = 301;
    for (; at < first_flight; at += 1448) heir.server().expects(data(at, at + 1448).ack(201));
    heir.server().expects_nothing();
    heir.server().sends(ack(first_flight).seq(201));
    heir.client().expects(ack(first_flight).seq(201));
    for (; at < 20'000; at += 1448) heir.server().expects(data(at, at + 1448));
    heir.server().sends(ack(at).seq(201));
    heir.client().expects(ack(at).seq(201));
    heir.after(1000_ms);
    heir.server().expects_nothing();
    heir.client().ignores_rest();  // probes: it has not said a word
}

STORY("payload: what lies before a segment that was not mirrored is not sent", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    old.client().sends(data(501, 1949));
    old.client().sends(data(1949, 2049));
    Heir heir(old);
    expect_probes(heir);
    heir.server().expects(data(1949, 2049));
    heir.ignore_rest();
}

STORY("payload: what was acknowledged and the standby told of is not sent", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    Heir heir(old);
    expect_probes(heir);
    heir.server().expects_nothing();
    heir.client().expects_nothing();
    heir.expect_count(Side::server, "payload_sent", 0);
}

STORY("payload: a standby that joins before it is acknowledged is told of it, too", "[payload]") {
    LaneStage old(mirroring(MirrorPayload::tails));
    talk(old);
    old.client().sends(data(301, 501));
    Heir heir(old);
    expect_probes(heir);
    heir.server().expects(data(301, 501));
    heir.connect_standby();
    LaneStage& active = heir;
    Heir third(active);
    third.ignore_rest();
    Seen s = third.server().takes();
    while (s.begin != 301) s = third.server().takes();
    expect_equal(s.end, 501, "its end");
}
