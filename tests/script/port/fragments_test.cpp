// IP fragments: segments that somebody on the way has cut are put together; floods and tricks get nowhere.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr std::size_t ethernet = 14;

/// The client's bytes [begin, end) as a whole frame.
sim::Bytes frame_of(LaneStage& lane, Position begin, Position end, std::uint8_t ecn = sim::ecn::none) {
    const auto& c = lane.client();
    sim::Bytes payload;
    for (auto p = begin; p < end; ++p) payload.push_back(c.byte_at(p));
    sim::Segment s;
    s.from_mac = c.mac();
    s.to_mac = LaneStage::virtual_mac(Side::client);
    s.from = c.local();
    s.to = LaneStage::service();
    s.seq = c.isn() + static_cast<std::uint32_t>(begin);
    s.ack = c.knows().other_isn + 1;
    s.flags = sim::flag::ack;
    s.window = 500;
    s.ecn = ecn;
    s.options.timestamps = sim::Timestamps{c.ts_now(), c.knows().heard_ts};
    s.payload = payload;
    return sim::write_segment(s);
}

void put16(sim::Bytes& frame, std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
}

/// The bytes [begin, end) behind the IP header of `whole`, as a fragment of packet `id`.
sim::Bytes fragment(const sim::Bytes& whole, std::size_t begin, std::size_t end, std::uint8_t id = 1) {
    const bool v6 = sim::ethertype(whole) == sim::ethertype_ipv6;
    const auto header = ethernet + (v6 ? 40u : 20u);
    const auto at = [&](std::size_t i) { return whole.begin() + static_cast<std::ptrdiff_t>(i); };
    const std::size_t more = header + end < whole.size() ? 1 : 0;
    sim::Bytes out(whole.begin(), at(header));
    if (v6) {
        out.insert(out.end(), {out[ethernet + 6], 0, 0, 0, 0, 0, 0, id});
        out[ethernet + 6] = 44;
        put16(out, header + 2, begin | more);
        put16(out, ethernet + 4, 8 + end - begin);
    } else {
        put16(out, ethernet + 2, 20 + end - begin);
        put16(out, ethernet + 4, id);
        put16(out, ethernet + 6, begin / 8 | more << 13);
        put16(out, ethernet + 10, 0);
        put16(out, ethernet + 10, sim::fold(sim::ones_sum({out.data() + ethernet, 20})));
    }
    out.insert(out.end(), at(header + begin), at(header + end));
    return out;
}

/// TCP header with timestamps and 1,000 bytes.
constexpr std::size_t segment_size = 32 + 1000;

struct Cut : LaneStage {
    explicit Cut(const LaneOptions& options = {}) : LaneStage(options) {
        establish();
        whole = frame_of(*this, 1, 1001);
    }
    void piece(std::size_t begin, std::size_t end, std::uint8_t id = 1) {
        const auto frame = fragment(whole, begin, end, id);
        deliver_raw(Side::client,
                    config().client.vlan == 0 ? frame : sim::tagged(frame, config().client.vlan));
    }
    sim::Bytes whole;
};

}  // namespace

STORY("fragments: a segment in pieces is put together, in whatever order they come", "[port]") {
    for (const bool backwards : {false, true}) {
        Cut lane;
        const std::size_t cuts[] = {0, 400, 800, segment_size};
        for (std::size_t i = 0; i < 3; ++i) {
            const auto n = backwards ? 2 - i : i;
            lane.server().expects_nothing();
            lane.piece(cuts[n], cuts[n + 1]);
        }
        lane.server().expects(data(1, 1001));
        lane.expect_count(Side::client, "fragments_reassembled", 1);
        expect_equal(lane.pool(Side::client).in_use(), 1, "mbufs in use");
        lane.server().sends(ack(1001));
        lane.client().expects(ack(1001));
        expect_equal(lane.held_mbufs(), 0, "mbufs held");
    }
}

STORY("fragments: in a VLAN, too", "[port]") {
    Cut lane({.client_vlan = 9});
    lane.piece(0, 512);
    lane.piece(512, segment_size);
    lane.server().expects(data(1, 1001));
}

