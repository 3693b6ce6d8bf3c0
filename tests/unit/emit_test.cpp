// What leaves: headers, reports, challenges and resets.
#include "cores/tcp/emit.hpp"

#include <set>

#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;
using tcp::Counter;

namespace {

constexpr Position large = 600;  // not coalesced

/// Bytes [begin, begin + large) wait above a hole.
void hold(SenderRig& rig, Position begin) {
    auto& rcv = rig.t.soft.rcv;
    rcv.queue.insert(segment_of(rig.wire.mbufs, begin, begin + large), rcv.next, true);
    rcv.newest_out_of_order = begin;
    rcv.out_of_order = true;
}

/// The one segment that leaves.
sim::Segment only(SenderRig& rig) {
    const auto all = rig.segments();
    REQUIRE(all.size() == 1);
    return all[0];
}

/// Everything below `position` is received and passed on.
void receive_until(SenderRig& rig, Position position) {
    rig.t.soft.rcv.ledger.receive_until(position);
    rig.t.soft.rcv.ledger.release_until(position);
    rig.t.soft.rcv.next = position;
}

}  // namespace

TEST_CASE("emit: the ACK of several segments in a repair goes twice, a challenge once", "[tcp]") {
    for (const bool challenge : {false, true}) {
        SenderRig rig;
        rig.t.hard.sack = true;
        rig.t.soft.rcv.unanswered = 3;
        rig.t.soft.rcv.repaired_at = 10'000;
        rig.segments();
        if (challenge) tcp::emit_challenge_ack(rig.t, rig.context());
        else tcp::emit_ack(rig.t, rig.context());
        CHECK(rig.segments().size() == (challenge ? 1 : 2));
        CHECK(rig.count(Counter::acks_repeated) == (challenge ? 0 : 1));
    }
}

TEST_CASE("emit: a time to live of 64, and no router may cut the packet", "[tcp]") {
    SenderRig rig;
    tcp::emit_ack(rig.t, rig.context());
    const auto frames = rig.wire.transmitted();
    const auto& frame = frames.back();
    CHECK(frame[14 + 8] == 64);
    CHECK(frame[14 + 6] == 0x40);
    CHECK(frame[14 + 1] == 0);
}

