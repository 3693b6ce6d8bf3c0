// ECN is agreed on end to end, in the handshake: the server is offered what the client offered, the client
// accepted what the server did.
#include "tests/script/ecn/marked.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("ecn: the server is offered what the client offers, the client has what the server accepts", "[ecn]") {
    Marked lane;
    expect(lane.record().ecn[0] && lane.record().ecn[1], "the record knows of it");
    lane.pass(0, 0);
    lane.server().sends(data(1, 101).ack(lane.start(1)).ect());
    lane.client().expects(data(1, 101).ack(lane.start(1)).ect());
}

STORY("ecn: what the client does not offer, the server is not offered", "[ecn]") {
    LaneStage lane;
    lane.client().sends(syn().ece());
    lane.server().expects(syn());
    lane.server().sends(syn_ack().ece());
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.client().sends(data(1, 101).ce());
    lane.server().expects(data(1, 101).not_ect());
    lane.expect_count(Side::client, "ecn_marks", 0);
}

STORY("ecn: what the server does not accept, the client has not; reflected flags accept nothing", "[ecn]") {
    for (const bool reflects : {false, true}) {
        LaneStage lane;
        lane.client().sends(syn().ece().cwr());
        lane.server().expects(syn().ece().cwr());
        lane.server().sends(reflects ? syn_ack().ece().cwr() : syn_ack());
        lane.client().expects(syn_ack());
        lane.client().sends(ack(1));
        lane.server().expects(ack(1));
        lane.client().sends(data(1, 101));
        lane.server().expects(data(1, 101).not_ect());
        // A report of a mark that no packet could bear.
        lane.server().sends(ack(101).ece());
        lane.client().expects(ack(101));
        lane.expect_count(Side::server, "ecn_reductions", 0);
    }
}

STORY("ecn: tcp.ecn = false, and nobody is offered anything", "[ecn]") {
    TcpConfig tcp;
    tcp.ecn = false;
    LaneStage lane({.tcp = tcp});
    lane.client().sends(syn().ece().cwr());
    lane.server().expects(syn());
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.ignore_rest();
}

STORY("ecn: a SYN that nobody answers is repeated without", "[ecn]") {
    LaneStage lane;
    lane.client().sends(syn().ece().cwr());
    lane.server().expects(syn().ece().cwr());
    lane.after(1002_ms);
    lane.server().expects(syn());
    lane.server().sends(syn_ack().ece());  // of the first
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101).not_ect());
    lane.ignore_rest();
}

STORY("ecn: a client that comes back to its offer has none, the server's leg keeps its own", "[ecn]") {
    LaneStage lane;
    lane.client().sends(syn().ece().cwr());
    lane.server().expects(syn().ece().cwr());
    lane.client().sends(syn());
    lane.server().sends(syn_ack().ece());
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    expect(!lane.record().ecn[0] && lane.record().ecn[1], "one leg alone");
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101).ect());
    lane.server().sends(data(1, 101).ack(101).ect());
    lane.client().expects(data(1, 101).ack(101).not_ect());
}

STORY("ecn: a cookie grants none", "[ecn]") {
    LaneStage lane({.limits = {64, 2u << 20, 1023, 256, 0}});
    lane.client().sends(syn().ece().cwr());
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    lane.server().expects(syn());
    lane.ignore_rest();
}
