// State records: what an application keeps at the standby beside its replies.
#include "tests/script/application_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;
using proxy::AppEntryKind;

namespace {

constexpr auto both = Gate::app | Gate::standby;

/// Kinds of the records that the standby was sent, in order.
std::string kinds(const Standby& standby) {
    std::string text;
    for (const auto& e : standby.application) switch (e.kind) {
            case AppEntryKind::state: text += 's'; break;
            case AppEntryKind::progress: text += 'p'; break;
            case AppEntryKind::snapshot_end: text += 'E'; break;
            default: text += '.'; break;
        }
    return text;
}

bool has_end(const Standby& standby) { return kinds(standby).find('E') != std::string::npos; }

proxy::ApplicationEntry entry(AppEntryKind kind, std::uint64_t sequence, std::string_view text = {}) {
    proxy::ApplicationEntry e{};
    e.kind = kind;
    e.epoch = 7;
    e.sequence = sequence;
    e.record.size = static_cast<std::uint16_t>(text.size());
    std::copy(text.begin(), text.end(), e.record.bytes.begin());
    return e;
}

/// A node that is a standby, whose mirror has reached the active for the 7th time.
class Follower : public ApplicationStage {
  public:
    Follower() : ApplicationStage({.gate = both, .starts_as_standby = true}) {
        install_application({entry(AppEntryKind::describe, 0), entry(AppEntryKind::epoch_start, 0)});
    }
    std::uint64_t stored() { return proxy::StoredWord::of(lane().application->stored.load(), 7); }
    bool refused() { return lane().application->refused.load() == 7; }
};

}  // namespace

STORY("state: what is stored before a commit goes to the standby before it", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.standby.application.clear();
    lane.client().sends(data(1, 1001));
    expect(lane.store("one"), "there is room");
    expect(lane.store("two"), "there is room");
    lane.commit(1000);
    lane.client().expects(ack(1001));
    expect(kinds(lane.standby) == "ssp", "the records: " + kinds(lane.standby));
    lane.expect_application_count("states_written", 2);
}

STORY("state: nothing is stored before a standby has said what it holds, and none after it left",
      "[application]") {
    ApplicationStage lane({.gate = both});
    lane.establish_application();
    expect(!lane.store("one"), "there is no standby");
    lane.standby.describes = false;
    lane.connect_standby();
    expect(!lane.store("one"), "it has not said what it holds");
    lane.standby.description = "up to 17";
    lane.describe_standby();
    expect(lane.application().joined == "up to 17", "the active knows what it holds");
    expect(lane.store("one"), "it has joined");
    lane.disconnect_standby();
    expect(!lane.application().joined.has_value(), "the application knows that it left");
    expect(!lane.store("two"), "it is gone");
}

STORY("state: a snapshot ends when the application has caught up", "[application]") {
    ApplicationStage lane({.gate = both});
    lane.establish_application();
    lane.application().caught = false;
    lane.connect_standby();
    lane.after(10_ms);
    expect(!has_end(lane.standby), "the snapshot goes on");
    lane.store("all that it lacks");
    lane.application().caught = true;
    lane.after(10_ms);
    const auto sent = kinds(lane.standby);
    expect(sent.size() > 2 && sent.ends_with("sE"), "state, then the end: " + sent);
}

STORY("state: a snapshot does not end before the standby's application has spoken", "[application]") {
    ApplicationStage lane({.gate = both});
    lane.establish_application();
    lane.standby.describes = false;
    lane.connect_standby();
    lane.after(10_ms);
    expect(!has_end(lane.standby), "the snapshot goes on");
    lane.describe_standby();
    lane.after(10_ms);
    expect(has_end(lane.standby), "it ends");
}

STORY("state: a record longer than one may be is refused, and counted", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    expect(!lane.store(std::string(state_record_max + 1, 'x')), "too long");
    expect(lane.store(std::string(state_record_max, 'x')), "as long as it may be");
    lane.expect_application_count("states_too_long", 1);
}

