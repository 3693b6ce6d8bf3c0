// A takeover of sessions with an application: they go on from what is stored, and no ACK is mapped.
#include "tests/script/application_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr auto both = Gate::app | Gate::standby;

/// The node that has stored what `old` told its standby, and the ends as they are.
class Heir : public ApplicationStage {
  public:
    explicit Heir(ApplicationStage& old, std::size_t records = ~std::size_t{0}, bool progress = true)
        : ApplicationStage({.gate = old.config().services[0].gate, .starts_as_standby = true}) {
        inherit(old, progress);
        auto entries = old.standby.application;
        entries.resize(std::min(records, entries.size()));
        install_application(entries);
        become_active(2);
    }
};

/// The client has said 1000 bytes, and has 300 of the 500 that were replied.
void talk(ApplicationStage& lane) {
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.commit(1000);
    lane.client().expects(ack(1001));
    lane.reply(500);
    lane.client().expects(data(1, 501));
    lane.client().sends(ack(301));
    lane.after(60_ms);
}

}  // namespace

STORY("takeover: a session goes on from what is stored, before any byte the application is told",
      "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    talk(old);
    old.client().ignores_rest();
    Heir heir(old);
    expect(heir.application().resumption.has_value(), "the application is told");
    expect_equal(heir.application().resumption->committed, 1000, "committed");
    expect_equal(heir.application().resumption->replied, 500, "replied");
    heir.client().expects(probe(300).ack(1001));
    heir.client().sends(ack(301));
    heir.client().expects(data(301, 501).ack(1001));
    heir.client().sends(ack(501));
    // What is new waits for a standby, as ever.
    heir.client().sends(data(1001, 1501));
    heir.commit(1500);
    heir.reply(100);
    heir.client().expects_nothing();
    heir.connect_standby();
    heir.settle();
    heir.client().expects(data(501, 601).ack(1501));
    heir.client().sends(ack(601));
    heir.expect_count(Side::client, "sessions_resumed", 1);
}

STORY("takeover: a commit whose ACK had not left is acknowledged by the new node", "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    old.establish_application();
    old.standby.confirms = false;
    old.client().sends(data(1, 1001));
    old.commit(1000);
    old.client().expects_nothing();
    Heir heir(old);
    heir.client().expects(ack(1001).seq(0));
    heir.client().sends(data(1001, 1101));
    expect_equal(heir.application().taken, 1100, "bytes taken");
}

STORY("takeover: what the client has of a reply that it had not acknowledged is not sent again",
      "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    talk(old);
    old.client().ignores_rest();
    Heir heir(old);
    heir.client().expects(probe(300).ack(1001));
    heir.client().sends(ack(501));
    heir.after(1000_ms);
    heir.client().expects_nothing();
    expect_equal(heir.held_mbufs(), 0, "mbufs held");
}

STORY("takeover: half a group of records was never seen, and never was", "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    old.establish_application();
    old.standby.confirms = false;
    const auto before = old.standby.application.size();
    old.reply(1500);
    old.client().expects_nothing();
    Heir heir(old, before + 1);
    expect(!heir.application().resumption.has_value(), "it has not begun");
    heir.client().expects(syn_ack());
    heir.client().sends(ack(1));
    expect_equal(heir.application().sessions_opened, 1, "sessions opened");
}

STORY("takeover: a client that says more than is stored waits until it says it again", "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    talk(old);
    old.client().ignores_rest();
    Heir heir(old);
    heir.client().expects(probe(300).ack(1001));
    heir.client().sends(data(2001, 2501).ack(501));
    heir.client().expects(ack(1001).sack(2001, 2501));
    heir.client().sends(data(1001, 2001).ack(501));
    expect_equal(heir.application().taken, 2500, "bytes taken");
}

STORY("takeover: a client whose handshake nobody used gets its SYN-ACK again, with the same numbers",
      "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    old.client().sends(syn());
    const auto first = old.client().expects(syn_ack());
    Heir heir(old);
    const auto again = heir.client().expects(syn_ack());
    expect(first.raw.seq == again.raw.seq, "the same sequence number");
    heir.client().sends(ack(1));
    heir.client().sends(data(1, 101));
    expect_equal(heir.application().taken, 100, "bytes taken");
}

