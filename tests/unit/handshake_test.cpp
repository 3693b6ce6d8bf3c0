// What a SYN offers, and what may answer one.
#include "cores/tcp/handshake.hpp"

#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;
using tcp::SynSentVerdict;
namespace flag = wire::flag;

TEST_CASE("offer: without options 536 bytes and nothing else; a shift of 14 at most", "[tcp]") {
    wire::TcpHeader h;
    h.window = 1000;
    const auto plain = tcp::read_offer(h);
    CHECK(plain.mss == 536);
    CHECK_FALSE(plain.sack);
    CHECK_FALSE(plain.timestamps);
    CHECK_FALSE(plain.window_scaling);
    CHECK(plain.window == 1000);
    h.options.mss = 1220;
    h.options.sack_permitted = h.options.has_timestamps = h.options.has_window_scale = true;
    h.options.window_scale = 15;
    const auto all = tcp::read_offer(h);
    CHECK(all.mss == 1220);
    CHECK((all.sack && all.timestamps && all.window_scaling));
    CHECK(all.scale == 14);
}

TEST_CASE("syn-sent: only a SYN with the right ACK is accepted, only a RST with it refuses (RFC 9293)",
          "[tcp]") {
    SenderRig rig;
    const struct {
        int flags;
        Position ack;
        SynSentVerdict verdict;
    } cases[] = {
        {flag::syn | flag::ack, 1, SynSentVerdict::accepted},
        {flag::syn | flag::ack, 2, SynSentVerdict::send_reset},
        {flag::syn | flag::ack, 0, SynSentVerdict::send_reset},
        {flag::ack, 2, SynSentVerdict::send_reset},
        {flag::ack, 1, SynSentVerdict::ignore},
        {flag::syn, 1, SynSentVerdict::ignore},
        {flag::rst | flag::ack, 1, SynSentVerdict::refused},
        {flag::rst | flag::ack, 2, SynSentVerdict::ignore},
        {flag::rst, 1, SynSentVerdict::ignore},
    };
    for (const auto& c : cases) {
        wire::Frame f;
        f.tcp.flags = static_cast<std::uint8_t>(c.flags);
        f.tcp.ack = tcp::send_seq(rig.t, c.ack);
        CHECK(tcp::judge_in_syn_sent(rig.t, f) == c.verdict);
    }
}

TEST_CASE("handshake: repeated with backoff up to the longest timeout, as often as configured", "[tcp]") {
    SenderRig rig;
    rig.t.soft.snd = {};
    rig.config.syn_retries = 8;
    tcp::HandshakeOffer offer;
    tcp::send_syn(rig.t, offer, rig.context());
    CHECK(rig.snd().nxt == 1);
    for (const auto wait : {1_s, 2_s, 4_s, 8_s, 16_s, 32_s, 60_s, 60_s}) {
        CHECK(rig.snd().timer_at == rig.wire.now + wait);
        rig.wire.now = rig.snd().timer_at;
        CHECK(tcp::run_handshake_timer(rig.t, offer, true, rig.context()));
    }
    CHECK(rig.count(tcp::Counter::handshake_retransmitted) == 8);
    rig.wire.now = rig.snd().timer_at;
    CHECK_FALSE(tcp::run_handshake_timer(rig.t, offer, true, rig.context()));
    for (const auto& s : rig.segments()) {
        CHECK(s.flags == sim::flag::syn);
        CHECK(s.ack == SeqNum{0});
    }
}

TEST_CASE("handshake: one that was repeated begins with a segment and three seconds (RFC 6298, RFC 5681)",
          "[tcp]") {
    for (const bool repeated : {false, true}) {
        SenderRig rig;
        rig.snd().backoff = repeated ? 1 : 0;
        tcp::finish_handshake(rig.t);
        CHECK(rig.snd().cwnd == (repeated ? 1 : 10) * SenderRig::mss);
        CHECK(rig.t.soft.rtt.rto == (repeated ? 3_s : 1_s));
        CHECK(rig.snd().backoff == 0);
        CHECK(rig.snd().timer == tcp::SendTimer::none);
    }
}
