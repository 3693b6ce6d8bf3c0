// Options: the server is offered what the client offers, the client what the server accepts, and both legs
// carry the same.
#include <algorithm>

#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("options: the server is offered what the client offered", "[options]") {
    LaneStage lane;
    auto& client = lane.client();
    client.offer = {1200, 3, true, true, 5000};
    client.sends(syn());
    const auto s = lane.server().expects(syn().mss(1200).scale(3).sack_ok(true).window(5000));
    expect(s.raw.options.timestamps.has_value(), "timestamps are offered");
    expect_equal(s.raw.options.timestamps->echo, 0, "TSecr of a SYN");
    expect_equal(s.raw.options.length, 24, "MSS, SACK, timestamps and scale and nothing else");
}

STORY("options: the client is answered with what the server accepted", "[options]") {
    LaneStage lane;
    lane.server().offer = {1300, 9, true, true, 7000};
    lane.pass_syn();
    lane.server().sends(syn_ack());
    const auto s =
        lane.client().expects(syn_ack().mss(1300).scale(9).sack_ok(true).window(7000).echo(0xffffff00));
    expect(s.raw.options.timestamps.has_value(), "timestamps are accepted");
}

STORY("options: what the client does not offer, the server is not offered", "[options]") {
    LaneStage lane;
    lane.client().offer = {1460, -1, false, false, 64000};
    lane.client().sends(syn());
    const auto s = lane.server().expects(syn().no_scale().sack_ok(false).no_timestamps());
    expect_equal(s.raw.options.length, 4, "an MSS and nothing else");
}

STORY("options: what the server does not accept, the client is not given", "[options]") {
    for (const int declined : {0, 1, 2}) {
        LaneStage lane;
        lane.client().sends(syn());
        lane.server().expects(syn());
        auto& offer = lane.server().offer;
        if (declined == 0) offer.shift = -1;
        if (declined == 1) offer.sack = false;
        if (declined == 2) offer.timestamps = false;
        lane.server().knowledge().timestamps = offer.timestamps;
        lane.server().sends(syn_ack());
        auto expected = syn_ack().scale(declined == 0 ? -1 : 7).sack_ok(declined != 1);
        expected.timestamps = declined != 2;
        lane.client().expects(expected);
        // And it stays so: the stage checks timestamps on every segment.
        lane.client().sends(ack(1));
        lane.server().expects(ack(1));
        lane.client().sends(data(1, 101));
        lane.server().expects(data(1, 101));
    }
}

STORY("options: without window scaling both legs' windows are bytes", "[options]") {
    LaneStage lane;
    lane.client().offer.shift = -1;
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack().no_scale());
    lane.client().sends(ack(1));
    lane.server().expects(ack(1).window(64000));
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101).window(64000));
    lane.server().sends(ack(101).window(3001));
    lane.client().expects(ack(101));
}

STORY("options: a shift above 14 counts as 14 (RFC 7323)", "[options]") {
    LaneStage lane;
    lane.client().offer.shift = 200;
    lane.client().sends(syn());
    lane.server().expects(syn().scale(14));
}

STORY("options: a SYN without MSS means 536", "[options]") {
    LaneStage lane;
    sim::Segment raw;
    raw.from_mac = lane.client().mac();
    raw.to_mac = LaneStage::virtual_mac(Side::client);
    raw.from = lane.client().local();
    raw.to = LaneStage::service();
    raw.seq = lane.client().isn();
    raw.flags = flag::syn;
    raw.window = 64000;
    lane.client().knowledge().sent = 1;
    lane.deliver_raw(Side::client, sim::write_segment(raw));
    lane.server().expects(syn().mss(536));
}

STORY("options: the MSS is the smallest of both ends' and both networks'", "[options]") {
    struct Case {
        std::uint16_t client_mtu, server_mtu, client_mss, server_mss, to_server, to_client;
    };
    for (const auto& c :
         {Case{9000, 1500, 8960, 1460, 1460, 1460}, Case{1500, 9000, 1460, 8960, 1460, 1460},
          Case{9000, 9000, 8960, 8000, 8960, 8000}, Case{1500, 1500, 1000, 1460, 1000, 1460},
          Case{1400, 1500, 1460, 1460, 1360, 1360}, Case{1500, 1500, 8960, 8960, 1460, 1460}}) {
        LaneStage lane({.client_mtu = c.client_mtu, .server_mtu = c.server_mtu});
        lane.client().offer.mss = c.client_mss;
        lane.server().offer.mss = c.server_mss;
        lane.client().sends(syn());
        lane.server().expects(syn().mss(c.to_server));
        lane.server().sends(syn_ack());
        lane.client().expects(syn_ack().mss(c.to_client));
    }
}

