// Guessed and invented numbers on a session in steady state: ACKs, windows, bytes.
#include "tests/script/attack/stranger.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr Position mss = 1448;
Seg segment(Position i) { return data(1 + i * mss, 1 + (i + 1) * mss); }

/// Segments that came to the server since it was asked last.
unsigned arrived(LaneStage& lane) {
    unsigned n = 0;
    for (; lane.server().has_unexpected(); ++n) lane.server().takes();
    return n;
}

}  // namespace

STORY("attack: an optimistic ACK of what was not sent yet opens nothing and releases nothing", "[attack]") {
    LaneStage lane;
    lane.trust_nobody();
    lane.establish();
    for (Position i = 0; i < 30; ++i) lane.client().sends(segment(i));
    expect_equal(arrived(lane), 10, "segments of the initial window");
    lane.after(10_ms);
    for (Position i = 11; i <= 30; ++i) lane.server().sends(ack(1 + i * mss));
    lane.client().expects_nothing();
    expect_equal(lane.count(Side::server, "ack_of_unsent"), 20, "counted");
    // Each is answered by a challenge at most: an ACK without data, ten a second.
    while (lane.server().has_unexpected()) {
        const auto s = lane.server().takes();
        expect(s.begin == s.end, "no data for it");
    }
    lane.server().sends(ack(1 + 10 * mss));
    lane.client().expects(ack(1 + 10 * mss));
    lane.ignore_rest();
}

STORY("attack: many ACKs for one segment open the window by its bytes, not by their number (RFC 3465)",
      "[attack]") {
    unsigned sent[2];
    for (const unsigned pieces : {1u, 100u}) {
        LaneStage lane;
        lane.establish();
        for (Position i = 0; i < 40; ++i) lane.client().sends(segment(i));
        arrived(lane);
        lane.after(10_ms);
        for (unsigned i = 1; i <= pieces; ++i) lane.server().sends(ack(1 + 2 * mss * i / pieces));
        sent[pieces == 1 ? 0 : 1] = arrived(lane);
        lane.client().ignores_rest();
        lane.ignore_rest();
    }
    expect_equal(sent[0], 4, "two segments acknowledged let four go");
    expect(sent[1] <= sent[0], "and no more in a hundred pieces");
}

STORY("attack: repeated ACKs beyond what is under way make nothing go again and again", "[attack]") {
    LaneStage lane;
    lane.establish();
    for (Position i = 0; i < 10; ++i) lane.client().sends(segment(i));
    arrived(lane);
    lane.after(10_ms);
    for (int i = 0; i < 1000; ++i) lane.server().sends(ack(1));
    expect(arrived(lane) <= 10, "at most what is under way");
    lane.ignore_rest();
}

STORY("attack: an ACK below the first byte is a guess, however large the window", "[attack]") {
    LaneStage lane;
    lane.establish();
    Stranger stranger(lane, Side::client, lane.client());
    for (const Position below : {1, 2, 30'000, 65'000}) {
        stranger.sends(data(1001, 1501).ack(Position{1} - below));
        lane.client().expects(ack(1));
    }
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "ack_too_old", 4);
}

STORY("attack: a handshake is not completed by an ACK below the one that is due", "[attack]") {
    LaneStage lane;
    lane.pass_syn();
    lane.pass_syn_ack();
    Stranger stranger(lane, Side::client, lane.client());
    for (const Position below : {1, 2, 30'000, 65'000}) stranger.sends(ack(Position{1} - below).seq(1));
    lane.client().ignores_rest();
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "sessions_established", 0);
    lane.client().sends(ack(1));
    lane.server().expects(ack(1));
    lane.expect_count(Side::client, "sessions_established", 1);
}

STORY("attack: a window closed by a guess opens with the next ACK of new bytes", "[attack]") {
    LaneStage lane;
    lane.trust_nobody();
    lane.establish();
    lane.server().sends(data(1, 1001));
    lane.client().expects(data(1, 1001));
    lane.server().sends(data(1001, 2001));
    lane.client().expects(data(1001, 2001));
    // In the window and acknowledging nothing new: all that follows from the client has a lower number.
    Stranger stranger(lane, Side::client, lane.client());
    stranger.sends(ack(1).seq(30'001).window(0));
    lane.client().ignores_rest();
    lane.server().ignores_rest();
    lane.client().sends(ack(2001));
    lane.server().ignores_rest();
    lane.server().sends(data(2001, 3001));
    lane.client().expects(data(2001, 3001));
    lane.ignore_rest();
}

STORY("attack: a FIN above a hole that the stream passes by was a guess", "[attack]") {
    LaneStage lane;
    lane.establish();
    Stranger stranger(lane, Side::client, lane.client());
    stranger.sends(fin(1501));
    lane.client().ignores_rest();
    lane.server().expects_nothing();
    for (Position p = 1; p < 4001; p += 1000) {
        lane.client().sends(data(p, p + 1000));
        lane.server().expects(data(p, p + 1000));
        lane.server().sends(ack(p + 1000));
        lane.client().expects(ack(p + 1000));
    }
    lane.client().sends(fin(4001));
    lane.server().expects(fin(4001));
    lane.ignore_rest();
}

STORY("attack: a byte that was received first stays what it was", "[attack]") {
    LaneStage lane;
    lane.establish();
    Stranger stranger(lane, Side::client, lane.client());
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    stranger.sends(data(1, 1001));
    stranger.sends(data(501, 901));
    lane.server().expects_nothing();
    // What is sent again is the first word: the stage compares each byte.
    lane.after(1100_ms);
    expect(lane.server().has_unexpected(), "sent again");
    lane.server().ignores_rest();
    lane.server().sends(ack(1001));
    lane.client().ignores_rest();
    lane.expect_count(Side::client, "old_duplicates", 2);
}

STORY("attack: a byte above a hole stays what it was, as soon as it was reported", "[attack]") {
    LaneStage lane;
    lane.establish();
    Stranger stranger(lane, Side::client, lane.client());
    lane.client().sends(data(1001, 2001));
    lane.server().expects(data(1001, 2001));
    lane.server().sends(ack(1).sack(1001, 2001));
    lane.client().expects(ack(1).sack(1001, 2001));
    // All of it, and a part.
    stranger.sends(data(1001, 2001));
    stranger.sends(data(1401, 1601));
    lane.client().ignores_rest();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(2001));
    lane.client().expects(ack(2001));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "old_duplicates", 2);
}
