// What the active tells its standby of the bytes on their way to an endpoint.
#include "tests/script/payload/heir.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// The records of bytes for a side's endpoint, but for the epoch's marks.
std::vector<PayloadRecord> told(const LaneStage& lane, Side side) {
    std::vector<PayloadRecord> records;
    for (const auto& e : lane.standby.payload[index(side)])
        if (e.kind == proxy::JournalKind::progress) records.push_back(e.record);
    return records;
}

}  // namespace

STORY("payload: of tails a segment that is not full is mirrored, and a full one is not", "[payload]") {
    LaneStage lane(mirroring(MirrorPayload::tails));
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.server().expects(data(1, 1449));
    expect_equal(told(lane, Side::server).size(), 0, "records of a full segment");
    lane.client().sends(data(1449, 1549));
    lane.server().expects(data(1449, 1549));
    const auto records = told(lane, Side::server);
    expect_equal(records.size(), 1, "records of a tail");
    expect_equal(records[0].begin, 1449, "where it begins");
    expect_equal(records[0].size, 100, "its size");
    expect_equal(records[0].una, 1, "what the server has acknowledged");
}