TEST_CASE("emit: a port that fills in checksums is told where the headers end", "[tcp]") {
    auto settings = interface_settings();
    for (const bool ip_too : {true, false}) {
        settings.tx_tcp_checksum = true;
        settings.tx_ip_checksum = ip_too;
        SenderRig rig(true, true, settings);
        rig.wire.transmitted();
        tcp::emit_ack(rig.t, rig.context());
        CHECK(rig.count(Counter::segments_sent) == 1);
        std::array<rte_mbuf*, 4> out;
        REQUIRE(rig.wire.net.transmit(out, true) == 1);
        CHECK(out[0]->l2_len == 14);
        CHECK(out[0]->l3_len == 20);
        CHECK(out[0]->l4_len == 32);
        CHECK((out[0]->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM) != 0);
        CHECK(((out[0]->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0) == ip_too);
        rte_pktmbuf_free(out[0]);
    }
}

TEST_CASE("emit: a next hop whose place another has taken is looked up again", "[tcp]") {
    auto settings = interface_settings();
    settings.neighbours = 2;  // the gateway, and one more
    SenderRig rig(true, false, settings);
    tcp::emit_ack(rig.t, rig.context());
    CHECK(sim::destination_mac(rig.wire.transmitted().back()) == neighbour_mac);
    const MacAddress other{{2, 0, 0, 0, 0, 8}};
    rig.wire.receive_arp(false, ip("10.0.0.8"), other, own_address);
    rig.wire.send(ip("10.0.0.8"));
    rig.wire.transmitted();
    tcp::emit_ack(rig.t, rig.context());
    for (const auto& frame : rig.wire.transmitted()) CHECK_FALSE(sim::destination_mac(frame) == other);
}

TEST_CASE("emit: a duplicate is reported by the first ACK that passes it, once (RFC 2883)", "[tcp]") {
    SenderRig rig;
    auto& rcv = rig.t.soft.rcv;
    rcv.duplicates[0] = {101, 201};
    rcv.duplicates[1] = {201, 251};
    rcv.duplicate_count = 2;
    receive_until(rig, 200);
    tcp::emit_ack(rig.t, rig.context());
    CHECK(only(rig).options.sack_count == 0);
    receive_until(rig, 301);
    for (const Position begin : {101, 201}) {
        tcp::emit_ack(rig.t, rig.context());
        const auto s = only(rig);
        REQUIRE(s.options.sack_count == 1);
        CHECK(s.options.sack[0].begin == tcp::receive_seq(rig.t, begin));
    }
    CHECK(rig.count(Counter::dsack_sent) == 2);
    tcp::emit_ack(rig.t, rig.context());
    CHECK(only(rig).options.sack_count == 0);
    CHECK(rig.count(Counter::acks_sent) == 4);
}

TEST_CASE("emit: what does not fit in the options is told by the next ACK (RFC 2018)", "[tcp]") {
    for (const bool timestamps : {false, true}) {
        SenderRig rig(true, timestamps);
        for (Position p = 1001; p <= 9001; p += 1000) hold(rig, p);
        const std::size_t room = timestamps ? 3 : 4;
        std::set<std::uint32_t> told;
        for (int acks = 0; acks < 4 && rig.t.soft.rcv.out_of_order; ++acks) {
            tcp::emit_ack(rig.t, rig.context());
            const auto s = only(rig);
            CHECK(s.options.sack_count == room);
            for (std::size_t i = 0; i < room; ++i) told.insert(s.options.sack[i].begin.value);
        }
        // What fills up the last one was told before.
        CHECK(told.size() == 9);
    }
}

TEST_CASE("emit: four ranges of news beside timestamps: the fourth is still owed", "[tcp]") {
    SenderRig rig(true, true);
    for (Position p = 1001; p <= 4001; p += 1000) hold(rig, p);
    tcp::emit_ack(rig.t, rig.context());
    CHECK(only(rig).options.sack_count == 3);
    CHECK(rig.t.soft.rcv.out_of_order);
    tcp::emit_ack(rig.t, rig.context());
    CHECK_FALSE(rig.t.soft.rcv.out_of_order);
    rig.segments();
}

TEST_CASE("emit: no report while bytes are withheld, until its time is over", "[tcp]") {
    SenderRig rig;
    auto& rcv = rig.t.soft.rcv;
    rcv.ledger.receive_until(101);
    rcv.next = 101;
    hold(rig, 1001);
    rcv.hold_until = rig.wire.now + 5_ms;
    tcp::emit_ack(rig.t, rig.context());
    CHECK(only(rig).options.sack_count == 0);
    rcv.out_of_order = true;
    rcv.hold_until = rig.wire.now + 5_ms;
    rig.after(5_ms);
    tcp::emit_ack(rig.t, rig.context());
    const auto s = only(rig);
    REQUIRE(s.options.sack_count == 1);
    CHECK(s.options.sack[0].end == tcp::receive_seq(rig.t, 1001 + large));
    CHECK(s.ack == tcp::receive_seq(rig.t, 1));
}

TEST_CASE("emit: an ACK that no mbuf was there for is still owed", "[tcp]") {
    SenderRig rig;
    std::vector<Packet> all;
    while (auto* m = rte_pktmbuf_alloc(rig.wire.mbufs.get())) all.emplace_back(m);
    CHECK_FALSE(tcp::emit_ack(rig.t, rig.context()));
    CHECK(rig.t.soft.rcv.ack_now);
    CHECK(rig.count(Counter::no_buffer) == 1);
    CHECK(rig.count(Counter::acks_sent) == 0);
    all.clear();
    CHECK(tcp::emit_ack(rig.t, rig.context()));
    CHECK_FALSE(rig.t.soft.rcv.ack_now);
}

TEST_CASE("emit: ten challenges a second, all counted (RFC 5961)", "[tcp]") {
    SenderRig rig;
    rig.segments();
    for (int second = 1; second <= 2; ++second) {
        for (int i = 0; i < 12; ++i) tcp::emit_challenge_ack(rig.t, rig.context());
        CHECK(rig.segments().size() == 10);
        CHECK(rig.count(Counter::challenge_acks_sent) == 10u * second);
        CHECK(rig.count(Counter::challenge_acks_limited) == 2u * second);
        rig.after(1_s);
    }
}

TEST_CASE("emit: a reset has our next number, an ACK and no window", "[tcp]") {
    SenderRig rig;
    rig.write(1);
    rig.segments();
    receive_until(rig, 101);
    tcp::emit_reset(rig.t, rig.context());
    const auto s = only(rig);
    CHECK(s.flags == (sim::flag::rst | sim::flag::ack));
    CHECK(s.seq == tcp::send_seq(rig.t, rig.snd().nxt));
    CHECK(s.ack == tcp::receive_seq(rig.t, 101));
    CHECK(s.window == 0);
}

TEST_CASE("emit: a reset in answer to what has no ACK acknowledges all of it (RFC 9293)", "[tcp]") {
    SenderRig rig;
    rig.segments();
    wire::Frame f;
    f.source_mac = neighbour_mac;
    f.source = neighbour;
    f.destination = vip;
    f.tcp.source_port = 1234;
    f.tcp.destination_port = 80;
    f.tcp.seq = {1000};
    f.tcp.ack = {7777};
    f.payload_len = 10;
    const struct {
        std::uint8_t flags;
        std::uint32_t length;
    } cases[] = {
        {wire::flag::syn, 11}, {wire::flag::fin, 11}, {wire::flag::syn | wire::flag::fin, 12}, {0, 10}};
    for (const auto& c : cases) {
        f.tcp.flags = c.flags;
        tcp::emit_reset_reply(f, rig.context());
        const auto s = only(rig);
        CHECK(s.flags == (sim::flag::rst | sim::flag::ack));
        CHECK(s.seq == SeqNum{0});
        CHECK(s.ack == SeqNum{1000 + c.length});
        CHECK(s.to == Endpoint{neighbour, 1234});
        CHECK(s.from == Endpoint{vip, 80});
    }
    f.tcp.flags = wire::flag::ack | wire::flag::fin;
    tcp::emit_reset_reply(f, rig.context());
    const auto s = only(rig);
    CHECK(s.flags == sim::flag::rst);
    CHECK(s.seq == SeqNum{7777});
}

TEST_CASE("window: rounded down to what its field can say, and never more than 64 KiB of steps", "[tcp]") {
    SenderRig rig;
    auto& rcv = rig.t.soft.rcv;
    rcv.edge_limit = 1001;
    CHECK(tcp::take_window(rig.t, 1) == 7);  // steps of 128
    CHECK(rcv.edge_sent == 1 + 7 * 128);
    CHECK(tcp::take_window(rig.t, 1001) == 0);
    CHECK(tcp::take_window(rig.t, 1201) == 0);
    CHECK(rcv.edge_sent == 1201);
    rcv.edge_limit = 100'000'000;
    CHECK(tcp::take_window(rig.t, 1201) == 0xffff);
    CHECK(rcv.edge_sent == 1201 + (0xffff << 7));
}

TEST_CASE("window: an update is worth an ACK when its field can tell it", "[tcp]") {
    SenderRig rig;
    rig.t.soft.rcv.edge_limit = rig.t.soft.rcv.edge_sent = 1281;
    CHECK_FALSE(tcp::may_owe_ack(rig.t));
    rig.t.soft.rcv.edge_limit += 127;
    CHECK_FALSE(tcp::may_owe_ack(rig.t));
    ++rig.t.soft.rcv.edge_limit;
    CHECK(tcp::may_owe_ack(rig.t));
}
