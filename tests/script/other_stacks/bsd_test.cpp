// FreeBSD, and what descends from it: macOS, NetBSD, OpenBSD.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("bsd: a SYN that comes again with fewer options begins the handshake anew", "[other_stacks]") {
    // FreeBSD, net.inet.tcp.rexmit_drop_options: from the third repetition on a SYN carries only an MSS. The
    // backend is slow, and was asked with all of them.
    LaneStage lane;
    auto& again = lane.another();
    again.client.knowledge().sent = 1;
    lane.trust_nobody();
    lane.pass_syn();
    lane.at(900_ms);
    lane.client().sends(syn());
    lane.server().expects_nothing();
    lane.client().offer = {1460, -1, false, false, 64000};
    lane.at(950_ms);
    lane.client().sends(syn());
    lane.server().expects(rst(1));
    again.server.expects(syn().no_scale().sack_ok(false).no_timestamps());
    again.server.sends(syn_ack().no_scale().sack_ok(false).no_timestamps());
    lane.client().expects(syn_ack().no_scale().sack_ok(false).no_timestamps());
    lane.client().sends(data(1, 101).ack(1));
    again.server.expects(data(1, 101).no_timestamps());
    again.server.sends(ack(101));
    lane.client().expects(ack(101).no_timestamps());
    lane.expect_count(Side::client, "syns_offer_less", 1);
    lane.ignore_rest();
}

STORY("bsd: a SYN with fewer options after the answer was sent begins the handshake anew", "[other_stacks]") {
    // The same, with the SYN-ACK lost on its way to the client.
    LaneStage lane;
    auto& again = lane.another();
    again.client.knowledge().sent = 1;
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.client().offer = {1460, -1, false, false, 64000};
    lane.client().sends(syn());
    lane.server().expects(rst(1));
    again.server.expects(syn().no_scale().sack_ok(false).no_timestamps());
    lane.expect_count(Side::client, "syns_offer_less", 1);
    lane.ignore_rest();
    lane.ignore_strangers();
}

STORY("bsd: a SYN with fewer options may be answered by a cookie, and the answer to that counts",
      "[other_stacks]") {
    LaneOptions options;
    options.limits.half_open = 4;
    LaneStage lane(options);
    lane.trust_nobody();
    lane.pass_syn();
    for (int i = 0; i < 3; ++i) lane.pass_syn(lane.another());
    auto& again = lane.another();
    again.client.knowledge().sent = 1;
    lane.client().offer = {1460, -1, false, false, 64000};
    lane.client().sends(syn());
    lane.server().expects(rst(1));
    lane.client().expects(syn_ack().no_scale().sack_ok(false).no_timestamps());
    lane.expect_count(Side::client, "cookies_sent", 1);
    lane.client().sends(ack(1));
    lane.client().expects_nothing();
    again.server.expects(syn().no_scale().sack_ok(false).no_timestamps());
    lane.expect_count(Side::client, "cookies_accepted", 1);
    lane.ignore_rest();
}

STORY("bsd: options that the server declined anyway may be missing when the SYN comes again",
      "[other_stacks]") {
    LaneStage lane;
    lane.server().offer = {1460, -1, false, false, 64000};
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack().no_scale().sack_ok(false).no_timestamps());
    lane.client().offer = {1460, -1, false, false, 64000};
    lane.client().sends(syn());
    lane.client().expects(syn_ack().no_scale().sack_ok(false).no_timestamps());
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "syns_offer_less", 0);
}

STORY("bsd: an empty keepalive below SND.UNA is answered at once and goes no further", "[other_stacks]") {
    // FreeBSD tcp_timer_keep(): SEQ is SND.UNA - 1, no byte, where Linux does the same but others send one.
    LaneStage lane;
    lane.establish();
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    lane.after(75_s);
    lane.client().sends(ack(1).seq(100));
    lane.client().expects(ack(101));
    lane.server().expects_nothing();
}

STORY("bsd: a FIN-WAIT-2 that timed out resets data that comes later, and the server learns it",
      "[other_stacks]") {
    // FreeBSD, net.inet.tcp.finwait2_timeout: the client forgets the connection after 60 s without a word.
    LaneStage lane;
    lane.establish();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1));
    lane.server().sends(ack(2));
    lane.client().expects(ack(2));
    lane.after(61_s);
    lane.server().sends(data(1, 501));
    lane.client().expects(data(1, 501));
    lane.client().sends(rst(2));
    lane.server().expects(rst(2));
    lane.expect_view(proxy::View::closing);
}

STORY("bsd: data in the first repetition of a window probe is taken once the window is open",
      "[other_stacks]") {
    // BSD's persist timer (tcp_timer_persist) sends the next new byte; what the window takes is data.
    LaneStage lane;
    lane.server().offer.window = 1000;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001).window(0));
    lane.client().expects(ack(1001).window(0));
    lane.client().sends(probe(1001));
    lane.client().expects(ack(1001).window(0));
    lane.server().expects(probe(1000));
    lane.server().sends(ack(1001).window(64000));
    lane.client().expects(ack(1001).window(64000));
    lane.client().sends(probe(1001));
    lane.server().expects(data(1001, 1002));
    lane.server().sends(ack(1002));
    lane.client().expects(ack(1002));
}
