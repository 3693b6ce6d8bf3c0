// The header goes first, once, and again until the server has it.
#include "tests/script/proxy_protocol/header.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions with_header(unsigned version) {
    LaneOptions o;
    o.service.proxy_protocol = version;
    return o;
}

struct Headed : LaneStage {
    explicit Headed(unsigned version = 2)
        : LaneStage(with_header(version)),
          header(expected_header(version, client().local(), service())),
          size(header.size()) {
        trust_nobody();
    }
    /// Until both ends have answered; the header is on its way to the server.
    void begin() {
        pass_syn();
        // From here on the server's end counts as the client does.
        server().knowledge().other_isn = server().knowledge().other_isn + static_cast<std::uint32_t>(size);
        server().sends(syn_ack().ack(below()));
        client().expects(syn_ack());
        client().sends(ack(1));
    }
    /// The position of the header's first byte.
    Position below() const { return Position{1} - size; }
    std::string header;
    std::size_t size;
};

}  // namespace

STORY("proxy_protocol: version 1 and 2 go before the client's first byte", "[proxy_protocol]") {
    for (const unsigned version : {1u, 2u}) {
        Headed lane(version);
        lane.begin();
        const auto first = expect_header(lane.server(), lane.header);
        expect(first.raw.has(flag::psh) && first.ack == 1, "with the ACK that completes the handshake");
        lane.client().sends(data(1, 101));
        lane.server().expects(data(1, 101));
        lane.server().sends(ack(101));
        lane.client().expects(ack(101));
        lane.server().sends(data(1, 51));
        lane.client().expects(data(1, 51).ack(101));
        lane.client().sends(ack(51));
        lane.server().expects(ack(51));
    }
}

STORY("proxy_protocol: a server that speaks first gets the header first", "[proxy_protocol]") {
    Headed lane;
    lane.begin();
    expect_header(lane.server(), lane.header);
    lane.server().sends(data(1, 51).ack(1));
    lane.client().expects(data(1, 51).ack(1));
}

STORY("proxy_protocol: a lost header is sent again until it is acknowledged; the client hears nothing of it",
      "[proxy_protocol]") {
    Headed lane;
    lane.begin();
    const auto first = expect_header(lane.server(), lane.header);
    lane.at(1001_ms);
    const auto second = expect_header(lane.server(), lane.header);
    expect(second.raw.seq == first.raw.seq, "the same place");
    lane.at(3001_ms);
    expect_header(lane.server(), lane.header);
    lane.server().sends(ack(1));
    lane.at(20_s);
    lane.server().expects_nothing();
    lane.client().expects_nothing();
    lane.expect_count(Side::server, "prefix_repeated", 2);
}

STORY("proxy_protocol: an ACK inside the header never reaches the client, nor does a D-SACK of it",
      "[proxy_protocol]") {
    Headed lane;
    lane.begin();
    expect_header(lane.server(), lane.header);
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(lane.below()).sack(1, 101));
    lane.server().sends(ack(lane.below() + 3).sack(1, 101));
    lane.client().expects_nothing();
    lane.at(1005_ms);
    lane.server().ignores_rest();
    lane.server().sends(ack(101).sack(lane.below(), 1));
    lane.client().expects(ack(101));
    lane.at(5_s);
    lane.server().expects_nothing();
}

STORY("proxy_protocol: the header has its share of the server's window", "[proxy_protocol]") {
    Headed lane;
    lane.pass_syn();
    lane.server().knowledge().other_isn =
        lane.server().knowledge().other_isn + static_cast<std::uint32_t>(lane.size);
    lane.server().sends(syn_ack().ack(lane.below()).window(1000));
    lane.client().expects(syn_ack().window(1000 - lane.size));
}

STORY("proxy_protocol: a small MSS cuts the header", "[proxy_protocol]") {
    Headed lane(1);
    lane.client().offer.timestamps = false;
    lane.server().offer.mss = 88;
    lane.begin();
    const auto first = lane.server().takes();
    auto text = std::string(first.raw.payload.begin(), first.raw.payload.end());
    while (lane.server().has_unexpected()) {
        const auto s = lane.server().takes();
        text.append(s.raw.payload.begin(), s.raw.payload.end());
    }
    expect(text == lane.header, "the pieces are the header");
}

STORY("proxy_protocol: a server that refuses, and a client that gives up, see numbers that they know",
      "[proxy_protocol]") {
    Headed lane;
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.client().sends(rst(1));
    lane.server().expects(rst(1));
}

STORY("proxy_protocol: a server that never takes the header is given up, and both ends are reset",
      "[proxy_protocol]") {
    Headed lane;
    lane.begin();
    lane.at(663_s);
    lane.server().ignores_rest();
    lane.client().ignores_rest();
    lane.at(664_s);
    lane.server().expects(rst(1));
    lane.client().expects(rst(1));
    lane.expect_count(Side::server, "sessions_timed_out", 1);
}
