// Gate ["standby"] alone: the node that takes over goes on terminated, from what it had stored.
#include "tests/script/payload/heir.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// A request of 300 bytes and its answer of 200, which each end has acknowledged; the records came through.
void talk(LaneStage& lane) {
    lane.establish();
    lane.client().sends(data(1, 301));
    lane.client().expects(ack(301));
    lane.server().expects(data(1, 301));
    lane.server().sends(data(1, 201).ack(301));
    lane.server().expects(ack(201));
    lane.client().expects(data(1, 201).ack(301));
    lane.client().sends(ack(201).seq(301));
    lane.after(60_ms);
}

/// The next segment with bytes from `begin` on; probes and ACKs before it are passed over.
Seen next_from(Peer& peer, Position begin) {
    Seen s = peer.takes();
    while (s.begin != begin || s.end == begin) s = peer.takes();
    return s;
}

}  // namespace

STORY("entrusted: what was acknowledged and not delivered is sent by the node that takes over",
      "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    old.client().sends(data(301, 501));
    old.client().expects(ack(501));
    Heir heir(old);
    heir.expect_view(proxy::View::terminated);
    heir.expect_count(Side::client, "sessions_resumed", 1);
    heir.client().expects(probe(200).ack(501));
    const auto s = next_from(heir.server(), 301);
    expect_equal(s.end, 501, "its end");
    expect_equal(s.ack, 201, "what it acknowledges");
    heir.server().ignores_rest();
    heir.client().ignores_rest();
    heir.server().sends(data(201, 401).ack(501));
    heir.client().sends(ack(201).seq(501));
    heir.client().ignores_rest();
    heir.connect_standby();
    heir.settle();
    expect_equal(next_from(heir.client(), 201).end, 401, "the answer to it");
    heir.server().expects(ack(401).seq(501));
}

STORY("entrusted: what was stored and not acknowledged the new node acknowledges", "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    old.standby.confirms = false;
    old.client().sends(data(301, 501));
    old.client().expects_nothing();
    Heir heir(old);
    heir.client().expects(probe(200).ack(501));
    expect_equal(next_from(heir.server(), 301).end, 501, "its end");
    heir.ignore_rest();
}

STORY("entrusted: what was never told the client sends again", "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    old.disconnect_standby();
    old.client().sends(data(301, 501));
    Heir heir(old);
    heir.client().expects(probe(200).ack(301));
    heir.server().ignores_rest();
    heir.connect_standby();
    heir.client().ignores_rest();
    heir.client().sends(data(301, 501).ack(201));
    expect_equal(next_from(heir.server(), 301).end, 501, "its end");
    heir.ignore_rest();
}

STORY("entrusted: bytes both ways and both FINs under way at once", "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    old.client().sends(data(301, 501).fin());
    old.server().sends(data(201, 401).ack(301).fin());
    Heir heir(old);
    heir.client().ignores_rest();
    heir.server().ignores_rest();
    heir.client().sends(ack(201).seq(502));
    heir.server().sends(ack(301).seq(402));
    heir.after(3000_ms);
    expect_equal(heir.client().knows().heard_ack, 502, "the client's FIN is acknowledged");
    expect_equal(heir.server().knows().heard_ack, 402, "the server's FIN is acknowledged");
    expect_equal(heir.client().knows().heard_end, 402, "the client has all, and the FIN");
    expect_equal(heir.server().knows().heard_end, 502, "the server has all, and the FIN");
    heir.ignore_rest();
    heir.client().sends(ack(402).seq(502));
    heir.server().sends(ack(502).seq(402));
    heir.after(70_s);
    heir.expect_view(proxy::View::none);
    expect_equal(heir.held_mbufs(), 0, "mbufs held");
}

STORY("entrusted: one leg had ended, and the other one goes on", "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    old.client().sends(fin(301).ack(201));
    old.client().expects(ack(302));
    old.server().expects(fin(301));
    old.server().sends(data(201, 401).ack(302).fin());
    old.server().expects(ack(402).seq(302));
    old.after(60_ms);
    Heir heir(old);
    heir.server().expects_nothing();
    expect_equal(next_from(heir.client(), 201).end, 401, "the rest of the answer");
    heir.client().sends(ack(401).seq(302));
    heir.client().ignores_rest();
    heir.client().sends(ack(402).seq(302));
    heir.after(70_s);
    heir.server().expects_nothing();
    heir.expect_view(proxy::View::none);
}

