// Marks of congestion on a terminated leg: what came marked is reported until the sender answers, what is
// reported to us lowers our window once.
#include "tests/script/ecn/marked.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("ecn: a mark is reported by every ACK until CWR comes, and on that leg alone", "[ecn]") {
    Marked lane;
    auto &client = lane.client(), &server = lane.server();
    client.sends(data(1, 101).ce());
    server.expects(data(1, 101).ect());
    client.expects_nothing();  // its ACK waits for the server's, as ever
    server.sends(ack(101));
    client.expects(ack(101).ece().not_ect());
    // What carries data acknowledges, too.
    server.sends(data(1, 51).ect());
    client.expects(data(1, 51).ece().ect());
    client.sends(data(101, 201).ack(51).ect());
    server.expects(data(101, 201).ack(51).ect());
    server.sends(ack(201));
    client.expects(ack(201).ece());
    // The sender has lowered its window.
    client.sends(data(201, 301).cwr().ect());
    server.expects(data(201, 301).ect());
    server.sends(ack(301));
    client.expects(ack(301));
    lane.expect_count(Side::client, "ecn_marks", 1);
    lane.expect_count(Side::server, "ecn_marks", 0);
}

STORY("ecn: CWR and a mark in the same segment: the report begins again", "[ecn]") {
    Marked lane;
    lane.client().sends(data(1, 101).ce());
    lane.server().expects(data(1, 101));
    lane.client().sends(data(101, 201).cwr().ce());
    lane.server().expects(data(101, 201));
    lane.server().sends(ack(201));
    lane.client().expects(ack(201).ece());
    lane.expect_count(Side::client, "ecn_marks", 2);
}

STORY("ecn: marks of what is outside the window, and of what carries nothing, count for nothing", "[ecn]") {
    Marked lane;
    lane.client().sends(data(1, 101).ect());
    lane.server().expects(data(1, 101).ect());
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    lane.client().sends(data(1, 101).ce());  // old
    lane.client().expects(ack(101));
    lane.client().sends(ack(1).ce());
    lane.client().sends(data(101, 201).ect());
    lane.server().expects(data(101, 201));
    lane.server().sends(ack(201));
    lane.client().expects(ack(201));
    lane.expect_count(Side::client, "ecn_marks", 0);
}

STORY("ecn: a report lowers the window to 0.7 once, and the next new data says CWR", "[ecn]") {
    Marked lane;
    auto& server = lane.server();
    lane.fly(10);
    server.sends(ack(lane.start(3)).ece());
    lane.client().expects(ack(lane.start(3)));
    lane.expect_count(Side::server, "ecn_reductions", 1);
    // Of the same window: no second time.
    server.sends(ack(lane.start(5)).ece());
    lane.client().expects(ack(lane.start(5)));
    lane.expect_count(Side::server, "ecn_reductions", 1);
    // Seven of ten segments, and six are under way.
    for (Position i = 11; i <= 16; ++i) lane.client().sends(lane.segment(i));
    server.expects(lane.segment(11).cwr());
    server.expects_nothing();
    server.sends(ack(lane.start(11)));
    lane.client().expects(ack(lane.start(11)));
    for (Position i = 12; i <= 16; ++i) server.expects(lane.segment(i));
    // The next window has marks of its own.
    server.sends(ack(lane.start(13)).ece());
    lane.client().expects(ack(lane.start(13)));
    lane.expect_count(Side::server, "ecn_reductions", 2);
    lane.client().sends(lane.segment(17));
    server.expects(lane.segment(17).cwr());
    lane.ignore_rest();
}

STORY("ecn: a loss and a report of the same window lower it once; repetitions are not ECT", "[ecn]") {
    Marked lane;
    auto& server = lane.server();
    lane.fly(10);
    server.sends(ack(lane.start(1)).sack(lane.start(2), lane.start(6)).ece());
    server.expects(Flight::segment(1).not_ect());
    lane.expect_count(Side::server, "fast_recoveries", 1);
    server.sends(ack(lane.start(8)).ece());
    lane.client().expects(ack(lane.start(8)));
    lane.expect_count(Side::server, "ecn_reductions", 0);
    lane.client().sends(lane.segment(11));
    server.expects(lane.segment(11).cwr());
    lane.ignore_rest();
}

STORY("ecn: a report before the loss of the same window lowers it once, too", "[ecn]") {
    Marked lane;
    auto& server = lane.server();
    lane.fly(10);
    server.sends(ack(lane.start(2)).ece());
    lane.client().expects(ack(lane.start(2)));
    server.sends(ack(lane.start(2)).sack(lane.start(3), lane.start(7)).ece());
    server.expects(Flight::segment(2).not_ect());
    lane.expect_count(Side::server, "fast_recoveries", 1);
    // One CWR is owed, not two: what follows the first new data has none. And seven of ten segments fit.
    server.sends(ack(lane.start(11)));
    lane.client().expects(ack(lane.start(11)));
    for (Position i = 11; i <= 20; ++i) lane.client().sends(lane.segment(i));
    server.expects(lane.segment(11).cwr());
    for (Position i = 12; i <= 17; ++i) server.expects(lane.segment(i));
    server.expects_nothing();
    lane.ignore_rest();
}

STORY("ecn: probes are not ECT: of windows, of tails, of lives", "[ecn]") {
    Marked lane;
    lane.client().sends(data(1, 101).ect());
    lane.server().expects(data(1, 101).ect());
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    lane.client().sends(data(101, 201).ect());
    lane.server().expects(data(101, 201).ect());
    lane.after(100_ms);
    lane.server().expects(probe(200).not_ect());  // of the tail
    lane.server().expects(data(101, 201).not_ect());
    lane.server().ignores_rest();
    lane.server().sends(ack(201).window(0));
    lane.client().expects(ack(201));
    lane.client().ignores_rest();
    lane.after(10_s);
    while (lane.server().has_unexpected()) expect_equal(lane.server().takes().raw.ecn, 0, "ECN of a probe");
    while (lane.client().has_unexpected()) expect_equal(lane.client().takes().raw.ecn, 0, "ECN of a probe");
    lane.ignore_rest();
}

STORY("ecn: a recovery in which a mark was reported is not taken back", "[ecn]") {
    for (const bool marked : {false, true}) {
        Marked lane;
        auto& server = lane.server();
        lane.fly(10);
        server.sends(ack(lane.start(1)).sack(lane.start(2), lane.start(6)));
        server.expects(Flight::segment(1).not_ect());
        server.sends(marked ? ack(lane.start(8)).ece() : ack(lane.start(8)));
        lane.client().expects(ack(lane.start(8)));
        server.sends(ack(lane.start(11)));
        lane.client().expects(ack(lane.start(11)));
        // What was repeated had arrived: nothing was lost, but the mark stands.
        server.sends(ack(lane.start(11)).sack(lane.start(1), lane.start(2)));
        lane.expect_count(Side::server, "recoveries_undone", marked ? 0 : 1);
        lane.ignore_rest();
    }
}
