// What leaves, in which pieces, and what is noted of it.
#include "cores/tcp/sender.hpp"

#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;
using tcp::Counter;

namespace {

constexpr auto mss = SenderRig::mss;
Position start(Position i) { return SenderRig::start(i); }

/// Bytes [begin, end) that may go ahead of a hole.
void send_ahead(SenderRig& rig, Position begin, Position end) {
    tcp::send_ahead(rig.t, segment_of(rig.wire.mbufs, begin, end), rig.context());
}

}  // namespace

TEST_CASE("send: as many segments as the window has room for, and the last of all is pushed", "[tcp]") {
    SenderRig rig;
    rig.snd().cwnd = 2 * mss;
    rig.write(3);
    auto sent = rig.segments();
    REQUIRE(sent.size() == 2);
    CHECK_FALSE(sent[1].has(sim::flag::psh));
    CHECK(rig.snd().cwnd_full_at == start(2));
    CHECK(rig.count(Counter::bytes_sent) == 2 * mss);
    rig.acknowledge(start(1));
    sent = rig.segments();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].has(sim::flag::psh));
    CHECK(rig.snd().cwnd_full_at == start(2));
}

TEST_CASE("send: nothing beyond the endpoint's window", "[tcp]") {
    SenderRig rig;
    rig.snd().edge = start(1) + 300;
    rig.write(2);
    const auto sent = rig.sent();
    REQUIRE(sent.size() == 2);
    CHECK(sent[1].end == start(1) + 300);
    CHECK(rig.snd().nxt == start(1) + 300);
}

TEST_CASE("send: a segment larger than the MSS leaves in pieces, counted as such", "[tcp]") {
    SenderRig rig;
    rig.write(1, 1500);
    const auto sent = rig.sent();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].end == start(1));
    CHECK(sent[1].end == 1501);
    CHECK(rig.count(Counter::copied_recut) == 2);
    CHECK(rig.count(Counter::copied_busy) == 0);
    CHECK(meta(rig.held(0)).out.sent_at == rig.wire.now);
}

TEST_CASE("send: what the port still holds is not written over", "[tcp]") {
    SenderRig rig;
    rig.write(1);
    CHECK(tcp::retransmit(rig.t, rig.held(0), rig.context()));
    CHECK(rig.count(Counter::copied_busy) == 1);
    CHECK(rig.sent_count() == 2);
    CHECK(tcp::retransmit(rig.t, rig.held(0), rig.context()));
    CHECK(rig.count(Counter::copied_busy) == 1);
    CHECK(rig.sent_count() == 1);
}

TEST_CASE("send: what is queued has no marks of a former queue", "[tcp]") {
    SenderRig rig;
    auto packet = segment_of(rig.wire.mbufs, 1, 1001);
    auto& d = meta(packet.get());
    d.sent = d.sacked = d.lost = d.retransmitted = true;
    tcp::enqueue(rig.t, std::move(packet), rig.context());
    CHECK_FALSE((d.sent || d.sacked || d.lost || d.retransmitted));
}

TEST_CASE("send: an ACK leaves with data, a duplicate ACK does not", "[tcp]") {
    SenderRig rig;
    auto& rcv = rig.t.soft.rcv;
    rcv.ledger.receive_until(101);
    rcv.ledger.release_until(101);
    rcv.ack_now = true;
    rig.write(1);
    CHECK(rcv.ledger.acknowledged() == 101);
    CHECK_FALSE(rcv.ack_now);
    rcv.ack_now = rcv.out_of_order = true;
    rig.write(1);
    CHECK(rcv.ack_now);
    CHECK(rcv.out_of_order);
}

TEST_CASE("repeat: only what has left and is not acknowledged", "[tcp]") {
    SenderRig rig;
    rig.snd().edge = start(1) + 300;
    rig.write(2);
    rig.take(301);
    rig.sent();
    rig.after(5_ms);
    tcp::mark_lost(rig.snd(), rig.held(0));
    CHECK(tcp::retransmit(rig.t, rig.held(0), rig.context()));
    CHECK(tcp::retransmit(rig.t, rig.held(1), rig.context()));
    const auto sent = rig.sent();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].begin == 301);
    CHECK(sent[0].end == start(1));
    CHECK(sent[1].end == start(1) + 300);
    CHECK(rig.count(Counter::segments_retransmitted) == 2);
    CHECK(rig.count(Counter::bytes_retransmitted) == 1000);
    CHECK(rig.snd().lost_bytes == 0);
    CHECK(meta(rig.held(0)).retransmitted);
    CHECK(rig.snd().repeated_end == start(2));
    CHECK(meta(rig.held(0)).out.sent_at == rig.wire.now);
}

