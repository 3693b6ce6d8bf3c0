// R2: no client completes a handshake that a standby in sync has not stored.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("handshake: the SYN-ACK waits until the standby has stored the session", "[handshake]") {
    LaneStage lane({.standby_connected = true});
    lane.standby.confirms = false;
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.client().expects_nothing();
    const auto* opened = lane.standby.newest(Side::client, proxy::JournalKind::opened);
    expect(opened != nullptr, "the record is on its way");
    lane.after(20_ms);
    lane.client().expects_nothing();
    lane.confirm_all();
    lane.client().expects(syn_ack());
    lane.expect_count(Side::client, "sessions_store_late", 0);
    lane.expect_count(Side::client, "sessions_unprotected_opened", 0);
}

STORY("handshake: the record holds what a takeover needs", "[handshake]") {
    LaneStage lane({.standby_connected = true});
    lane.establish();
    const auto& r = lane.standby.newest(Side::client, proxy::JournalKind::opened)->opened;
    const auto& client = r.leg[0];
    const auto& server = r.leg[1];
    expect(client.remote == lane.client().local() && client.local == LaneStage::service(),
           "the client leg's addresses");
    expect(server.remote == lane.server().local() && server.local == lane.server().knows().other,
           "the server leg's addresses");
    expect(client.irs == lane.client().isn() && client.iss == lane.client().knows().other_isn,
           "the client leg's ISNs");
    expect(server.irs == lane.server().isn() && server.iss == lane.server().knows().other_isn,
           "the server leg's ISNs");
    expect(r.sack && r.timestamps && r.window_scaling, "the options");
    expect(r.scale_client == 7 && r.scale_server == 7, "the shifts");
    expect_equal(r.term, 1, "the term");
}

STORY("handshake: what is opened behind the snapshot's end waits though the standby is not in sync yet",
      "[handshake]") {
    LaneStage lane({.standby_connected = true});
    // The end of the snapshot is on its way. As soon as that is confirmed the standby is in sync, and would
    // not know of a session whose record follows.
    lane.standby.confirms = false;
    lane.set_in_sync(false);
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.client().expects_nothing();
    lane.confirm_all();
    lane.client().expects(syn_ack());
    lane.expect_count(Side::client, "sessions_unprotected_opened", 0);
    lane.expect_count(Side::client, "sessions_store_late", 0);
}

STORY("handshake: a standby slower than store_wait leaves the session unprotected, counted", "[handshake]") {
    LaneStage lane({.standby_connected = true, .store_wait = 50_ms});
    lane.standby.confirms = false;
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.after(49_ms);
    lane.client().expects_nothing();
    lane.after(2_ms);
    lane.client().expects(syn_ack());
    lane.expect_count(Side::client, "sessions_store_late", 1);
}

STORY("handshake: a standby that is lost meanwhile does not hold the client up", "[handshake]") {
    LaneStage lane({.standby_connected = true});
    lane.standby.confirms = false;
    lane.pass_syn();
    lane.server().sends(syn_ack());
    lane.client().expects_nothing();
    lane.disconnect_standby();
    lane.client().expects(syn_ack());
    lane.expect_count(Side::client, "sessions_unprotected_opened", 1);
}

STORY("handshake: without a standby sessions are opened, and counted as unprotected", "[handshake]") {
    LaneStage lane;
    lane.establish();
    lane.expect_count(Side::client, "sessions_unprotected_opened", 1);
}

STORY("handshake: clients are answered in the order in which their records were stored", "[handshake]") {
    LaneStage lane({.standby_connected = true});
    lane.standby.confirms = false;
    auto& second = lane.another();
    lane.pass_syn();
    second.client.sends(syn());
    second.server.expects(syn());
    second.server.sends(syn_ack());
    lane.server().sends(syn_ack());
    // Only the first record, which is the second client's.
    lane.lane().node.confirmed[0] = lane.standby.records[0][lane.standby.records[0].size() - 2].sequence;
    lane.settle();
    second.client.expects(syn_ack());
    lane.client().expects_nothing();
    lane.confirm_all();
    lane.client().expects(syn_ack());
}

STORY("handshake: the client's completion is told to the standby", "[handshake]") {
    LaneStage lane({.standby_connected = true});
    lane.establish();
    lane.after(60_ms);
    const auto* p = lane.standby.newest(Side::client, proxy::JournalKind::progress);
    expect(p != nullptr && p->progress.established, "progress says established");
}