STORY("state: half of the ring is for sessions, whatever an application stores", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    const std::uint8_t byte = 1;
    std::size_t stored = 0;
    while (lane.application().channel().store({&byte, 1}) && stored < 100'000) ++stored;
    auto& ring = lane.lane().application->journal;
    expect(stored > 0 && ring.free_count() + 1 >= ring.count(), "half of it is free");
    lane.expect_application_count("states_wait", 1);
    lane.client().sends(data(1, 101));
    lane.commit(100);
    lane.client().expects(ack(101));
}

STORY("state: what a standby has not confirmed is at most 2 MB, and goes on as it confirms",
      "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.standby.confirms = false;
    const std::string record(state_record_max, 'x');
    std::size_t stored = 0;
    for (int i = 0; i < 100; ++i) {
        while (lane.application().channel().store(
            {reinterpret_cast<const std::uint8_t*>(record.data()), record.size()}))
            ++stored;
        lane.after(1_ms);
    }
    expect(stored * state_record_max <= 2u << 20, "no more than 2 MB");
    expect(stored * state_record_max > 2'000'000, "nor much less");
    lane.confirm_all();
    expect(lane.store(record), "it goes on");
}

STORY("state: an application that did not take bytes is given them again when it asks", "[application]") {
    ApplicationStage lane({.gate = both, .standby_connected = true});
    lane.establish_application();
    lane.application().takes = 0;
    lane.client().sends(data(1, 1001));
    expect_equal(lane.application().taken, 0, "bytes taken");
    lane.application().takes = 5000;
    lane.after(10_ms);
    expect_equal(lane.application().taken, 0, "bytes taken, as nobody asked");
    lane.application().channel().retry(lane.application().session);
    lane.settle();
    expect_equal(lane.application().taken, 1000, "bytes taken");
}

STORY("state: a standby's application says what it holds, and is given what comes", "[application]") {
    Follower node;
    expect_equal(node.standby.told.size(), 1, "answers");
    const auto& told = node.standby.told.front().record;
    expect(std::string(told.bytes.begin(), told.bytes.begin() + told.size) == "what I hold", "what it says");
    node.install_application({entry(AppEntryKind::state, 1, "one"), entry(AppEntryKind::state, 2, "two")});
    expect_equal(node.application().states.size(), 2, "records");
    expect(node.application().states[1] == "two", "the second is the second");
    expect_equal(node.stored(), 2, "what may be confirmed");
    node.become_active(5);
    expect_equal(node.application().term, 5, "the term in which it is active");
}

STORY("state: what a standby's application has not settled is not confirmed", "[application]") {
    Follower node;
    node.application().unsettled_records = 1;
    node.install_application({entry(AppEntryKind::state, 1, "one")});
    expect_equal(node.stored(), 0, "what may be confirmed");
    node.application().unsettled_records = 2;
    node.install_application({entry(AppEntryKind::state, 2, "two")});
    expect_equal(node.stored(), 0, "what may be confirmed");
    node.application().unsettled_records = 1;
    node.after(1_ms);
    expect_equal(node.stored(), 1, "what may be confirmed");
    node.application().unsettled_records = 0;
    node.after(1_ms);
    expect_equal(node.stored(), 2, "what may be confirmed");
}

STORY("state: a standby whose application can not hold a record takes none behind it, and confirms none",
      "[application]") {
    Follower node;
    node.install_application({entry(AppEntryKind::state, 1, "one")});
    node.application().holds = false;
    node.install_application({entry(AppEntryKind::state, 2, "two")});
    node.application().holds = true;
    node.install_application({entry(AppEntryKind::state, 3, "three")});
    expect(node.refused(), "the mirror is told");
    expect_equal(node.application().states.size(), 1, "records");
    expect_equal(node.stored(), 1, "what may be confirmed");
    node.expect_application_count("records_refused", 2);
    // A new connection begins anew.
    auto again = entry(AppEntryKind::describe, 0);
    again.epoch = 8;
    auto state = entry(AppEntryKind::state, 1, "one");
    state.epoch = 8;
    node.install_application({again, state});
    expect_equal(node.application().states.size(), 2, "records");
}

STORY("state: replies that a standby has no room for are not confirmed", "[application]") {
    Follower node;
    auto e = entry(AppEntryKind::progress, 1);
    e.record.id = {3, 1};
    e.record.first = true;
    e.record.size = 1024;
    for (; !node.refused() && e.sequence < 1'000'000; ++e.sequence) {
        node.install_application({e});
        e.record.begin += e.record.size;
        e.record.first = false;
    }
    expect(node.refused(), "there is an end to the room");
    expect_equal(node.stored(), e.sequence - 2, "what may be confirmed");
}
