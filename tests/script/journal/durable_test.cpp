// The journal alone: an acknowledgment says that bytes are on disk, whatever becomes of the disk.
#include "tests/script/journal_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// What a client says at positions [from, to).
std::vector<std::uint8_t> said(Peer& client, Position from, Position to) {
    std::vector<std::uint8_t> out;
    for (auto p = from; p < to; ++p) out.push_back(client.byte_at(p));
    return out;
}

}  // namespace

STORY("journal: an ACK waits for the disk", "[journal]") {
    JournalStage lane;
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.after(100_ms);
    lane.client().expects_nothing();
    lane.flush();
    lane.client().expects(ack(1001));
    expect(lane.disk().kinds() == "tod", "the log\'s records");
    expect(lane.disk().stream(lane.record().id) == said(lane.client(), 1, 1001), "the log has the bytes");
}

STORY("journal: a client that says nothing leaves nothing in the log", "[journal]") {
    JournalStage lane;
    lane.establish_application();
    lane.flush();
    expect_equal(lane.store().end(), 0, "bytes of the log");
}

STORY("journal: its FIN says that the whole stream is durable", "[journal]") {
    JournalStage lane;
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.flush();
    lane.client().expects(ack(1001));
    lane.client().sends(fin(1001));
    lane.after(100_ms);
    lane.client().expects_nothing();
    lane.flush();
    lane.client().expects(fin(1).ack(1002));
    lane.client().sends(ack(2));
    expect(lane.disk().kinds() == "tode", "the log\'s records");
}

STORY("journal: a disk that fails holds what it has, takes no more than it can keep, and goes on",
      "[journal]") {
    JournalStage lane;
    lane.store().buffer = 2300;
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.client().sends(data(1001, 2001));
    lane.client().sends(data(2001, 3001));
    lane.after(1000_ms);
    lane.client().expects_nothing();
    expect_equal(lane.disk().stream(lane.record().id).size(), 2000, "bytes in the log");
    lane.expect_journal_count(app::JournalCounter::no_room, 1);
    lane.flush();
    lane.client().expects(ack(2001));
    lane.flush();
    lane.client().expects(ack(3001));
    expect(lane.disk().stream(lane.record().id) == said(lane.client(), 1, 3001), "the log has the bytes");
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("journal: at its bound it takes no more, and what it has stays acknowledged", "[journal]") {
    JournalStage lane;
    lane.store().max = 1400;
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.flush();
    lane.client().expects(ack(1001));
    lane.client().sends(data(1001, 2001));
    lane.flush();
    lane.after(1000_ms);
    lane.client().expects_nothing();
    expect(lane.disk().counters.get(app::JournalCounter::no_room) > 0, "it is counted");
    expect_equal(lane.disk().stream(lane.record().id).size(), 1000, "bytes in the log");
}

STORY("journal: an end of stream that finds no room comes when there is some", "[journal]") {
    JournalStage lane;
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.store().buffer = lane.store().end();
    lane.client().sends(fin(1001));
    lane.after(10_ms);
    expect(lane.disk().kinds() == "tod", "the log\'s records");
    lane.flush();
    lane.client().expects(ack(1001));
    lane.flush();
    lane.client().expects(fin(1).ack(1002));
    lane.client().sends(ack(2));
    expect(lane.disk().kinds() == "tode", "the log\'s records");
}

STORY("journal: after a restart on its old log a session of the same name begins anew", "[journal]") {
    auto disk = std::make_shared<JournalDisk>();
    {
        JournalStage before({.gate = Gate::app}, disk);
        before.establish_application();
        before.client().sends(data(1, 1001));
        before.flush();
        before.client().expects(ack(1001));
    }
    disk->read_again();
    JournalStage after({.gate = Gate::app}, disk);
    after.establish_application();
    after.client().sends(data(1, 401));
    after.after(100_ms);
    after.client().expects_nothing();
    after.flush();
    after.client().expects(ack(401));
    after.expect_journal_count(app::JournalCounter::held_again, 0);
    expect(disk->kinds() == "todtod", "the log's records: " + disk->kinds());
}
