// A drained backend keeps its sessions and gets no new ones.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions with_backends(unsigned n, Balance balance = Balance::round_robin) {
    LaneOptions o;
    o.backends = n;
    o.service.balance = balance;
    return o;
}

}  // namespace

STORY("admission: a drained backend gets no new sessions, and the one that it has lives on", "[admission]") {
    LaneStage lane(with_backends(2));
    auto& second = lane.another();
    auto& third = lane.another();
    lane.establish();
    lane.lane().backends[0].drained = true;
    lane.establish(second);
    lane.establish(third);
    expect(second.server.local() == LaneStage::backend(1) && third.server.local() == LaneStage::backend(1),
           "new sessions go to the other backend");
    lane.client().sends(data(1, 101));
    lane.server().expects(data(1, 101));
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    expect_equal(lane.lane().backends[0].sessions, 1, "it still has one");
}

STORY("admission: with every backend drained a SYN is answered by RST at once", "[admission]") {
    LaneStage lane(with_backends(2));
    for (auto& b : lane.lane().backends) b.drained = true;
    lane.client().sends(syn());
    lane.client().expects(rst(0).ack(1).at(0_s));
    lane.server().expects_nothing();
    lane.expect_count(Side::server, "sessions_no_backend", 1);
    lane.after(3_s);
    lane.lane().backends[1].drained = false;
    lane.main().begin_anew(LaneStage::client_isn + 1000);
    lane.establish();
}

STORY("admission: least_sessions evens out what ended", "[admission]") {
    LaneStage lane(with_backends(2, Balance::least_sessions));
    auto& second = lane.another();
    auto& third = lane.another();
    lane.establish();
    lane.establish(second);
    expect(second.server.local() == LaneStage::backend(1), "the second has none");
    second.client.sends(rst(1));
    second.server.expects(rst(1));
    lane.establish(third);
    expect(third.server.local() == LaneStage::backend(1), "it has none again");
    expect_equal(lane.lane().backends[0].sessions, 1, "the first backend's");
    expect_equal(lane.lane().backends[1].sessions, 1, "the second backend's");
}

STORY("admission: source_hash sends one client's sessions to one backend", "[admission]") {
    LaneStage lane(with_backends(4, Balance::source_hash));
    std::vector<Conversation*> all{&lane.main()};
    for (int i = 0; i < 6; ++i) all.push_back(&lane.another());
    for (auto* c : all) {
        lane.establish(*c);
        expect(c->server.local() == lane.server().local(), "the same for every port");
    }
}
