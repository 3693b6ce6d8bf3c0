// Which timer runs, when it is due, and what it sends.
#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;
using tcp::Counter;
using tcp::SendTimer;

namespace {

constexpr auto mss = SenderRig::mss;
Position start(Position i) { return SenderRig::start(i); }

/// Story time moves to when the timer is due, and it runs. False when the connection is to be given up.
bool run_timer(SenderRig& rig) {
    rig.wire.now = later(rig.wire.now, rig.snd().timer_at);
    return tcp::run_send_timer(rig.t, rig.context());
}

/// A round trip of 8 ms is known.
struct Measured : SenderRig {
    Measured() { measure(8_ms); }
};

}  // namespace

TEST_CASE(
    "timer: two round trips and 2 ms after the last segment a tail loss probe, if that is before the RTO",
    "[tcp]") {
    Measured rig;
    rig.write(2);
    CHECK(rig.snd().timer == SendTimer::tail_loss_probe);
    CHECK(rig.snd().timer_at == rig.wire.now + 18_ms);
    rig.t.soft.rtt.rto = 18_ms;
    tcp::rearm_send_timer(rig.t, rig.context());
    CHECK(rig.snd().timer == SendTimer::rto);
    CHECK(rig.snd().timer_at == rig.wire.now + 18_ms);
}

TEST_CASE("timer: no probe in a recovery, after one, nor while something is lost", "[tcp]") {
    Measured rig;
    rig.write(2);
    auto& s = rig.snd();
    const auto probes = [&] {
        tcp::rearm_send_timer(rig.t, rig.context());
        return s.timer == SendTimer::tail_loss_probe;
    };
    CHECK(probes());
    s.in_recovery = true;
    CHECK_FALSE(probes());
    s.in_recovery = false;
    s.in_loss = true;
    CHECK_FALSE(probes());
    s.in_loss = false;
    s.tail_probe_end = start(1);
    CHECK_FALSE(probes());
    s.tail_probe_end = 0;
    s.backoff = 1;
    CHECK_FALSE(probes());
    s.backoff = 0;
    CHECK(probes());
}

TEST_CASE("timer: what is out of order comes before all others", "[tcp]") {
    Measured rig;
    rig.write(2);
    rig.snd().reordering_until = rig.wire.now + 1_ms;
    tcp::rearm_send_timer(rig.t, rig.context());
    CHECK(rig.snd().timer == SendTimer::reordering);
    CHECK(rig.snd().timer_at == rig.wire.now + 1_ms);
}

TEST_CASE("tlp: the last segment that was not reported goes again, and nothing is known of its loss",
          "[tcp]") {
    Measured rig;
    rig.write(4);
    rig.sent();
    // Not in a recovery: the fourth has come before the third.
    rig.take(start(3), {{start(4), start(5)}});
    rig.snd().timer = SendTimer::tail_loss_probe;
    rig.snd().timer_at = rig.wire.now;
    CHECK(run_timer(rig));
    const auto sent = rig.sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].begin == start(3));
    CHECK(rig.snd().tail_probe_end == start(5));
    CHECK(rig.snd().tail_probe_repeats);
    CHECK(rig.count(Counter::tlp_sent) == 1);
    CHECK(rig.snd().timer == SendTimer::rto);
}

TEST_CASE("tlp: new data is the probe, and it ends with it", "[tcp]") {
    Measured rig;
    rig.snd().cwnd = 2 * mss;
    rig.write(4);
    rig.sent();
    run_timer(rig);
    const auto sent = rig.sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].begin == start(3));
    CHECK(rig.snd().tail_probe_end == start(4));
    CHECK_FALSE(rig.snd().tail_probe_repeats);
}

TEST_CASE("tlp: a short tail is probed by its last byte", "[tcp]") {
    Measured rig;
    rig.write(1, mss - 1);
    rig.sent();
    run_timer(rig);
    const auto sent = rig.sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].begin == start(2) - 2);
    CHECK(sent[0].end == start(2) - 1);
    CHECK(rig.count(Counter::tail_probes) == 1);
    rig.acknowledge(rig.snd().nxt);
    rig.write(1);
    rig.sent();
    run_timer(rig);
    CHECK(rig.sent().at(0).end - rig.snd().una == mss);
}

