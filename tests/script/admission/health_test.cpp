// Checks of backends: a SYN from a source address, and a RST to whoever answers.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions checked(unsigned backends = 1) {
    LaneOptions o;
    o.backends = backends;
    o.service.health.interval = 1_s;
    o.service.health.timeout = 200_ms;
    o.service.health.rise = 2;
    o.service.health.fall = 2;
    return o;
}

/// The backend's end of the next check, each time from the first.
struct Checked : LaneStage {
    explicit Checked(LaneOptions o = checked()) : LaneStage(as_standby(std::move(o))), probe(another()) {
        main().server_bound = true;  // no session is meant before the story says so
        expect_anew();
        become_active(1);
        probe.server.expects(syn());
    }
    static LaneOptions as_standby(LaneOptions o) {
        o.starts_as_standby = true;
        return o;
    }
    void expect_anew() {
        probe.server.knowledge() = {};
        probe.server_bound = false;
        probe.client.knowledge().sent = 1;
    }
    /// The check at this time is answered by `answer`; what came back is the story's.
    void check_at(Duration t, const Seg& answer, Where where = Where::current()) {
        expect_anew();
        at(t + 1_ms);
        probe.server.expects(syn().at(t), where);
        probe.server.sends(answer);
    }
    bool up() { return lane().backends[0].up; }
    Conversation& probe;
};

}  // namespace

STORY("admission: a backend that answers a check is told by RST that this was all", "[admission]") {
    Checked lane;
    lane.probe.server.sends(syn_ack());
    lane.probe.server.expects(rst(1));
    lane.check_at(1_s, syn_ack());
    lane.probe.server.expects(rst(1));
    const auto first = lane.probe.server.knows().other;
    lane.check_at(2_s, syn_ack());
    lane.probe.server.expects(rst(1));
    expect(lane.probe.server.knows().other.address == first.address, "a source address");
    expect_equal(first.port % 2, lane.config().node_id, "a port of this node's half");
    expect(lane.up(), "up");
    lane.expect_count(Side::server, "health_failed", 0);
}

STORY("admission: refused checks take a backend down, answered ones bring it back", "[admission]") {
    Checked lane;
    lane.probe.server.sends(rst(0).ack(1));
    expect(lane.up(), "once is not enough");
    lane.check_at(1_s, rst(0).ack(1));
    expect(!lane.up(), "twice is");
    expect(lane.lane().backends[0].reason == proxy::BackendReason::refuses, "and why");
    lane.expect_count(Side::server, "backends_down", 1);
    // Meanwhile clients are refused at once.
    lane.client().sends(syn());
    lane.client().expects(rst(0).ack(1));
    lane.expect_count(Side::server, "sessions_no_backend", 1);
    lane.check_at(2_s, syn_ack());
    lane.probe.server.expects(rst(1));
    expect(!lane.up(), "one answer is not enough");
    lane.check_at(3_s, syn_ack());
    lane.probe.server.expects(rst(1));
    expect(lane.up(), "two are");
    lane.expect_count(Side::server, "backends_up", 1);
}

STORY("admission: a check that nobody answers has failed after its time; the answer is too late",
      "[admission]") {
    Checked lane;
    lane.at(201_ms);
    lane.expect_count(Side::server, "health_failed", 1);
    lane.probe.server.sends(syn_ack());
    lane.probe.server.expects(rst(1));
    lane.expect_count(Side::server, "health_failed", 1);
    lane.check_at(1_s, rst(5).ack(9));  // not an answer to this SYN
    expect(lane.up(), "not yet");
    lane.at(1210_ms);
    expect(!lane.up(), "silence twice");
    expect(lane.lane().backends[0].reason == proxy::BackendReason::silent, "and why");
}

STORY("admission: sessions that a backend refuses count like checks", "[admission]") {
    Checked lane(checked());
    lane.probe.server.sends(syn_ack());
    lane.probe.server.expects(rst(1));
    auto& other = lane.another();
    for (auto* c : {&lane.main(), &other}) {
        c->server_bound = false;
        c->client.sends(syn());
        c->server.expects(syn());
        c->server.sends(rst(0).ack(1));
        c->client.expects(rst(0).ack(1));
    }
    expect(!lane.up(), "down before the next check");
}

STORY("admission: a node that is not active checks nobody, and one that becomes active assumes the best",
      "[admission]") {
    auto options = checked();
    options.starts_as_standby = true;
    LaneStage lane(options);
    lane.at(10_s);
    lane.expect_count(Side::server, "health_checks", 0);
    lane.lane().backends[0].up = false;
    auto& probe = lane.another();
    probe.client.knowledge().sent = 1;
    lane.become_active(2);
    expect(lane.lane().backends[0].up, "up");
    probe.server.expects(syn());
    lane.drop_table();
    lane.at(20_s);
    probe.server.expects_nothing();
    lane.expect_count(Side::server, "health_checks", 1);
}

STORY("admission: while the lease is out a silent backend has not failed", "[admission]") {
    Checked lane;
    lane.probe.server.sends(syn_ack());
    lane.probe.server.expects(rst(1));
    lane.set_lease(500_ms);
    lane.at(10_s);
    expect(lane.up(), "up");
    lane.expect_count(Side::server, "health_failed", 0);
    lane.expect_anew();
    lane.set_lease(100_s);
    lane.after(110_ms);
    lane.probe.server.expects(syn());
}
