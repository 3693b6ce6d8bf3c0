// The node core's end of the mirror: two of them, and the wire between.
#include "cores/protocol/mirror_core.hpp"
#include "tests/script/lane_stage.hpp"
#include "tests/support/mirror_end.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::script;

namespace {

struct MirrorNode {
    LaneStage stage;
    Config config = stage.config();
    tcp::Secrets secrets{stage.config().key};
    test::MirrorEnd end;
    Ring<Event> events;
    protocol::MirrorCore mirror;

    MirrorNode(int number, proxy::Role role)
        : end(number, secrets),
          events("mn" + std::to_string(number), 64, SOCKET_ID_ANY),
          mirror(config, static_cast<unsigned>(number) + 1, stage.lane(), end.link, end.counters, events) {
        config.node_id = static_cast<unsigned>(number);
        mirror.set_role(role, 1, true, stage.now());
    }
};

struct MirrorPair {
    MirrorNode active{0, proxy::Role::active}, standby{1, proxy::Role::standby};
    Instant now = active.stage.now();

    /// Frames come and go until both are at rest.
    void pump() {
        for (bool moved = true; moved;) {
            active.end.advance(now), standby.end.advance(now);
            moved = active.mirror.advance(now) + standby.mirror.advance(now) > 0;
            moved = pass(active, standby) || moved;
            moved = pass(standby, active) || moved;
        }
    }
    bool pass(MirrorNode& from, MirrorNode& to) const {
        const auto frames = from.end.transmit();
        for (const auto& f : frames) to.end.receive(f, now);
        return !frames.empty();
    }
    /// Duty cycles of the active alone, until one finds nothing to do; how many found some.
    unsigned cycles_at_work(unsigned most) {
        unsigned n = 0;
        while (n < most && active.mirror.advance(now) > 0) ++n;
        return n;
    }
};

}  // namespace

STORY("mirror: a journal that waits for the other node is no work, for that one may need the CPU",
      "[mirror]") {
    MirrorPair pair;
    for (int i = 0; i < 100 && pair.active.stage.lane().node.mirror_epoch == 0; ++i) {
        pair.now = pair.now + 10_ms;
        pair.pump();
    }
    auto& lane = pair.active.stage.lane();
    expect(lane.node.mirror_epoch != 0, "the standby has joined");
    // More than the link holds, and nobody takes it.
    proxy::JournalEntry e;
    e.side = Side::client;
    e.epoch = lane.node.mirror_epoch;
    e.kind = proxy::JournalKind::epoch_start;
    for (e.sequence = 1; e.sequence < 10'000; ++e.sequence) {
        if (!lane.journal[0].push(e)) {
            pair.cycles_at_work(10);
            if (!lane.journal[0].push(e)) break;
        }
        e.kind = proxy::JournalKind::opened;
    }
    expect(e.sequence < 10'000, "the link is full");
    expect_equal(pair.cycles_at_work(10), 0, "cycles at work while it waits");
    // It goes on as soon as there is room.
    pair.pump();
    expect_equal(lane.journal[0].count(), 0, "entries that wait");
}
