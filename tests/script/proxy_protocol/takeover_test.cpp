// The header is the new active's to send, until the server has acknowledged it.
#include "tests/script/proxy_protocol/header.hpp"
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions with_header() {
    LaneOptions o;
    o.service.proxy_protocol = 1;
    return o;
}

/// The record is stored and nothing was said yet. The record's numbers are those of the client's bytes.
struct Begun : TakeoverStage {
    explicit Begun(bool established = false)
        : TakeoverStage({.up = 1, .down = 1, .established = established, .progress = established},
                        with_header()),
          header(expected_header(1, client().local(), service())) {
        trust_nobody();
    }
    Position below() const { return Position{1} - header.size(); }
    std::string header;
};

}  // namespace

STORY("proxy_protocol: after a takeover the client's first word takes the header along", "[proxy_protocol]") {
    Begun lane;
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.server().expects_nothing();
    lane.client().sends(data(1, 101).ack(1));
    const auto s = expect_header(lane.server(), lane.header);
    expect_equal(s.ack, 1, "it acknowledges what the client did");
    lane.server().expects(data(1, 101));
    // The server has the header and not yet the data.
    lane.server().sends(ack(1));
    lane.client().expects(ack(1));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    lane.expect_count(Side::server, "prefix_repeated", 0);
}

STORY("proxy_protocol: after a takeover the header is sent again until the server has it",
      "[proxy_protocol]") {
    Begun lane;
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.client().sends(ack(1));
    expect_header(lane.server(), lane.header);
    lane.server().expects(ack(1));
    lane.at(1100_ms);
    expect_header(lane.server(), lane.header);
    lane.server().sends(ack(1));
    lane.client().expects(ack(1));
    lane.after(4_s);
    lane.server().expects_nothing();
    lane.expect_view(proxy::View::terminated);
}

STORY("proxy_protocol: a server that is known to be established is probed by the header",
      "[proxy_protocol]") {
    Begun lane(true);
    lane.take_over();
    lane.client().expects(ack(0).seq(0));
    const auto s = expect_header(lane.server(), lane.header);
    expect_equal(s.ack, 0, "a probe acknowledges nothing");
    lane.server().sends(ack(1));
    lane.client().expects(ack(1));
    lane.ignore_rest();
}

STORY("proxy_protocol: an ACK inside the header is mapped to the client's first byte", "[proxy_protocol]") {
    Begun lane;
    lane.take_over();
    lane.client().expects(syn_ack());
    lane.client().sends(data(1, 101).ack(1));
    expect_header(lane.server(), lane.header);
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(lane.below()).sack(lane.below() + 1, 1).sack(1, 101));
    lane.client().expects(ack(1).sack(1, 101));
    lane.server().sends(data(1, 11).ack(lane.below()));
    lane.client().expects(data(1, 11).ack(1));
    lane.ignore_rest();
}

STORY("proxy_protocol: a server that has bytes of the client's gets no header any more", "[proxy_protocol]") {
    TakeoverStage lane({}, with_header());
    lane.take_over_and_probe();
    lane.both_heard();
    lane.after(1_s);
    lane.client().sends(data(lane.up(), lane.up() + 100).ack(lane.down()));
    lane.server().expects(data(lane.up(), lane.up() + 100));
    lane.expect_count(Side::server, "prefix_repeated", 0);
}
