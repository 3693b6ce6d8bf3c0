// What an ACK frees, reports and grants.
#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;

namespace {

constexpr auto mss = SenderRig::mss;
Position start(Position i) { return SenderRig::start(i); }

}  // namespace

TEST_CASE("ack: a segment is held until its last byte is acknowledged", "[tcp]") {
    SenderRig rig;
    rig.write(2);
    rig.acknowledge(start(1) - 1);
    CHECK(rig.snd().mbufs == 2);
    CHECK(rig.snd().last_byte == byte_at(start(1) - 2));
    rig.acknowledge(start(1));
    CHECK(rig.snd().mbufs == 1);
    CHECK(rig.snd().last_byte == byte_at(start(1) - 1));
    CHECK(rig.snd().head == rig.held(0));
}

TEST_CASE("ack: what it covers is neither SACKed nor lost any more", "[tcp]") {
    SenderRig rig;
    rig.write(6);
    rig.acknowledge(start(0), {{start(2), start(3)}});
    CHECK(rig.snd().sacked_bytes == mss);
    for (const unsigned i : {0, 1, 5}) tcp::mark_lost(rig.snd(), rig.held(i));
    CHECK(rig.snd().lost_bytes == 3 * mss);
    rig.take(start(4));
    CHECK(rig.snd().sacked_bytes == 0);
    CHECK(rig.snd().lost_bytes == mss);
}

TEST_CASE("ack: no round trip from what was repeated, nor from what waited behind it (RFC 6298)", "[tcp]") {
    SenderRig rig;
    rig.write(4);
    rig.after(10_ms);
    tcp::retransmit(rig.t, rig.held(1), rig.context());
    rig.after(1_ms);
    // A SACK of the repeated one, then one of what left once.
    CHECK(rig.take(start(0), {{start(1), start(2)}}).rtt < 0_ns);
    CHECK(rig.take(start(1)).rtt == 11_ms);
    CHECK(rig.take(start(3)).rtt < 0_ns);
    CHECK(rig.take(start(4)).rtt == 11_ms);
}

TEST_CASE("ack: no round trip from what was SACKed before", "[tcp]") {
    SenderRig rig;
    rig.write(2);
    rig.after(10_ms);
    CHECK(rig.acknowledge(start(0), {{start(1), start(2)}}).rtt == 10_ms);
    rig.after(10_ms);
    CHECK(rig.acknowledge(start(2)).rtt == 20_ms);
    rig.write(2);
    rig.acknowledge(start(2), {{start(2), start(4)}});
    rig.after(10_ms);
    CHECK(rig.acknowledge(start(4)).rtt < 0_ns);
}

TEST_CASE("sack: the first block of an ACK at SND.UNA may report a duplicate, no other (RFC 2883)", "[tcp]") {
    SenderRig rig;
    rig.write(6);
    rig.acknowledge(start(3));
    const tcp::PositionRange old{start(1), start(2)}, above{start(4), start(5)};
    CHECK_FALSE(rig.acknowledge(start(3), {above, old}).dsack);
    CHECK_FALSE(rig.acknowledge(start(3), {{start(1), start(1)}}).dsack);
    CHECK_FALSE(rig.acknowledge(start(2), {old}).dsack);
    const auto effect = rig.acknowledge(start(3), {old, above});
    CHECK(effect.dsack);
    CHECK(effect.repeated_for_nothing.begin == old.begin);
    CHECK(effect.repeated_for_nothing.end == old.end);
}

TEST_CASE("sack: a duplicate that a probe explains takes nothing back", "[tcp]") {
    SenderRig rig;
    rig.write(3);
    rig.acknowledge(start(2));
    const auto for_nothing = [&](Position begin) {
        const auto effect = rig.take(start(2), {{begin, start(2)}});
        CHECK(effect.dsack);
        return effect.repeated_for_nothing.begin != effect.repeated_for_nothing.end;
    };
    CHECK(for_nothing(start(1)));
    CHECK_FALSE(for_nothing(start(2) - 1));
    rig.snd().tail_probe_end = start(2);
    CHECK_FALSE(for_nothing(start(1)));
}

TEST_CASE("sack: only whole segments count, once each, and none beyond what was sent", "[tcp]") {
    SenderRig rig;
    rig.write(5);
    CHECK(rig.acknowledge(start(0), {{start(1) + 1, start(3) + 1}}).bytes_sacked == mss);
    CHECK(meta(rig.held(2)).sacked);
    CHECK_FALSE(meta(rig.held(1)).sacked);
    CHECK_FALSE(meta(rig.held(3)).sacked);
    CHECK(rig.acknowledge(start(0), {{start(2), start(3)}}).bytes_sacked == 0);
    CHECK(rig.acknowledge(start(0), {{start(4), start(9)}}).bytes_sacked == 0);
    CHECK(rig.acknowledge(start(0), {{start(4), start(4)}}).bytes_sacked == 0);
    CHECK(rig.snd().sacked_bytes == mss);
}

