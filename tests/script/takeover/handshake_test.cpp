// A takeover in the middle of a handshake: it completes, or ends as it would have.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// The record is stored, nothing more is known. The client may be in SYN-SENT or established, the server in
/// SYN-RECEIVED or established.
Past just_opened() { return {.up = 1, .down = 1, .established = false, .progress = false}; }

/// The client has sent its SYN and heard nothing yet.
struct Waiting : TakeoverStage {
    Waiting() : TakeoverStage(just_opened()) {
        auto& k = client().knowledge();
        k = {};
        k.other = service();
        k.sent = 1;
        k.shift = client().offer.shift;
    }
};

}  // namespace

STORY("takeover: a client not known to be established gets its SYN-ACK again, the server no probe",
      "[takeover]") {
    Waiting lane;
    lane.take_over();
    lane.client().expects(syn_ack().mss(1460).scale(7).sack_ok(true).window(64000));
    lane.server().expects_nothing();
    lane.client().sends(ack(1));
    // The client's answer completes the server's handshake.
    lane.server().expects(ack(1).seq(1));
    lane.expect_count(Side::client, "takeover_syn_acks", 1);
}

STORY("takeover: the SYN-ACK is repeated until the client answers, and then no more", "[takeover]") {
    Waiting lane;
    lane.take_over();
    lane.client().expects(syn_ack().at(0_ms));
    lane.at(750_ms);
    for (const auto t : {100_ms, 300_ms, 700_ms}) lane.client().expects(syn_ack().at(t));
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.server().sends(data(1, 101));
    lane.client().expects(data(1, 101));
    lane.at(3_s);
    lane.client().expects_nothing();
    lane.ignore_rest();
}

STORY("takeover: of a repeated SYN-ACK no timer is left once the session is anchored", "[takeover]") {
    Waiting lane;
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.server().sends(ack(1));
    lane.client().expects(ack(1));
    lane.after(1500_ms);
    lane.expect_view(proxy::View::terminated);
    // Nobody speaks: a core that is woken in every tick of its wheel would run thousands of times a second.
    const auto& cycles = lane.lane().core[index(Side::client)].cycles;
    const auto before = cycles.load();
    lane.after(1_s);
    expect(cycles.load() - before < 200, "the core sleeps");
    lane.ignore_rest();
}

STORY("takeover: a client that repeats its SYN gets the same SYN-ACK", "[takeover]") {
    Waiting lane;
    lane.take_over();
    const auto first = lane.client().expects(syn_ack());
    lane.client().sends(syn());
    const auto second = lane.client().expects(syn_ack());
    expect(first.raw.seq == second.raw.seq && first.raw.seq == lane.record().leg[0].iss,
           "the old node's ISN");
}

STORY("takeover: a client that was established after all answers the SYN-ACK by an ACK, which goes on",
      "[takeover]") {
    TakeoverStage lane(just_opened());
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(ack(1).seq(1));
}

STORY("takeover: the client's first data completes the handshake as well", "[takeover]") {
    Waiting lane;
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.client().sends(data(1, 101).ack(1));
    lane.server().expects(data(1, 101).ack(1));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
}

STORY("takeover: a server that repeats its SYN-ACK makes us repeat ours", "[takeover]") {
    Waiting lane;
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.server().expects_nothing();
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
}

STORY("takeover: a client that is gone ends the server's half, which is not left open", "[takeover]") {
    Waiting lane;
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));  // passed on, for the server to judge
    lane.ignore_rest();
}

STORY("takeover: a client that never answers is given up, and the server reset", "[takeover]") {
    Waiting lane;
    lane.take_over();
    lane.at(60_s);
    std::uint64_t answers = 0;
    while (!lane.client().takes().raw.has(flag::rst)) ++answers;
    expect_equal(answers, lane.config().tcp.syn_retries, "SYN-ACKs");
    lane.server().expects(rst(1));
}
