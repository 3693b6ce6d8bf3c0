// A backend that refuses or stays silent is replaced before the client is answered.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions with_backends(unsigned n) {
    LaneOptions o;
    o.backends = n;
    return o;
}

/// The server's end of another try of the first session: the stage gives it the next connection.
Peer& next_try(LaneStage& lane) {
    auto& c = lane.another();
    c.client.knowledge().sent = 1;
    lane.trust_nobody();
    return c.server;
}

}  // namespace

STORY("admission: a refusal moves the session to the next backend; the client sees one handshake",
      "[admission]") {
    LaneStage lane(with_backends(2));
    auto& second = next_try(lane);
    lane.pass_syn();
    expect(lane.server().local() == LaneStage::backend(0), "the first is asked first");
    lane.server().sends(rst(0).ack(1));
    lane.client().expects_nothing();
    second.expects(syn());
    expect(second.local() == LaneStage::backend(1), "then the other one");
    second.sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.client().sends(data(1, 101).ack(1));
    second.expects(data(1, 101));
    second.sends(ack(101));
    lane.client().expects(ack(101));
    lane.server().expects_nothing();
    lane.expect_count(Side::server, "sessions_next_backend", 1);
    lane.expect_count(Side::server, "sessions_refused_backend", 0);
    expect_equal(lane.record().backend, 1, "the record says who serves");
}

STORY("admission: a backend that stays silent for connect_timeout makes room for the next", "[admission]") {
    auto options = with_backends(2);
    options.service.connect_timeout = 1500_ms;
    LaneStage lane(options);
    auto& second = next_try(lane);
    lane.pass_syn();
    lane.at(1499_ms);
    lane.server().expects(syn().at(1_s));
    second.expects_nothing();
    lane.at(1510_ms);
    second.expects(syn().at(1500_ms));
    // An answer that comes too late is told that nobody waits for it.
    lane.server().sends(syn_ack());
    lane.ignore_strangers();
    second.sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.server().ignores_rest();
}

STORY("admission: a backend that was only silent is asked again before the client is refused",
      "[admission]") {
    auto options = with_backends(2);
    options.service.connect_timeout = 300_ms;
    LaneStage lane(options);
    auto& second = next_try(lane);
    auto& third = next_try(lane);
    lane.pass_syn();
    lane.at(310_ms);
    second.expects(syn().at(300_ms));
    second.sends(rst(0).ack(1));
    third.expects(syn());
    expect(third.local() == LaneStage::backend(0), "the one that was silent");
    // There is nobody else left: this time it keeps its time.
    lane.at(1400_ms);
    third.expects(syn().at(1310_ms));
    third.sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.expect_count(Side::server, "sessions_next_backend", 2);
    lane.expect_count(Side::server, "sessions_refused_backend", 0);
}

STORY("admission: a backend that refuses is not asked again", "[admission]") {
    auto options = with_backends(2);
    options.service.connect_timeout = 300_ms;
    LaneStage lane(options);
    auto& second = next_try(lane);
    auto& third = next_try(lane);
    lane.pass_syn();
    lane.at(310_ms);
    second.expects(syn().at(300_ms));
    second.sends(rst(0).ack(1));
    third.expects(syn());
    third.sends(rst(0).ack(1));
    lane.client().expects(rst(0).ack(1));
    lane.server().expects_nothing();
    lane.expect_count(Side::server, "sessions_next_backend", 2);
    lane.expect_count(Side::server, "sessions_refused_backend", 1);
}

STORY("admission: silent backends are asked in turn, each time longer, and the last keeps its time",
      "[admission]") {
    auto options = with_backends(2);
    options.service.connect_timeout = 500_ms;
    LaneStage lane(options);
    lane.trust_nobody();
    Peer* tries[] = {&next_try(lane), &next_try(lane), &next_try(lane), &next_try(lane)};
    lane.pass_syn();
    const Duration turns[] = {500_ms, 1000_ms, 2000_ms, 4000_ms};
    for (unsigned i = 0; i < 4; ++i) {
        lane.at(turns[i] + 10_ms);
        tries[i]->expects(syn().at(turns[i]));
        expect(tries[i]->local() == LaneStage::backend((i + 1) % 2), "they take turns");
    }
    // In the last turn it is asked as often as a single one would be.
    lane.at(75_s);
    lane.client().expects(rst(0).ack(1).at(67_s));
    for (auto* peer : tries) peer->ignores_rest();
    lane.server().ignores_rest();
    lane.expect_count(Side::server, "sessions_refused_backend", 1);
}

STORY("admission: when every backend refuses the client is reset, once", "[admission]") {
    LaneStage lane(with_backends(2));
    auto& second = next_try(lane);
    lane.pass_syn();
    lane.server().sends(rst(0).ack(1));
    second.expects(syn());
    second.sends(rst(0).ack(1));
    lane.client().expects(rst(0).ack(1));
    lane.expect_count(Side::server, "sessions_refused_backend", 1);
    // Both may be asked again by the next client.
    lane.after(3_s);
    expect_equal(lane.lane().backends[0].sessions + lane.lane().backends[1].sessions, 0, "nobody is counted");
}

STORY("admission: at most four backends are tried", "[admission]") {
    LaneStage lane(with_backends(6));
    std::vector<Peer*> tries{&lane.server()};
    for (int i = 0; i < 3; ++i) tries.push_back(&next_try(lane));
    lane.client().sends(syn());
    for (auto* server : tries) {
        server->expects(syn());
        server->sends(rst(0).ack(1));
    }
    lane.client().expects(rst(0).ack(1));
    lane.expect_count(Side::server, "sessions_next_backend", 3);
}

STORY("admission: once the client was answered there is no other backend", "[admission]") {
    LaneStage lane(with_backends(2));
    lane.pass_syn();
    lane.pass_syn_ack();
    lane.server().sends(rst(1).ack(1));
    lane.client().expects(rst(1));
    lane.expect_count(Side::server, "sessions_next_backend", 0);
}