STORY("options: segments are cut anew where the ends' sizes differ", "[options]") {
    LaneStage lane;
    lane.server().offer.mss = 612;  // 600 bytes with timestamps
    lane.pass_syn();
    lane.server().sends(syn_ack());
    // An end that ignores what it was told: its segments are taken all the same.
    lane.client().expects(syn_ack().mss(612));
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.client().sends(data(1, 1401));
    lane.server().expects(data(1, 601));
    lane.server().expects(data(601, 1201));
    lane.server().expects(data(1201, 1401));
    lane.server().sends(ack(1401));
    lane.client().expects(ack(1401));
}

STORY("options: an option that nobody knows changes nothing and is not passed on", "[options]") {
    LaneStage lane;
    sim::Segment raw;
    raw.from_mac = lane.client().mac();
    raw.to_mac = LaneStage::virtual_mac(Side::client);
    raw.from = lane.client().local();
    raw.to = LaneStage::service();
    raw.seq = lane.client().isn();
    raw.flags = flag::syn;
    raw.options.mss = 1460;
    raw.options.unknown_kind = 34;  // fast open, asking for a cookie
    lane.client().knowledge().sent = 1;
    lane.deliver_raw(Side::client, sim::write_segment(raw));
    const auto s = lane.server().expects(syn());
    expect_equal(s.raw.options.length, 4, "an MSS and nothing else");
}

namespace {

/// Both ports carry 1500 bytes, whatever family their networks speak; the ends offer what fits theirs.
struct SameMtu : LaneStage {
    SameMtu() : LaneStage({.client_mtu = less(Side::client), .server_mtu = less(Side::server)}) {
        client().offer.mss = most(Side::client);
        server().offer.mss = most(Side::server);
        pass_syn();
        pass_syn_ack();
        client().sends(ack(1));
        server().expects(ack(1));
    }
    static std::uint16_t most(Side side) { return speaks_ipv6(side) ? 1440 : 1460; }
    /// What the stage adds for the larger header is taken off again.
    static std::uint16_t less(Side side) { return speaks_ipv6(side) ? 1480 : 1500; }
    static std::uint16_t mss() { return std::min(most(Side::client), most(Side::server)); }
};

}  // namespace

STORY("options: at one MTU both ends are told the MSS of the family with the larger header", "[options]") {
    LaneStage lane({.client_mtu = SameMtu::less(Side::client), .server_mtu = SameMtu::less(Side::server)});
    lane.client().offer.mss = SameMtu::most(Side::client);
    lane.server().offer.mss = SameMtu::most(Side::server);
    lane.client().sends(syn());
    lane.server().expects(syn().mss(SameMtu::mss()));
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack().mss(SameMtu::mss()));
}

STORY("options: at one MTU full segments pass whole between the families, larger ones are cut", "[options]") {
    SameMtu lane;
    const Position full = SameMtu::mss() - 12;
    lane.client().sends(data(1, 1 + full));
    lane.server().expects(data(1, 1 + full));
    lane.server().sends(data(1, 1 + full).ack(1 + full));
    lane.client().expects(data(1, 1 + full).ack(1 + full));
    // An end that takes its own MTU for the path's.
    const Position large = SameMtu::most(Side::client) - 12;
    lane.client().sends(data(1 + full, 1 + full + large).ack(1 + full));
    lane.server().expects(data(1 + full, 1 + full + std::min(full, large)));
    if (large > full) lane.server().expects(data(1 + 2 * full, 1 + full + large));
}

STORY("options: every segment has the time to live of the configuration", "[options]") {
    TcpConfig tcp;
    tcp.ttl = 17;
    LaneStage lane({.tcp = tcp});
    const auto hops = [](const Seen& s) { expect_equal(s.raw.ttl, 17, "time to live"); };
    lane.client().sends(syn());
    hops(lane.server().expects(syn()));
    lane.server().sends(syn_ack());
    hops(lane.client().expects(syn_ack()));
    lane.client().sends(ack(1));
    hops(lane.server().expects(ack(1)));
    lane.client().sends(data(1, 101));
    hops(lane.server().expects(data(1, 101)));
    lane.server().sends(ack(101));
    hops(lane.client().expects(ack(101)));
    // What is made for a segment of no session, too.
    auto& stranger = lane.another().client;
    stranger.knowledge().sent = 1;
    stranger.sends(data(1, 101).ack(77).no_timestamps());
    hops(stranger.expects(rst(77)));
}