STORY("takeover: a FIN that was committed and ours that was not acknowledged", "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    talk(old);
    old.client().ignores_rest();
    old.client().sends(fin(1001).ack(501));
    old.client().expects(ack(1002));
    old.finish();
    old.client().expects(fin(501));
    Heir heir(old);
    expect(heir.application().resumption->end_taken && heir.application().resumption->finished,
           "the application knows of both");
    heir.client().expects(ack(1002).seq(500));
    heir.client().expects(fin(501).ack(1002));
    heir.client().sends(ack(502).seq(1002));
    heir.after(61'000_ms);
    heir.expect_view(proxy::View::none);
}

STORY("takeover: without standby in the gate a session is reset, once its ends have used it",
      "[application]") {
    ApplicationStage old({.gate = Gate::app, .standby_connected = true});
    talk(old);
    old.client().ignores_rest();
    Heir heir(old);
    heir.client().expects(rst(301));
    heir.expect_count(Side::client, "sessions_stored_short", 1);
}

STORY("takeover: the same, though nothing of it was told but its opening", "[application]") {
    ApplicationStage old({.gate = Gate::app, .standby_connected = true});
    talk(old);
    old.client().ignores_rest();
    Heir heir(old, 0, false);
    heir.client().expects(syn_ack());
    heir.client().sends(data(1001, 1101).ack(1));
    heir.client().expects(rst(1));
    heir.expect_count(Side::client, "sessions_stored_short", 1);
}

STORY("takeover: without standby in the gate one that nobody has used goes on", "[application]") {
    ApplicationStage old({.gate = Gate::app, .standby_connected = true});
    old.establish_application();
    Heir heir(old);
    heir.client().expects(syn_ack());
    heir.client().sends(ack(1));
    heir.client().sends(data(1, 101));
    heir.commit(100);
    heir.client().expects(ack(101));
}

STORY("takeover: a node that may have been replaced for a while ends its sessions with applications",
      "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    talk(lane);
    lane.client().ignores_rest();
    lane.retake();
    lane.client().expects(rst(501));
    lane.expect_count(Side::client, "sessions_stored_short", 1);
    expect_equal(lane.application().sessions_closed, 1, "closed() calls");
    lane.after(3000_ms);
    lane.expect_view(proxy::View::none);
}

STORY("takeover: a node that drops its table forgets what its applications had", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    talk(lane);
    lane.client().ignores_rest();
    lane.drop_table();
    expect_equal(lane.application().sessions_closed, 1, "closed() calls");
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

// What half a group tells of the client's ACKs dropped replies, but did not move the place where sending
// begins.
STORY("takeover: half a group says what the client has acknowledged, and the replies behind it follow",
      "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    old.establish_application();
    old.client().sends(data(1, 1001));
    old.commit(1000);
    old.client().expects(ack(1001));
    old.reply(500);
    old.client().expects(data(1, 501));
    // One group is under way while the client acknowledges; what tells of that is the next one, in pieces.
    old.standby.confirms = false;
    old.reply(100);
    old.client().sends(ack(301));
    old.reply(1500);
    const auto before = old.standby.application.size();
    old.standby.confirms = true;
    old.settle();
    old.client().ignores_rest();
    Heir heir(old, before + 1, false);
    expect_equal(heir.application().resumption->replied, 600, "replied");
    heir.client().expects(ack(1001).seq(300));
    heir.client().sends(ack(301));
    heir.client().expects(data(301, 601).ack(1001));
    heir.client().sends(ack(601));
    heir.connect_standby();
    heir.settle();
    heir.reply(100);
    heir.client().expects(data(601, 701));
}

STORY("takeover: a segment that comes late does not prove that nobody has used the session",
      "[application]") {
    ApplicationStage old({.gate = Gate::app, .standby_connected = true});
    old.establish_application();
    old.client().sends(data(1, 1001));
    old.commit(1000);
    old.client().expects(ack(1001));
    Heir heir(old, 0, false);
    heir.client().ignores_rest();
    heir.client().sends(ack(1).seq(0));
    heir.client().ignores_rest();
    heir.client().sends(data(1001, 1101).ack(1));
    heir.client().expects(rst(1));
    heir.expect_count(Side::client, "sessions_stored_short", 1);
}

STORY("takeover: what an application did last may come behind the session's end, and is no refusal",
      "[application]") {
    ApplicationStage old({.gate = both, .standby_connected = true});
    talk(old);
    old.client().ignores_rest();
    auto entries = old.standby.application;
    auto late = entries.back(), end = late;
    end.kind = proxy::AppEntryKind::closed;
    end.record.closed = true;
    late.record.first = false;
    entries.push_back(end);
    entries.push_back(late);
    ApplicationStage standby({.gate = both, .starts_as_standby = true});
    standby.install(old.standby.newest(Side::client, proxy::JournalKind::opened)->opened, {});
    standby.install_application(entries);
    standby.expect_application_count("records_refused", 0);
    standby.expect_application_count("stale_message", 1);
}
