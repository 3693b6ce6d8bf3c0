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

void expect_told(const LaneStage& lane, Side side, const std::vector<Range>& ranges,
                 Where where = Where::current()) {
    const auto records = told(lane, side);
    std::vector<Range> actual;
    for (const auto& r : records)
        if (r.size > 0) actual.push_back({r.begin, r.begin + r.size});
    expect(actual == ranges, "the standby was told of these bytes", where);
}

}  // namespace

STORY("payload: of tails a segment that is not full is mirrored, and a full one is not", "[payload]") {
    LaneStage lane(mirroring(MirrorPayload::tails));
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.server().expects(data(1, 1449));
    expect_told(lane, Side::server, {});
    lane.client().sends(data(1449, 1549));
    lane.server().expects(data(1449, 1549));
    expect_told(lane, Side::server, {{1449, 1549}});
    const auto r = told(lane, Side::server)[0];
    expect_equal(r.una, 1, "what the server has acknowledged");
    expect_equal(r.ack, 1, "what it was told is acknowledged");
    expect_equal(r.edge, lane.server().knows().edge, "the edge of its window");
    expect(r.bytes[0] == lane.client().byte_at(1449), "the byte itself");
}

STORY("payload: all of it is mirrored, in both directions, a large segment in pieces", "[payload]") {
    LaneStage lane(mirroring(MirrorPayload::all));
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.server().expects(data(1, 1449));
    lane.server().sends(data(1, 201).ack(1449));
    lane.client().expects(data(1, 201).ack(1449));
    expect_told(lane, Side::server, {{1, 1025}, {1025, 1449}});
    expect_told(lane, Side::client, {{1, 201}});
    lane.expect_count(Side::server, "payload_mirrored", 1448);
}

STORY("payload: without mirror_payload no byte is mirrored", "[payload]") {
    LaneStage lane(mirroring(MirrorPayload::none));
    lane.establish();
    lane.client().sends(data(1, 301));
    lane.server().expects(data(1, 301));
    lane.expect_count(Side::server, "payload_mirrored", 0);
    expect(lane.lane().payload == nullptr, "no rings");
}

STORY("payload: what is acknowledged the standby is told, with the next progress", "[payload]") {
    LaneStage lane(mirroring(MirrorPayload::tails));
    lane.establish();
    lane.client().sends(data(1, 301));
    lane.server().expects(data(1, 301));
    lane.server().sends(ack(301));
    lane.client().expects(ack(301));
    lane.after(60_ms);
    const auto r = told(lane, Side::server).back();
    expect_equal(r.size, 0, "bytes in the last record");
    expect_equal(r.una, 301, "what the server has acknowledged");
}

STORY("payload: beyond limits.payload_bytes nothing is mirrored, until there is room again", "[payload]") {
    auto options = mirroring(MirrorPayload::all);
    options.limits.payload_bytes = 4096;
    LaneStage lane(options);
    lane.establish();
    for (Position at = 1; at < 4345; at += 1448) lane.client().sends(data(at, at + 1448));
    lane.expect_count(Side::server, "payload_over_limit", 1);
    expect_told(lane, Side::server, {{1, 1025}, {1025, 1449}, {1449, 2473}, {2473, 2897}});
    lane.server().ignores_rest();
    lane.server().sends(ack(4345));
    lane.client().expects(ack(4345));
    lane.client().sends(data(4345, 4445));
    lane.server().expects(data(4345, 4445));
    expect_equal(told(lane, Side::server).back().begin, 4345, "where the last record begins");
    lane.expect_count(Side::server, "payload_over_limit", 1);
}

STORY("payload: limits.payloads is for all sessions of a lane", "[payload]") {
    auto options = mirroring(MirrorPayload::all);
    options.limits.payload_bytes = 4096;
    options.limits.payloads = 8 * 1024;  // four blocks a direction; some bytes take two at most
    LaneStage lane(options);
    lane.establish();
    lane.client().sends(data(1, 1449));
    lane.server().expects(data(1, 1449));
    auto& other = lane.another();
    lane.establish(other);
    other.client.sends(data(1, 501));
    other.server.expects(data(1, 501));
    lane.expect_count(Side::server, "payload_over_limit", 1);
    // Room is given back when the standby was told.
    lane.server().sends(ack(1449));
    lane.client().expects(ack(1449));
    lane.after(60_ms);
    other.client.sends(data(501, 601));
    other.server.expects(data(501, 601));
    lane.expect_count(Side::server, "payload_over_limit", 1);
    expect_equal(told(lane, Side::server).back().begin, 501, "where the last record begins");
}

STORY("payload: a standby that joins is told what is on its way", "[payload]") {
    LaneStage lane(mirroring(MirrorPayload::tails));
    lane.disconnect_standby();
    lane.establish();
    lane.client().sends(data(1, 301));
    lane.server().expects(data(1, 301));
    lane.connect_standby();
    expect_told(lane, Side::server, {{1, 301}});
}

STORY("payload: when a session is over the standby need hold nothing of it", "[payload]") {
    LaneStage lane(mirroring(MirrorPayload::tails));
    lane.establish();
    lane.client().sends(data(1, 301));
    lane.server().expects(data(1, 301));
    lane.client().sends(rst(301));
    lane.server().expects(rst(301));
    expect(told(lane, Side::server).back().over, "the last record says that it is over");
}
