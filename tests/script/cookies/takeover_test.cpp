// A takeover around a cookie: both nodes make and read them alike.
#include "tests/script/cookies/flooded.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

LaneOptions standby() {
    LaneOptions o;
    o.starts_as_standby = true;
    return o;
}

}  // namespace

STORY("cookies: one that the old active gave is answered at the new one", "[cookies]") {
    LaneStage old(bound_of(0));
    old.client().sends(syn());
    old.client().expects(syn_ack());
    LaneStage fresh(standby());
    fresh.become_active(2);
    move_to(fresh, fresh.main(), old.main());
    fresh.client().sends(ack(1));
    fresh.server().expects(syn());
    accept(fresh.main());
    fresh.server().expects(ack(1));
    fresh.server().sends(data(1, 101));
    fresh.client().expects(data(1, 101));
    fresh.expect_count(Side::client, "cookies_accepted", 1);
}

STORY("cookies: with options, and from a clock that was ahead: TSval does not go back", "[cookies]") {
    FloodedStage old;
    old.lane().node.clock_offset_ns = (5_ms).ns;
    auto& given = old.given_cookie();
    LaneStage fresh(standby());
    fresh.become_active(2);
    move_to(fresh, fresh.main(), given);
    fresh.client().sends(data(1, 101).ack(1));
    fresh.server().expects(syn().sack_ok(true).timestamps_on().scale(7));
    accept(fresh.main());
    fresh.server().expects(data(1, 101).ack(1));
    fresh.server().sends(ack(101));
    // The stage itself judges TSval.
    fresh.client().expects(ack(101).timestamps_on());
}

STORY("cookies: a client whose server was being asked is taken up again by its next segment", "[cookies]") {
    LaneStage old(bound_of(0));
    old.client().sends(syn());
    old.client().expects(syn_ack());
    old.client().sends(data(1, 101).ack(1));
    old.server().expects(syn());
    LaneStage fresh(standby());
    fresh.become_active(2);
    move_to(fresh, fresh.main(), old.main());
    fresh.main().server.knowledge() = {};
    fresh.main().server_bound = false;
    fresh.client().sends(data(1, 101).ack(1));
    fresh.server().expects(syn());
    accept(fresh.main());
    fresh.server().expects(data(1, 101).ack(1));
}

STORY("cookies: what a standby holds of its sessions tells it what the backends accept", "[cookies]") {
    LaneStage old(bound_of(1, true));
    old.establish();
    auto options = standby();
    options.limits.half_open = 0;
    LaneStage fresh(options);
    fresh.install(old.record());
    fresh.become_active(2);
    auto& c = fresh.another();
    c.client.sends(syn());
    c.client.expects(syn_ack().sack_ok(true).timestamps_on().scale(7));
    fresh.ignore_rest();
}

STORY("cookies: a session that began with one is translated with the shift that its client was told",
      "[cookies]") {
    FloodedStage old(true);
    auto& c = old.given_cookie();
    c.client.sends(ack(1));
    c.server.expects(syn());
    c.server.offer.shift = 3;
    accept(c);
    c.server.expects(ack(1));
    c.server.sends(data(1, 101).window(300'000));
    c.client.expects(data(1, 101));
    LaneStage fresh(standby());
    const auto record = old.standby.newest(Side::client, proxy::JournalKind::opened)->opened;
    expect(record.cookie && record.scale_server == 3 && record.scale_to_client == 7, "the record's shifts");
    fresh.install(record);
    move_to(fresh, fresh.main(), c);
    fresh.become_active(2);
    // The client was not known to be connected: it is sent the SYN-ACK once more, which tells it nothing.
    fresh.client().expects(syn_ack().scale(7));
    fresh.client().sends(ack(101).seq(1));
    fresh.server().expects(ack(101));
    fresh.server().sends(data(101, 201).window(310'000));
    fresh.client().expects(data(101, 201).window(310'000 & ~127));
    fresh.client().sends(data(1, 51).ack(201));
    fresh.server().expects(data(1, 51).ack(201).window(64'000));
}

STORY("cookies: a node that was silent while its client waited for the server asks the client itself",
      "[cookies]") {
    FloodedStage lane(true);
    lane.standby.confirms = false;
    auto& c = lane.given_cookie();
    c.client.sends(data(1, 101).ack(1));
    c.server.expects(syn());
    c.server.sends(syn_ack());
    lane.retake();
    lane.ignore_rest();
    c.client.ignores_rest();
    // What it held is gone; the client sends it again, and it completes the server's handshake.
    c.client.sends(data(1, 101).ack(1));
    c.server.expects(data(1, 101).ack(1));
    c.server.sends(ack(101));
    c.client.expects(ack(101));
}