TEST_CASE("sack: a lost segment that is reported is not lost", "[tcp]") {
    SenderRig rig;
    rig.write(3);
    tcp::mark_lost(rig.snd(), rig.held(1));
    rig.take(start(0), {{start(1), start(2)}});
    CHECK_FALSE(meta(rig.held(1)).lost);
    CHECK(rig.snd().lost_bytes == 0);
}

TEST_CASE("window: only what is newer by SEQ, or by ACK for the same SEQ, changes it (RFC 9293)", "[tcp]") {
    SenderRig rig;
    rig.write(3);
    const auto take = [&](Position seq, Position ack, std::uint16_t window) {
        auto h = rig.header(ack);
        h.seq = tcp::receive_seq(rig.t, seq);
        h.window = window;
        return tcp::take_ack(rig.t, ack, h, rig.context()).window_grew;
    };
    rig.t.soft.rcv.next = 500;
    take(101, start(2), 100);
    CHECK(rig.snd().edge == start(2) + 12'800);
    CHECK_FALSE(take(51, start(2), 200));   // older by SEQ
    CHECK_FALSE(take(101, start(1), 200));  // older by ACK
    CHECK(rig.snd().edge == start(2) + 12'800);
    CHECK(take(101, start(2), 200));  // an update
    CHECK(rig.snd().edge == start(2) + 25'600);
    CHECK_FALSE(take(102, start(1), 100));  // newer by SEQ: smaller all the same
    CHECK(rig.snd().edge == start(1) + 12'800);
    CHECK(rig.snd().window_max == SenderRig::window);
}

TEST_CASE("window: the largest one is kept, however small the newest is", "[tcp]") {
    SenderRig rig;
    rig.write(1);
    auto h = rig.header(start(1));
    h.window = 1;
    rig.acknowledge(start(1), h);
    CHECK(rig.snd().window_max == SenderRig::window);
}

TEST_CASE("ack: of bytes that another node has sent, it moves all that lies below", "[tcp]") {
    SenderRig rig;
    rig.snd().valid_ack_max = start(2);
    const auto effect = rig.acknowledge(start(2));
    CHECK(effect.advanced);
    CHECK(rig.snd().una == start(2));
    CHECK(rig.snd().nxt == start(2));
    CHECK(rig.snd().queue_end == start(2));
    CHECK_FALSE(rig.snd().has_last_byte);
}

TEST_CASE("ack: a duplicate is one with something under way, the same window and nothing new", "[tcp]") {
    SenderRig rig;
    CHECK_FALSE(rig.acknowledge(start(0)).duplicate);
    rig.write(2);
    CHECK(rig.acknowledge(start(0)).duplicate);
    auto update = rig.header(start(0));
    --update.window;
    CHECK_FALSE(rig.acknowledge(start(0), update).duplicate);
    CHECK_FALSE(rig.acknowledge(start(1)).duplicate);
}

TEST_CASE("ack: a tail loss probe is answered where it ended, with no news", "[tcp]") {
    SenderRig rig;
    rig.write(3);
    rig.acknowledge(start(1));
    rig.snd().tail_probe_end = start(1);
    const auto answered = [&](const std::vector<tcp::PositionRange>& sacked) {
        return rig.take(start(1), sacked).probe_answered;
    };
    CHECK(answered({}));
    CHECK_FALSE(answered({{start(2), start(3)}}));
    rig.snd().tail_probe_end = start(2);
    CHECK_FALSE(answered({}));
}

TEST_CASE("ack: what it delivers is counted once, by ACK or SACK", "[tcp]") {
    SenderRig rig;
    rig.write(4);
    CHECK(rig.acknowledge(start(0), {{start(1), start(3)}}).delivered == 2 * mss);
    CHECK(rig.acknowledge(start(3)).delivered == mss);
    CHECK(rig.acknowledge(start(4)).delivered == mss);
}

TEST_CASE("sack: of what went ahead of a hole, only what is not queued yet is told", "[tcp]") {
    SenderRig rig;
    rig.write(2);
    rig.snd().valid_ack_max = start(6);
    const auto effect = rig.take(start(0), {{start(1), start(5)}});
    CHECK(effect.bytes_sacked == mss);
    REQUIRE(effect.ahead_count == 1);
    CHECK(effect.ahead[0].begin == start(2));
    CHECK(effect.ahead[0].end == start(5));
}

TEST_CASE("ack: no round trip from what went ahead, at a time that nobody noted", "[tcp]") {
    SenderRig rig;
    rig.write(1);
    meta(rig.held(0)).ahead = true;
    rig.after(10_ms);
    CHECK(rig.take(start(1)).rtt < 0_ns);
}