TEST_CASE("tlp: a FIN that was not acknowledged is the probe", "[tcp]") {
    Measured rig;
    rig.write(2);
    tcp::enqueue_fin(rig.t);
    tcp::send_ready(rig.t, rig.context());
    rig.sent();
    REQUIRE(rig.snd().timer == SendTimer::tail_loss_probe);
    run_timer(rig);
    CHECK(rig.sent_count() == 0);
    CHECK(rig.count(Counter::segments_retransmitted) == 1);
}

TEST_CASE("rto: doubled each time up to its ceiling, and one try less than there are retries", "[tcp]") {
    SenderRig rig;
    rig.config.data_retries = 8;
    rig.write(1);
    auto last = rig.wire.now;
    for (const auto wait : {1_s, 2_s, 4_s, 8_s, 16_s, 32_s, 60_s, 60_s}) {
        CHECK(rig.snd().timer == SendTimer::rto);
        CHECK(rig.snd().timer_at == last + wait);
        CHECK(run_timer(rig));
        last = rig.wire.now;
    }
    CHECK(rig.count(Counter::rto_fired) == 8);
    CHECK_FALSE(run_timer(rig));
    CHECK(rig.count(Counter::rto_fired) == 8);
}

TEST_CASE("rto: an endpoint that answers is given up, unless its window has closed over what is under way",
          "[tcp]") {
    SenderRig rig;
    rig.config.data_retries = 0;
    rig.write(1);
    const auto given_up = [&](Position edge, Duration silent) {
        rig.snd().edge = edge;
        rig.snd().timer = SendTimer::rto;
        rig.snd().backoff = 0;
        rig.snd().timer_at = rig.wire.now;
        rig.t.soft.last_heard = rig.wire.now - silent;
        return !tcp::run_send_timer(rig.t, rig.context());
    };
    CHECK(given_up(start(0) + 1, 10_ms));
    CHECK_FALSE(given_up(start(0), 10_ms));
    CHECK_FALSE(given_up(start(0), 2_s));
    CHECK(given_up(start(0), 2001_ms));
}

TEST_CASE("persist: a closed window is probed after a timeout, 200 ms at least, with backoff", "[tcp]") {
    Measured rig;
    rig.snd().edge = rig.snd().nxt;
    rig.write(1);
    CHECK(rig.snd().timer == SendTimer::persist);
    CHECK(rig.snd().timer_at == rig.wire.now + 200_ms);
    rig.t.soft.rtt.rto = 300_ms;
    tcp::rearm_send_timer(rig.t, rig.context());
    CHECK(rig.snd().timer_at == rig.wire.now + 300_ms);
    rig.sent();
    for (const auto wait : {600_ms, 1200_ms, 2400_ms}) {
        CHECK(run_timer(rig));
        CHECK(rig.snd().timer_at == rig.wire.now + wait);
        const auto sent = rig.sent();
        REQUIRE(sent.size() == 1);
        CHECK(sent[0].begin == rig.snd().una - 1);
        CHECK(sent[0].end == rig.snd().una);
    }
    CHECK(rig.count(Counter::zero_window_probes) == 3);
    rig.snd().backoff = 20;
    run_timer(rig);
    CHECK(rig.snd().backoff == 20);
}

TEST_CASE("probe: the last byte below an acknowledged FIN, and its ACK counts only if it has left", "[tcp]") {
    Measured rig;
    tcp::enqueue_fin(rig.t);
    tcp::send_ready(rig.t, rig.context());
    rig.acknowledge(start(1) + 1);
    REQUIRE(rig.snd().fin_acknowledged);
    rig.sent();
    auto& ledger = rig.t.soft.rcv.ledger;
    ledger.receive_until(101);
    ledger.release_until(101);
    {
        std::vector<Packet> all;
        while (auto* m = rte_pktmbuf_alloc(rig.wire.mbufs.get())) all.emplace_back(m);
        tcp::send_probe(rig.t, rig.context());
        CHECK(ledger.acknowledged() == 1);
        CHECK(rig.count(Counter::no_buffer) > 0);
    }
    tcp::send_probe(rig.t, rig.context());
    CHECK(ledger.acknowledged() == 101);
    const auto sent = rig.sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].begin == start(1) - 1);
    CHECK(sent[0].end == start(1));
}
