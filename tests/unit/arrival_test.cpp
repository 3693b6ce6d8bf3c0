// A segment arrives: what is accepted, answered, kept and counted.
#include "cores/tcp/arrival.hpp"

#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;
using tcp::Counter;

namespace {

constexpr Position large = 600;  // not coalesced

/// Our window ends at `edge`; everything below 1001 is received, passed on and acknowledged.
struct Receiver : SenderRig {
    static constexpr Position edge = 20'001;

    explicit Receiver(bool timestamps = false) : SenderRig(true, timestamps) {
        tcp::start_receiving(t, 1001);
        t.soft.rcv.edge_limit = t.soft.rcv.edge_sent = edge;
    }
    /// Bytes [begin, end) arrive with an ACK of `ack`, or of all that was acknowledged before.
    tcp::Arrival arrive(Position begin, Position end, std::uint8_t flags = 0,
                        std::optional<Position> ack = {}, std::uint32_t mbufs_max = 64) {
        sim::Segment s;
        s.from_mac = neighbour_mac;
        s.to_mac = own_mac;
        s.from = t.hard.leg.remote;
        s.to = t.hard.leg.local;
        s.seq = tcp::receive_seq(t, begin);
        s.ack = tcp::send_seq(t, ack.value_or(snd().una));
        s.flags = static_cast<std::uint8_t>(flags | sim::flag::ack);
        s.window = window >> 7;
        if (t.hard.timestamps) s.options.timestamps = {ts, 0};
        std::vector<std::uint8_t> bytes;
        for (auto p = begin; p < end; ++p) bytes.push_back(byte_at(p));
        s.payload = bytes;
        auto* m = wire.mbufs.receive(sim::write_segment(s));
        REQUIRE(m != nullptr);
        wire::Frame frame;
        REQUIRE(wire::parse_frame(m, false, frame) == wire::FrameKind::tcp);
        return tcp::segment_arrives(t, frame, Packet(m), mbufs_max, context());
    }
    tcp::ReceiveSide& rcv() { return t.soft.rcv; }
    std::uint32_t ts = 1000;
};

}  // namespace

TEST_CASE("arrival: below the window it is old, beyond it is out of the window", "[tcp]") {
    Receiver rig;
    rig.arrive(501, 1001);
    CHECK(rig.count(Counter::old_duplicates) == 1);
    CHECK(rig.count(Counter::out_of_window) == 0);
    CHECK(rig.rcv().ack_now);
    rig.arrive(Receiver::edge, Receiver::edge + 1);
    CHECK(rig.count(Counter::old_duplicates) == 1);
    CHECK(rig.count(Counter::out_of_window) == 1);
    // The edge itself has room for nothing but an ACK: a FIN has a length.
    rig.arrive(Receiver::edge, Receiver::edge);
    CHECK(rig.count(Counter::out_of_window) == 1);
    rig.arrive(Receiver::edge, Receiver::edge, sim::flag::fin);
    CHECK(rig.count(Counter::out_of_window) == 2);
    CHECK_FALSE(rig.rcv().fin_known);
    CHECK(rig.rcv().queue.empty());
}

