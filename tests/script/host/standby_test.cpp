// Gates host and standby: an ACK waits for both, and a takeover goes on with the other machine's process.
#include "tests/script/host_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr auto both = Gate::host | Gate::standby;

/// The node that has stored what `old` told its standby, and the ends as they are.
class Heir : public HostStage {
  public:
    explicit Heir(HostStage& old) : HostStage({.gate = both, .starts_as_standby = true}) {
        inherit(old);
        install_application(old.standby.application);
    }
};

}  // namespace

STORY("host and standby: an ACK waits for both", "[host]") {
    HostStage lane({.gate = both, .standby_connected = true});
    lane.start_process();
    lane.establish_application();
    lane.standby.confirms = false;
    lane.client().sends(data(1, 1001));
    lane.run();
    lane.client().expects_nothing();
    lane.confirm(1000);
    lane.run_for(100_ms);
    lane.client().expects_nothing();
    lane.standby.confirms = true;
    lane.run();
    lane.client().expects(ack(1001));
    lane.disconnect_standby();
    lane.client().sends(data(1001, 2001));
    lane.run();
    lane.confirm(2000);
    lane.client().expects_nothing();
    lane.expect_application_count("gate_waits", 1);
    lane.connect_standby();
    lane.run();
    lane.client().expects(ack(2001));
}

STORY("host and standby: after a takeover the other machine's process goes on from what is stored",
      "[host]") {
    HostStage old({.gate = both, .standby_connected = true});
    old.start_process();
    old.establish_application();
    old.client().sends(data(1, 1001));
    old.run();
    old.process().client.confirm(old.session(), 600);
    old.reply(300);
    old.client().expects(data(1, 301).ack(601));
    old.client().sends(data(1001, 2001).ack(301));
    old.run_for(60_ms);
    old.client().ignores_rest();

    Heir heir(old);
    heir.start_process();
    expect(heir.process().sessions.empty(), "a standby's process has nothing to do");
    heir.become_active(2);
    heir.client().expects(probe(300).ack(601));
    heir.connect_standby();
    heir.run();
    expect(heir.told().opened.resumed, "the process is told that another one had the session");
    expect_equal(heir.told().opened.committed, 600, "committed");
    expect_equal(heir.told().opened.replied, 300, "replied");
    heir.client().sends(data(601, 2001).ack(301));
    heir.run();
    expect_equal(heir.told().received(), 2000, "offset behind what it got");
    heir.client().expects_nothing();
    heir.process().client.confirm(heir.session(), 2000);
    heir.reply(100);
    heir.client().expects(data(301, 401).ack(2001));
    heir.client().sends(ack(401));
    expect_equal(old.count(Side::client, "sessions_stored_short"), 0, "sessions that were reset");
}

STORY("host and standby: a confirmation that the standby did not store is not known to the next process",
      "[host]") {
    HostStage old({.gate = both, .standby_connected = true});
    old.start_process();
    old.establish_application();
    old.client().sends(data(1, 1001));
    old.run();
    old.confirm(500);
    old.client().expects(ack(501));
    old.disconnect_standby();
    old.confirm(1000);
    old.client().expects_nothing();
    Heir heir(old);
    heir.start_process();
    heir.become_active(2);
    heir.client().expects(ack(501).seq(0));
    heir.run();
    expect_equal(heir.told().opened.committed, 500, "committed");
}

STORY("host and standby: a reply and the confirmation that belongs to it take effect together", "[host]") {
    HostStage lane({.gate = both, .standby_connected = true});
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.run();
    lane.standby.confirms = false;
    lane.process().client.confirm(lane.session(), 1000);
    lane.reply(400);
    lane.client().expects_nothing();
    const auto& last = lane.standby.application.back().record;
    expect(last.complete, "one group of records");
    expect_equal(last.committed, 1001, "committed");
    expect_equal(last.begin + last.size, 401, "end of the replies");
    lane.standby.confirms = true;
    lane.run();
    lane.client().expects(data(1, 401).ack(1001));
    lane.client().sends(ack(401));
}
