// The handshake goes end to end: each end is answered with what the other end said.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("handshake: the client is answered when the server has answered, and the server when the client has", "[handshake]") {
    LaneStage lane;
    lane.client().sends(syn());
    lane.server().expects(syn());
    lane.client().expects_nothing();
    lane.server().sends(syn_ack());
    lane.client().expects(syn_ack());
    lane.server().expects_nothing();
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.expect_view(proxy::View::terminated);
    lane.expect_count(Side::client, "sessions_established", 1);
}
