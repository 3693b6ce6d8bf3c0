// Gate app, and app with standby: what an acknowledgment and a reply wait for.
#include "tests/script/application_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {
constexpr auto both = Gate::app | Gate::standby;
}

STORY("gate app: an ACK waits for the application's commit", "[application]") {
    ApplicationStage lane;
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    expect_equal(lane.application().taken, 1000, "bytes taken");
    lane.after(100_ms);
    lane.client().expects_nothing();
    lane.commit(400);
    lane.client().expects(ack(401));
    lane.commit(1000);
    lane.client().expects(ack(1001));
}

STORY("gate app: a FIN is acknowledged when all before it is committed", "[application]") {
    ApplicationStage lane;
    lane.establish_application();
    lane.client().sends(data(1, 101).fin());
    expect(lane.application().ended, "the application knows of the end");
    lane.client().expects_nothing();
    lane.commit(100);
    lane.client().expects(ack(102));
    lane.finish();
    lane.client().expects(fin(1).ack(102));
    lane.client().sends(ack(2));
}

STORY("gate app: a commit of what was not taken is refused, and counted", "[application]") {
    ApplicationStage lane;
    lane.establish_application();
    lane.application().takes = 300;
    lane.client().sends(data(1, 1001));
    lane.commit(1001);
    lane.client().expects_nothing();
    lane.expect_application_count("commits_refused", 1);
    lane.commit(100);
    lane.client().expects(ack(101));
    lane.commit(50);
    lane.client().expects_nothing();
    lane.expect_application_count("commits_refused", 2);
}

STORY("gate app: a session that an application ends is reset", "[application]") {
    ApplicationStage lane;
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.application().channel().abort(lane.application().session);
    lane.settle();
    lane.client().expects(rst(1));
    expect_equal(lane.application().sessions_closed, 1, "closed() calls");
    lane.expect_application_count("sessions_aborted", 1);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    lane.after(3000_ms);
    lane.expect_view(proxy::View::none);
}

STORY("gate app and standby: an ACK waits for both", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.standby.confirms = false;
    lane.client().sends(data(1, 1001));
    lane.commit(1000);
    lane.client().expects_nothing();
    lane.confirm_all();
    lane.client().expects(ack(1001));
}

STORY("gate app and standby: confirmation of other records releases nothing", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.after(200_ms);
    lane.confirm_all();
    lane.client().expects_nothing();
    lane.commit(1000);
    lane.client().expects(ack(1001));
}

STORY("gate app and standby: a reply leaves when the standby has it, with the commit that it follows from",
      "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.standby.confirms = false;
    lane.client().sends(data(1, 101));
    lane.commit(100);
    const auto first = lane.standby.application.size();
    expect_equal(lane.reply(1500), 1500, "bytes of reply that had room");
    lane.client().expects_nothing();
    lane.confirm_all();
    lane.client().expects(ack(101));
    // One group is on its way at a time: the reply is the next.
    expect_equal(lane.standby.application.size(), first + 2, "records of the reply");
    const auto& last = lane.standby.application.back().record;
    expect(last.complete && !lane.standby.application[first].record.complete,
           "only the last one is complete");
    expect_equal(last.begin, 1025, "where its bytes stand");
    expect_equal(last.size, 476, "its bytes");
    lane.client().expects_nothing();
    lane.confirm_all();
    lane.client().expects(data(1, 1449));
    lane.client().expects(data(1449, 1501));
    lane.client().sends(ack(1501));
}

STORY("gate app and standby: what the client has acknowledged the standby may drop", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.reply(1000);
    lane.client().expects(data(1, 1001));
    lane.client().sends(ack(1001));
    lane.after(1_ms);
    expect_equal(lane.standby.application.back().record.una, 1001, "una");
}

STORY("gate app and standby: without a standby in sync the gate holds, and goes on with one",
      "[application]") {
    ApplicationStage lane({.gate = both});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.commit(1000);
    lane.reply(10);
    lane.after(100_ms);
    lane.client().expects_nothing();
    lane.expect_application_count("gate_waits", 1);
    expect_equal(lane.lane().application->core.waiting, 1, "sessions that wait");
    lane.connect_standby();
    lane.settle();
    lane.client().expects(data(1, 11).ack(1001));
    expect_equal(lane.lane().application->core.waiting, 0, "sessions that wait");
    lane.client().sends(ack(11));
}

STORY("gate app and standby: a standby that is lost meanwhile holds the gate, the next one opens it",
      "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.standby.confirms = false;
    lane.client().sends(data(1, 1001));
    lane.commit(1000);
    lane.disconnect_standby();
    lane.after(50_ms);
    lane.client().expects_nothing();
    lane.standby.confirms = true;
    lane.connect_standby();
    lane.settle();
    lane.client().expects(ack(1001));
}

STORY("gate app and standby: degrade goes on without a standby, counted", "[application]") {
    ServiceConfig service;
    service.degrade = true;
    ApplicationStage lane({.gate = both, .service = service});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.commit(1000);
    lane.client().expects(ack(1001));
    lane.expect_application_count("gate_degraded", 1);
    lane.reply(10);
    lane.client().expects(data(1, 11));
    lane.client().sends(ack(11));
    lane.expect_application_count("gate_waits", 0);
}

STORY("gate app and standby: a new standby is told what it must know, and nothing that is over",
      "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.commit(1000);
    lane.client().expects(ack(1001));
    lane.reply(700);
    lane.client().expects(data(1, 701));
    lane.client().sends(ack(301));
    lane.disconnect_standby();
    lane.connect_standby();
    const auto& records = lane.standby.application;
    expect_equal(records.size(), 3, "records: start, the session, end");
    expect(records[0].kind == proxy::AppEntryKind::epoch_start, "the first is the start");
    expect(records[2].kind == proxy::AppEntryKind::snapshot_end, "the last is the end");
    const auto& r = records[1].record;
    expect(r.first && r.complete, "the session's is whole");
    expect_equal(r.committed, 1001, "committed");
    expect_equal(r.una, 301, "una");
    expect_equal(r.begin + r.size, 701, "the end of the replies");
    lane.client().sends(ack(701));
}

STORY("gate app and standby: the end of a session is told to the standby", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.commit(1000);
    lane.client().expects(ack(1001));
    lane.client().sends(rst(1001));
    expect(lane.standby.application.back().kind == proxy::AppEntryKind::closed, "the last record is the end");
    lane.after(3000_ms);
    lane.expect_view(proxy::View::none);
}