TEST_CASE("arrival: an ACK from one largest window ago is old, but no error (RFC 5961)", "[tcp]") {
    Receiver rig;
    rig.snd().window_max = 600'000;
    rig.snd().una = rig.snd().nxt = rig.snd().queue_end = 800'000;
    rig.arrive(1001, 1001, 0, 200'000);
    CHECK(rig.count(Counter::ack_too_old) == 0);
    rig.arrive(1001, 1001, 0, 199'999);
    CHECK(rig.count(Counter::ack_too_old) == 1);
    rig.arrive(1001, 1001, 0, 800'000);
    CHECK(rig.count(Counter::ack_of_unsent) == 0);
    rig.arrive(1001, 1001, 0, 800'001);
    CHECK(rig.count(Counter::ack_of_unsent) == 1);
    CHECK(rig.count(Counter::challenge_acks_sent) == 2);
}

TEST_CASE("arrival: the ACK of an unacceptable segment is not taken, but at a closed window (RFC 9293)",
          "[tcp]") {
    for (const bool closed : {false, true}) {
        Receiver rig;
        rig.write(2);
        if (closed) rig.rcv().edge_limit = rig.rcv().edge_sent = 1001;
        rig.arrive(501, 1001, 0, SenderRig::start(1));
        CHECK(rig.snd().una == 1);
        rig.arrive(closed ? 1001 : Receiver::edge, closed ? 1002 : Receiver::edge + 1, 0,
                   SenderRig::start(1));
        CHECK(rig.snd().una == (closed ? SenderRig::start(1) : 1));
        CHECK(rig.rcv().queue.empty());
    }
}

TEST_CASE("arrival: what was reported by SACK does not give way where no more may be held (RFC 2018)",
          "[tcp]") {
    Receiver rig;
    rig.arrive(3001, 3001 + large, 0, {}, 1);
    CHECK(rig.count(Counter::out_of_order) == 1);
    rig.arrive(5001, 5001 + large, 0, {}, 1);
    CHECK(rig.count(Counter::reassembly_full) == 1);
    // In order: it is taken beside the one that waits.
    rig.arrive(1001, 1001 + large, 0, {}, 1);
    CHECK(rig.rcv().queue.mbufs() == 2);
    CHECK(rig.rcv().next == 1001 + large);

    // Without a report the last one makes room.
    Receiver unreported;
    unreported.rcv().sack_from_far = true;
    unreported.arrive(3001, 3001 + large, 0, {}, 1);
    unreported.arrive(1001, 1001 + large, 0, {}, 1);
    CHECK(unreported.rcv().queue.mbufs() == 1);
    CHECK(unreported.rcv().next == 1001 + large);
}

TEST_CASE("arrival: as many segments as the budget has, not one more", "[tcp]") {
    Receiver rig;
    for (Position p = 3001; p <= 9001; p += 2000) rig.arrive(p, p + large, 0, {}, 3);
    CHECK(rig.rcv().queue.mbufs() == 3);
    CHECK(rig.count(Counter::reassembly_full) == 1);
}

TEST_CASE("arrival: beyond the window the payload is cut off, and the FIN with it", "[tcp]") {
    Receiver rig;
    rig.arrive(Receiver::edge - large, Receiver::edge + 100, sim::flag::fin);
    CHECK(rig.count(Counter::beyond_window) == 1);
    CHECK_FALSE(rig.rcv().fin_known);
    CHECK(meta(rig.rcv().queue.first_waiting()).end() == Receiver::edge);
    CHECK_FALSE(meta(rig.rcv().queue.first_waiting()).sum_known);
}

TEST_CASE("arrival: the first FIN counts; nothing comes behind it", "[tcp]") {
    Receiver rig;
    rig.arrive(3001, 3001 + large, sim::flag::fin);
    CHECK(rig.rcv().fin == 3001 + large);
    rig.arrive(2001, 2001 + large, sim::flag::fin);
    CHECK(rig.rcv().fin == 3001 + large);
    rig.rcv().ack_now = false;
    rig.arrive(3001, 3002 + large);
    CHECK(rig.rcv().ack_now);
    CHECK(rig.count(Counter::beyond_window) == 1);
}

TEST_CASE("arrival: bytes received twice are noted, in front of the window and above a hole (RFC 2883)",
          "[tcp]") {
    Receiver rig;
    rig.arrive(3001, 3001 + large);
    CHECK(rig.rcv().newest_out_of_order == 3001);
    CHECK(rig.rcv().out_of_order);
    rig.arrive(3001, 3001 + large);
    CHECK(rig.count(Counter::old_duplicates) == 1);
    REQUIRE(rig.rcv().duplicate_count == 1);
    CHECK(rig.rcv().duplicates[0].begin == 3001);
    CHECK(rig.rcv().duplicates[0].end == 3001 + large);
    rig.arrive(901, 1701);
    REQUIRE(rig.rcv().duplicate_count == 2);
    CHECK(rig.rcv().duplicates[1].begin == 901);
    CHECK(rig.rcv().duplicates[1].end == 1001);
    CHECK(rig.rcv().next == 1701);
    REQUIRE(rig.rcv().queue.front_at(1001) != nullptr);
    CHECK(bytes_are_true(rig.rcv().queue.front_at(1001)));
}

TEST_CASE("arrival: no ACK number ends inside of what was reported, once it is taken", "[tcp]") {
    Receiver rig;
    rig.arrive(1601, 1601 + large);
    rig.rcv().queue.mark_reported({1601, 1601 + large});
    rig.arrive(1001, 1601);
    CHECK(rig.rcv().next == 1601 + large);
    auto& ledger = rig.rcv().ledger;
    tcp::take_in_order(rig.t, rig.context());
    ledger.release_until(1601);
    CHECK(ledger.ack_number() == 1600);  // the reported range comes next
    tcp::take_in_order(rig.t, rig.context());
    ledger.release_until(1900);
    CHECK(ledger.ack_number() == 1600);
    ledger.release_until(1601 + large);
    CHECK(ledger.ack_number() == 1601 + large);
    CHECK(rig.count(Counter::bytes_received) == 2 * large);

    // What covers it has its place.
    Receiver alone;
    alone.arrive(1101, 1101 + large);
    alone.rcv().queue.mark_reported({1101, 1101 + large});
    alone.arrive(1001, 1101 + large);
    tcp::take_in_order(alone.t, alone.context());
    alone.rcv().ledger.release_until(1300);
    CHECK(alone.rcv().ledger.ack_number() == 1001);
    CHECK(alone.rcv().ledger.is_clamped());
}

TEST_CASE("arrival: the echo is of what begins at or below the last ACK (RFC 7323)", "[tcp]") {
    Receiver rig(true);
    rig.arrive(1001, 1001 + large);
    CHECK(rig.rcv().ts_recent == 1000);
    CHECK(rig.rcv().ts_recent_at == rig.wire.now);
    rig.ts = 1010;
    rig.arrive(3001, 3001 + large);
    CHECK(rig.rcv().ts_recent == 1000);
    rig.ts = 1005;
    rig.after(5_ms);
    rig.arrive(1001, 2001);
    CHECK(rig.rcv().ts_recent == 1005);
    CHECK(rig.rcv().ts_recent_at == rig.wire.now);
    rig.ts = 1004;
    rig.arrive(2001, 2601);
    CHECK(rig.count(Counter::paws_dropped) == 1);
    CHECK(rig.rcv().ack_now);
}

TEST_CASE("arrival: stray ACKs are answered twice a second, keepalives each time", "[tcp]") {
    Receiver rig;
    const auto answered = [&](Position seq) {
        rig.rcv().ack_now = false;
        rig.arrive(seq, seq);
        return rig.rcv().ack_now;
    };
    CHECK(answered(500));
    CHECK_FALSE(answered(500));
    CHECK(answered(1000));
    CHECK(answered(1000));
    CHECK(rig.count(Counter::keepalives_answered) == 2);
    rig.after(499_ms);
    CHECK_FALSE(answered(500));
    rig.after(1_ms);
    CHECK(answered(500));
    CHECK(rig.arrive(1000, 1001).probe);
    CHECK_FALSE(rig.arrive(999, 1001).probe);
}

TEST_CASE("arrival: the edge that was given counts, not what is allowed by now (RFC 7323)", "[tcp]") {
    Receiver rig;
    rig.rcv().edge_limit = Receiver::edge + 5000;
    rig.arrive(Receiver::edge + 1, Receiver::edge + large);
    CHECK(rig.count(Counter::out_of_window) == 1);
    rig.rcv().edge_limit = 2001;
    rig.arrive(3001, 3001 + large);
    CHECK(rig.count(Counter::out_of_window) == 1);
    CHECK(rig.rcv().queue.mbufs() == 1);
}

TEST_CASE("arrival: a RST is exact, inside the window or outside, up to its edge (RFC 5961)", "[tcp]") {
    const struct {
        Position seq;
        bool resets;
        Counter counted;
    } cases[] = {{1001, true, Counter::rst_accepted},
                 {1002, false, Counter::rst_challenged},
                 {Receiver::edge - 1, false, Counter::rst_challenged},
                 {Receiver::edge, false, Counter::rst_ignored},
                 {1000, false, Counter::rst_ignored}};
    for (const auto& c : cases) {
        Receiver rig;
        CHECK(rig.arrive(c.seq, c.seq, sim::flag::rst).reset == c.resets);
        CHECK(rig.count(c.counted) == 1);
        CHECK(rig.count(Counter::challenge_acks_sent) == (c.counted == Counter::rst_challenged ? 1 : 0));
    }
}

TEST_CASE("arrival: a segment is a sign of life, and its PSH is kept", "[tcp]") {
    Receiver rig;
    rig.after(1_s);
    rig.arrive(1001, 1001 + large, sim::flag::psh);
    CHECK(rig.t.soft.last_heard == rig.wire.now);
    REQUIRE(rig.rcv().queue.front_at(1001) != nullptr);
    CHECK(meta(rig.rcv().queue.front_at(1001)).push);
}

TEST_CASE("arrival: only an ACK of our SYN establishes", "[tcp]") {
    Receiver rig;
    rig.t.soft.state = tcp::State::syn_received;
    rig.snd().una = 0;
    CHECK_FALSE(rig.arrive(1001, 1001, 0, 0).established);
    CHECK(rig.arrive(1001, 1001, 0, 1).established);
    CHECK(rig.t.soft.state == tcp::State::established);
}

TEST_CASE("arrival: what went ahead of a hole may be acknowledged", "[tcp]") {
    Receiver rig;
    rig.snd().valid_ack_max = 501;
    CHECK(rig.arrive(1001, 1001, 0, 501).ack.advanced);
    CHECK(rig.count(Counter::ack_of_unsent) == 0);
}

TEST_CASE("arrival: where no more may be held, what reaches the bytes that wait is taken all the same",
          "[tcp]") {
    Receiver rig;
    rig.rcv().sack_from_far = true;
    rig.arrive(1601, 1601 + large, 0, {}, 1);
    rig.arrive(1001, 1601, 0, {}, 1);
    CHECK(rig.rcv().queue.mbufs() == 2);
    CHECK(rig.rcv().next == 1601 + large);
}
