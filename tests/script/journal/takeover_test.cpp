// The journal with gate standby: what goes to the other log, and what that one does with it after a takeover.
#include <cstring>

#include "tests/script/journal_stage.hpp"
#include "tests/support/journal_log.hpp"

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

/// A standby that confirms what is on its disk, whose mirror has reached the active for the 7th time.
class DurableStandby : public JournalStage {
  public:
    DurableStandby() : JournalStage(options()) {
        install_application(
            {entry(proxy::AppEntryKind::describe, 0), entry(proxy::AppEntryKind::epoch_start, 0)});
        log_.term(1).opened(3);
        state(1, 0, {});  // the log follows from its beginning on
    }
    /// One more record of the active's log, as a record of the mirror.
    void say(std::string_view text) {
        log_.data(text);
        state(2, sent_, std::span(log_.bytes).subspan(sent_));
        sent_ = log_.bytes.size();
    }
    std::uint64_t confirmed() { return proxy::StoredWord::of(lane().application->stored.load(), 7); }
    bool refused() { return lane().application->refused.load() == 7; }

  private:
    static LaneOptions options() {
        LaneOptions o{.gate = both, .starts_as_standby = true};
        o.service.journal_standby = JournalStandby::durable;
        return o;
    }
    static proxy::ApplicationEntry entry(proxy::AppEntryKind kind, std::uint64_t sequence) {
        proxy::ApplicationEntry e{};
        e.kind = kind;
        e.epoch = 7;
        e.sequence = sequence;
        return e;
    }
    void state(std::uint8_t kind, std::uint64_t at, std::span<const std::uint8_t> bytes) {
        auto e = entry(proxy::AppEntryKind::state, ++sequence_);
        e.record.bytes[0] = kind;
        std::memcpy(&e.record.bytes[1], &at, sizeof at);
        std::copy(bytes.begin(), bytes.end(), e.record.bytes.begin() + 9);
        e.record.size = static_cast<std::uint16_t>(9 + bytes.size());
        install_application({e});
    }

    test::LogWriter log_;
    std::uint64_t sequence_ = 0, sent_ = 0;
};

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

STORY("journal: a log at its bound keeps no standby out of sync", "[journal]") {
    JournalStage old({.gate = both});
    old.establish_application();
    connect(old);
    old.client().sends(data(1, 1001));
    old.flush();
    old.client().expects(ack(1001));
    old.after(60_ms);
    Heir heir(old);
    heir.client().expects(ack(1001).seq(0));
    heir.store().max = heir.store().end();
    connect(heir);
    heir.after(10_ms);
    bool ends = false;
    for (const auto& e : heir.standby.application) ends = ends || e.kind == proxy::AppEntryKind::snapshot_end;
    expect(ends, "the snapshot ends");
    expect(heir.disk().kinds() == "todt", "the log's records: " + heir.disk().kinds());
    heir.client().sends(data(1001, 2001));
    heir.flush();
    heir.client().expects_nothing();
}

STORY("journal: a standby that keeps on disk confirms what its slow disk has, and no more", "[journal]") {
    DurableStandby standby;
    standby.store().delay = 300_ms;
    standby.say("one");
    standby.after(100_ms);
    standby.say("two");
    expect_equal(standby.confirmed(), 1, "what is confirmed while nothing is on its disk");
    standby.after(250_ms);
    expect_equal(standby.confirmed(), 3, "what is confirmed when it is");
    standby.store().failing = true;
    standby.say("three");
    standby.after(2000_ms);
    expect_equal(standby.confirmed(), 3, "what is confirmed while its disk fails");
    expect(!standby.refused(), "it only waits");
    standby.store().failing = false;
    standby.store().flush();
    standby.after(1_ms);
    expect_equal(standby.confirmed(), 4, "what is confirmed when its disk works again");
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