TEST_CASE("repeat: losses go out while the pipe is below the window, the first of a recovery at once",
          "[tcp]") {
    for (const bool first : {false, true}) {
        SenderRig rig;
        rig.write(6);
        rig.sent();
        for (const unsigned i : {0, 1, 2}) tcp::mark_lost(rig.snd(), rig.held(i));
        rig.snd().cwnd = first ? mss : 5 * mss;
        rig.snd().repeat_now = first;
        tcp::send_ready(rig.t, rig.context());
        CHECK(rig.sent_count() == (first ? 1 : 2));
        CHECK_FALSE(rig.snd().repeat_now);
    }
}

TEST_CASE("ahead: within the window, above the queue, and not behind our FIN", "[tcp]") {
    SenderRig rig;
    rig.write(1);
    rig.sent();
    send_ahead(rig, start(2), start(3) + 500);
    CHECK(rig.sent_count() == 2);
    CHECK(rig.count(Counter::ahead_sent) == 2);
    CHECK(rig.snd().valid_ack_max == start(3) + 500);
    send_ahead(rig, start(0), start(1));
    rig.snd().edge = start(4);
    send_ahead(rig, start(4), start(4) + 1);
    CHECK(rig.count(Counter::ahead_refused) == 2);
    tcp::enqueue_fin(rig.t);
    send_ahead(rig, start(3), start(4));
    CHECK(rig.count(Counter::ahead_refused) == 3);
    CHECK(rig.sent_count() == 0);
}

TEST_CASE("fin: it has a number, follows all bytes, and is repeated when it is lost", "[tcp]") {
    SenderRig rig;
    rig.snd().cwnd = mss;
    rig.write(2);
    rig.segments();
    tcp::enqueue_fin(rig.t);
    tcp::send_ready(rig.t, rig.context());
    CHECK(rig.segments().empty());
    rig.acknowledge(start(1));
    CHECK(rig.snd().nxt == start(2) + 1);
    CHECK(rig.t.soft.state == tcp::State::fin_wait_1);
    auto sent = rig.segments();
    REQUIRE(sent.size() == 2);
    CHECK(sent[1].has(sim::flag::fin));
    CHECK(sent[1].window > 0);
    rig.snd().fin_lost = true;
    tcp::send_ready(rig.t, rig.context());
    tcp::send_ready(rig.t, rig.context());
    sent = rig.segments();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].seq == tcp::send_seq(rig.t, start(2)));
    CHECK(rig.count(Counter::segments_retransmitted) == 1);
    rig.acknowledge(start(2));
    CHECK_FALSE(rig.snd().fin_acknowledged);
    rig.acknowledge(start(2) + 1);
    CHECK(rig.snd().fin_acknowledged);
    CHECK(rig.t.soft.state == tcp::State::fin_wait_2);
}

TEST_CASE("send: what leaves later does not put the timer off", "[tcp]") {
    SenderRig rig;
    rig.write(1);
    CHECK(rig.snd().timer_at == rig.wire.now + 1_s);
    rig.after(500_ms);
    rig.write(1);
    CHECK(rig.snd().timer_at == rig.wire.now + 500_ms);
}

TEST_CASE("send: what is discarded gives back all that is held, sent or received", "[tcp]") {
    SenderRig rig;
    rig.write(3);
    rig.sent();
    rig.t.soft.rcv.queue.insert(segment_of(rig.wire.mbufs, 1001, 2001), 1, true);
    tcp::discard_queue(rig.t);
    CHECK(rig.wire.mbufs.in_use() == 0);
    CHECK(rig.snd().mbufs == 0);
}

TEST_CASE("send: the options of each segment take room from its payload", "[tcp]") {
    for (const bool timestamps : {false, true}) {
        SenderRig rig(true, timestamps);
        rig.t.hard.leg.mss_send = 1460;
        CHECK(tcp::effective_mss(rig.t) == (timestamps ? 1448 : 1460));
        rig.t.hard.leg.mss_send = 70;
        CHECK(tcp::effective_mss(rig.t) == (timestamps ? 64 : 70));
    }
}

TEST_CASE("send: neither what was reported nor what is lost is in the pipe", "[tcp]") {
    SenderRig rig;
    rig.write(6);
    rig.take(start(0), {{start(1), start(3)}});
    tcp::mark_lost(rig.snd(), rig.held(0));
    CHECK(tcp::pipe(rig.snd()) == 3 * mss);
}