STORY("fragments: those that overlap are dropped, all of them", "[port]") {
    Cut lane;
    lane.piece(0, 512);
    lane.piece(400, segment_size);
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "fragments_dropped", 2);
    // As many bytes as the whole has, with a hole.
    lane.piece(0, 400, 2);
    lane.piece(0, 112, 2);
    lane.piece(512, segment_size, 2);
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "fragments_reassembled", 0);
    lane.after(10_s);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("fragments: what stays incomplete is dropped after five seconds", "[port]") {
    Cut lane;
    lane.piece(0, 512);
    lane.after(4_s);
    expect_equal(lane.held_mbufs(), 1, "mbufs held");
    lane.after(3_s);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    lane.expect_count(Side::client, "fragments_dropped", 1);
    lane.piece(512, segment_size);
    lane.server().expects_nothing();
    lane.after(10_s);
    lane.expect_count(Side::client, "fragments_dropped", 2);
}

STORY("fragments: a flood holds a bounded number of mbufs, and harms no session", "[port]") {
    Cut lane;
    for (int id = 0; id < 255; ++id)
        for (const std::size_t begin : {0u, 64u, 128u, 192u})
            lane.piece(begin, begin + 64, static_cast<std::uint8_t>(id));
    const auto most = net::Fragments::packets_max * net::Fragments::pieces_max;
    expect(lane.held_mbufs() > 0 && lane.held_mbufs() <= most, "a bounded number of mbufs is held");
    expect(lane.count(Side::client, "fragments_dropped") > 0, "the rest is counted");
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001));
    lane.after(10_s);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
    // There is room again.
    lane.whole = frame_of(lane, 1001, 2001);
    lane.piece(0, 512);
    lane.piece(512, segment_size);
    lane.server().expects(data(1001, 2001));
}

STORY("fragments: of something else, for somebody else, or too large to be a segment of ours", "[port]") {
    Cut lane;
    const auto good = lane.whole;
    lane.whole[ethernet + (LaneStage::speaks_ipv6(Side::client) ? 6 : 9)] = 17;
    lane.piece(0, 512);
    lane.expect_count(Side::client, "fragments_refused", 1);
    lane.whole = good;
    lane.whole[ethernet + (LaneStage::speaks_ipv6(Side::client) ? 39 : 19)] ^= 1;
    lane.piece(0, 512);
    lane.expect_count(Side::client, "fragments_refused", 2);
    lane.whole = frame_of(lane, 1, 3001);
    lane.piece(0, 1400);
    lane.piece(1400, 3032);
    lane.expect_count(Side::client, "fragments_refused", 3);
    lane.server().expects_nothing();
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

STORY("fragments: a segment put together has its checksum looked at", "[port]") {
    Cut lane;
    lane.whole.back() ^= 1;
    lane.piece(0, 512);
    lane.piece(512, segment_size);
    lane.expect_count(Side::client, "bad_tcp_checksum", 1);
    lane.server().expects_nothing();
}

STORY("fragments: a mark on any piece is a mark on the segment, unless another could bear none (RFC 3168)",
      "[port]") {
    using namespace sim::ecn;
    struct Case {
        std::uint8_t first, second;
        bool taken;
        std::uint64_t marks;
    };
    for (const auto& c : {Case{ect0, ect0, true, 0}, Case{ce, ect0, true, 1}, Case{ect0, ce, true, 1},
                          Case{none, ce, false, 0}, Case{ce, none, false, 0}}) {
        LaneStage lane;
        lane.client().sends(syn().ece().cwr());
        lane.server().expects(syn().ece().cwr());
        lane.server().sends(syn_ack().ece());
        lane.client().expects(syn_ack().ece());
        lane.client().sends(ack(1));
        lane.server().expects(ack(1));
        lane.deliver_raw(Side::client, fragment(frame_of(lane, 1, 1001, c.first), 0, 400));
        lane.deliver_raw(Side::client, fragment(frame_of(lane, 1, 1001, c.second), 400, segment_size));
        lane.expect_count(Side::client, "fragments_reassembled", c.taken ? 1 : 0);
        lane.expect_count(Side::client, "fragments_refused", c.taken ? 0 : 1);
        lane.expect_count(Side::client, "ecn_marks", c.marks);
        lane.ignore_rest();
    }
}