STORY("entrusted: the SYN-ACK may be lost with the old active, and comes again", "[entrusted]") {
    LaneStage old(entrusted());
    old.pass_syn();
    old.pass_syn_ack();
    Heir heir(old);
    heir.client().expects(syn_ack());
    heir.client().sends(ack(1));
    heir.server().expects(ack(1));
    heir.connect_standby();
    heir.client().sends(data(1, 301));
    heir.client().expects(ack(301));
    heir.server().expects(data(1, 301));
}

STORY("entrusted: a server that may not know of the handshake's end learns it with the stored bytes",
      "[entrusted]") {
    LaneStage old(entrusted());
    old.establish();
    old.client().sends(data(1, 301));
    old.client().expects(ack(301));
    Heir heir(old);
    heir.client().ignores_rest();
    const auto s = next_from(heir.server(), 1);
    expect_equal(s.end, 301, "its end");
    expect_equal(s.ack, 1, "what it acknowledges");
    heir.ignore_rest();
}

STORY("entrusted: a session of which more was said than is stored here is reset, and counted",
      "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    Heir heir(old, [](LaneStage& l) {
        for (auto& list : l.standby.payload) list.clear();
    });
    heir.client().expects(rst(201));
    heir.server().expects(rst(301));
    heir.ignore_rest();
    expect(heir.count(Side::client, "sessions_stored_short") +
                   heir.count(Side::server, "sessions_stored_short") >=
               1,
           "it is counted");
}

STORY("entrusted: a second takeover, of what the first one had taken over", "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    old.client().sends(data(301, 501).fin());
    old.client().expects(ack(502));
    Heir second(old);
    second.ignore_rest();
    second.connect_standby();
    second.settle();
    LaneStage& active = second;
    Heir third(active);
    third.client().expects(probe(200).ack(502));
    expect_equal(next_from(third.server(), 301).end, 501, "the bytes");
    third.ignore_rest();
    third.server().sends(ack(501).seq(201));
    third.after(1000_ms);
    expect_equal(third.server().knows().heard_end, 502, "and the FIN");
}

STORY("entrusted: a node that was silent and serves again resets what the peer may have served",
      "[entrusted]") {
    LaneStage lane(entrusted());
    talk(lane);
    lane.retake();
    lane.client().expects(rst(201));
    lane.server().expects(rst(301));
    lane.ignore_rest();
    expect(lane.count(Side::client, "sessions_stored_short") >= 1, "it is counted");
}

STORY("entrusted: what is stored beyond an initial window follows with the ACKs", "[entrusted]") {
    auto options = entrusted();
    options.limits.payload_bytes = 1u << 18;
    LaneStage old(options);
    talk(old);
    Position end = 301;
    for (; end < 200'000 && old.client().knows().heard_edge >= end + 1448; end += 1448)
        old.client().sends(data(end, end + 1448));
    old.client().ignores_rest();
    expect(end > 60'000, "much of it");
    Heir heir(old);
    heir.client().ignores_rest();
    for (Position at = 301; at < end; at = heir.server().knows().heard_end) {
        heir.server().ignores_rest();
        heir.server().sends(ack(heir.server().knows().heard_end).seq(201));
        heir.after(10_ms);
    }
    heir.ignore_rest();
    expect_equal(heir.client().knows().heard_ack, end, "what the client was told");
}

STORY("entrusted: a server that had closed and forgotten does not reset the client", "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    old.client().sends(fin(301).ack(201));
    old.server().sends(data(201, 401).ack(302).fin());
    old.server().ignores_rest();
    Heir heir(old, [](LaneStage& l) { l.disconnect_standby(); });
    heir.server().ignores_rest();
    heir.server().sends(rst(402));
    expect_equal(next_from(heir.client(), 201).end, 401, "the rest of the answer");
    heir.client().ignores_rest();
    heir.client().sends(ack(402).seq(302));
    heir.after(70_s);
    heir.expect_view(proxy::View::none);
    heir.expect_count(Side::server, "sessions_reset", 0);
}

STORY("entrusted: a RST of an endpoint ends the session, taken over or not", "[entrusted]") {
    LaneStage old(entrusted());
    talk(old);
    Heir heir(old);
    heir.client().ignores_rest();
    heir.server().ignores_rest();
    heir.client().sends(rst(301));
    heir.server().expects(rst(301));
    heir.client().expects_nothing();
}
