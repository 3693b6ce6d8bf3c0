// The journal with gate standby: what goes to the other log, and what that one does with it after a takeover.
#include "tests/script/journal_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr auto both = Gate::app | Gate::standby;

/// A standby whose journal is empty is in sync.
void connect(JournalStage& lane) {
    std::array<std::uint8_t, journal::Description::size_max> empty;
    const auto size = journal::encode(journal::Description{}, empty);
    lane.standby.description.assign(empty.begin(), empty.begin() + static_cast<std::ptrdiff_t>(size));
    lane.connect_standby();
    lane.settle();
}

/// The node that has what `old` told its standby, on a disk of its own, and becomes active.
class Heir : public JournalStage {
  public:
    explicit Heir(JournalStage& old)
        : JournalStage({.gate = both, .starts_as_standby = true}, std::make_shared<JournalDisk>(), 8) {
        inherit(old);
        proxy::ApplicationEntry describe{};
        describe.kind = proxy::AppEntryKind::describe;
        describe.epoch = 1;
        auto entries = old.standby.application;
        entries.insert(entries.begin(), describe);
        install_application(entries);
        become_active(2);
    }
};

}  // namespace

STORY("journal: an ACK waits for the disk and for the standby", "[journal]") {
    JournalStage lane({.gate = both});
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.flush();
    lane.client().expects_nothing();
    connect(lane);
    lane.after(10_ms);
    lane.client().expects(ack(1001));
    lane.standby.confirms = false;
    lane.client().sends(data(1001, 2001));
    lane.after(10_ms);
    lane.confirm_all();
    lane.client().expects_nothing();
    lane.flush();
    lane.client().expects_nothing();
    lane.confirm_all();
    lane.client().expects(ack(2001));
    lane.expect_journal_count(app::JournalCounter::shipped, lane.store().end());
}

STORY("journal: a takeover finds what was shipped, and appends nothing twice", "[journal]") {
    JournalStage old({.gate = both});
    old.establish_application();
    connect(old);
    old.client().sends(data(1, 1001));
    old.flush();
    old.client().expects(ack(1001));
    old.client().sends(data(1001, 2001));
    old.after(60_ms);
    old.client().ignores_rest();
    Heir heir(old);
    expect(heir.store().log == old.store().log, "the logs are the same");
    heir.client().expects(ack(1001).seq(0));
    heir.client().sends(data(1001, 2501));
    heir.flush();
    heir.client().expects_nothing();
    heir.expect_journal_count(app::JournalCounter::held_again, 1000);
    expect_equal(heir.disk().stream(heir.record().id).size(), 2500, "bytes in the log");
    expect(heir.disk().kinds() == "toddtd", "the log's records: " + heir.disk().kinds());
    connect(heir);
    heir.after(10_ms);
    heir.client().expects(ack(2501));
    expect_equal(heir.held_mbufs(), 0, "mbufs held");
}

STORY("journal: a session whose acknowledged bytes are not in the log is ended, and counted", "[journal]") {
    JournalStage old({.gate = both});
    old.establish_application();
    connect(old);
    old.client().sends(data(1, 1001));
    old.flush();
    old.client().expects(ack(1001));
    old.after(60_ms);
    std::erase_if(old.standby.application,
                  [](const proxy::ApplicationEntry& e) { return e.kind == proxy::AppEntryKind::state; });
    Heir heir(old);
    heir.client().ignores_rest();
    heir.expect_journal_count(app::JournalCounter::sessions_short, 1);
}

STORY("journal: a standby whose log has nothing in common never counts as in sync", "[journal]") {
    JournalStage lane({.gate = both});
    lane.establish_application();
    std::array<std::uint8_t, journal::Description::size_max> other;
    journal::Terms terms;
    terms.begin({{1, 99}, 0});
    const auto size = journal::encode(journal::describe(terms, 5000, true), other);
    lane.standby.description.assign(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(size));
    lane.connect_standby();
    lane.after(10_ms);
    for (const auto& e : lane.standby.application)
        expect(e.kind != proxy::AppEntryKind::snapshot_end, "the snapshot does not end");
    lane.expect_journal_count(app::JournalCounter::logs_differ, 1);
}

STORY("journal: a client that ends before what it had said to the old node is reset, and not in the log",
      "[journal]") {
    JournalStage old({.gate = both});
    old.establish_application();
    connect(old);
    old.client().sends(data(1, 1001));
    old.flush();
    old.client().expects(ack(1001));
    old.client().sends(data(1001, 2001));
    old.after(60_ms);
    old.client().ignores_rest();
    Heir heir(old);
    heir.client().expects(ack(1001).seq(0));
    const auto before = heir.disk().kinds();
    heir.client().sends(fin(1001));
    heir.client().ignores_rest();
    heir.after(10_ms);
    heir.expect_journal_count(app::JournalCounter::sessions_contradicted, 1);
    expect(heir.disk().kinds() == before + "t", "the log's records: " + heir.disk().kinds());
    expect_equal(heir.held_mbufs(), 0, "mbufs held");
}
