// Blind attacks right after a takeover. What is plausible goes on to the far end, which judges it as it would
// without us; here it moves nothing that its own endpoint could not take back.
#include "lib/base/random.hpp"
#include "tests/script/attack/stranger.hpp"
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr std::int64_t reach = 1 << 20;

/// The node has just taken over; a stranger on the client's network speaks in the client's name.
struct Attacked : TakeoverStage {
    explicit Attacked(const Past& past = {}) : TakeoverStage(past), stranger(*this, Side::client, client()) {
        trust_nobody();
        // The mirror was told lately.
        auto hints = hints_of(record(), main(), past);
        for (auto& h : hints) {
            h.version = 2;
            h.last_active = record().opened_at;
        }
        hint(hints);
        take_over();
        forget();
    }
    void forget() {
        client().ignores_rest();
        server().ignores_rest();
    }
    void guess(const Seg& s) {
        stranger.sends(s);
        forget();
    }
    /// Both ends speak for themselves, and the session is served by our own TCP again.
    void ends_go_on() {
        client().sends(ack(down()));
        server().expects(ack(down()).seq(up()));
        server().sends(ack(up()));
        client().expects(ack(up()).seq(down()));
        after(700_ms);
        forget();
        expect_view(proxy::View::terminated);
        client().sends(data(up(), up() + 1000));
        server().expects(data(up(), up() + 1000));
        server().sends(ack(up() + 1000));
        client().expects(ack(up() + 1000));
    }
    Stranger stranger;
};

}  // namespace

STORY("attack: after a takeover a time far ahead deafens nobody, though it echoes one of ours", "[attack]") {
    Attacked lane;
    lane.guess(ack(501).seq(1001).ts(lane.client().ts_now() + 1'000'000));
    lane.guess(ack(501).seq(1001).ts(lane.client().ts_now() + 0x7fff0000));
    lane.ends_go_on();
}

STORY("attack: after a takeover a FIN in the middle of what was said before closes nothing", "[attack]") {
    for (const bool timestamps : {true, false}) {
        Attacked lane({.timestamps = timestamps});
        lane.guess(fin(701).ack(501));
        lane.ends_go_on();
        lane.server().sends(data(501, 601));
        lane.client().expects(data(501, 601));
        lane.client().sends(ack(601));
        lane.server().expects(ack(601));
    }
}

STORY("attack: after a takeover an ACK of what the far end never sent makes no probe useless", "[attack]") {
    Attacked lane({.timestamps = false});
    lane.client().sends(ack(501));
    lane.server().sends(ack(1001));
    lane.guess(ack(40'501).seq(1001));
    // Idle, it is asked from time to time whether it lives, by something below what it has.
    lane.at(30_s);
    bool asked = false;
    while (lane.client().has_unexpected()) {
        const auto s = lane.client().takes();
        expect(s.end <= 501, "nothing that the client would take for news");
        asked = true;
    }
    expect(asked, "asked");
    lane.ignore_rest();
}

STORY("attack: after a takeover data needs the agreed timestamp, and not an old one", "[attack]") {
    Attacked lane;
    lane.stranger.sends(data(1001, 1501).no_timestamps());
    lane.stranger.sends(data(1001, 1501).ts(lane.client().ts_now() - 60'000));
    lane.server().expects_nothing();
    lane.expect_count(Side::client, "translate_implausible", 2);
    lane.ends_go_on();
}

STORY("attack: after a takeover data in the window goes on for the server to judge, as without us",
      "[attack]") {
    Attacked lane;
    lane.judge_form_only();
    // An ACK that the server never gave is its own to see through: nothing is answered for it here.
    lane.stranger.sends(data(30'001, 30'501).ack(1'000'501).echo(1));
    const auto s = lane.server().takes();
    expect(s.begin == 30'001 && s.ack == 1'000'501, "as it was said");
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "translate_not_credible", 1);
    lane.server().sends(ack(1001));
    lane.client().expects(ack(1001).seq(501));
    lane.client().sends(ack(501));
    lane.server().ignores_rest();
    lane.after(700_ms);
    lane.expect_view(proxy::View::terminated);
    lane.ignore_rest();
}

STORY("attack: RSTs within 2^20 of the truth end nothing after a takeover, and both ends are asked",
      "[attack]") {
    Attacked lane;
    Random random(1);
    for (int i = 0; i < 500; ++i) {
        const auto guess = random.between(-reach, reach);
        if (guess != 0 && guess != -1) lane.guess(rst(1001 + guess));
    }
    lane.expect_view(proxy::View::translated);
    lane.expect_count(Side::client, "sessions_reset", 0);
    lane.ends_go_on();
}

STORY("attack: guesses of every kind within 2^20 of the truth leave the session whole", "[attack]") {
    for (const std::uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
        Attacked lane;
        Random random(seed);
        const auto near = [&](Position p) { return p + random.between(-reach, reach); };
        for (int i = 0; i < 400; ++i) {
            const auto begin = near(1001);
            if (begin == 1001 || begin == 1000) continue;
            Seg s = i % 2 == 0 ? data(begin, begin + 100) : ack(501).seq(begin);
            s.flags = std::array{flag::ack, std::uint8_t{flag::ack | flag::fin}, flag::syn,
                                 flag::rst}[random.below(4)];
            if (s.has(flag::ack)) s.ack(near(501));
            if (s.has(flag::syn)) s.end = begin;
            s.ts(lane.client().ts_now() + static_cast<std::uint32_t>(random.between(-reach, reach)));
            s.echo(lane.client().knows().heard_ts +
                   static_cast<std::uint32_t>(random.between(-reach, reach)));
            lane.judge_form_only();
            lane.guess(s);
        }
        lane.after(3_s);
        lane.forget();
        lane.client().sends(data(1001, 2001).ack(501));
        bool came = false;
        while (lane.server().has_unexpected()) {
            const auto s = lane.server().takes();
            came = came || (s.begin == 1001 && s.end == 2001);
        }
        expect(came, "the client is heard");
        lane.server().sends(ack(2001));
        bool answered = false;
        while (lane.client().has_unexpected()) answered = lane.client().takes().ack == 2001 || answered;
        expect(answered, "and gets its answer");
        lane.ignore_rest();
    }
}

STORY("attack: after a takeover a FIN below a real one does not undo it", "[attack]") {
    Attacked lane({.timestamps = false});
    lane.client().sends(fin(1001));
    lane.server().expects(fin(1001));
    lane.server().sends(ack(1002));
    lane.client().expects(ack(1002));
    lane.guess(fin(701).ack(501));
    lane.after(700_ms);
    lane.forget();
    lane.expect_view(proxy::View::terminated);
    lane.server().sends(fin(501).ack(1002));
    lane.client().expects(fin(501));
    lane.client().sends(ack(502));
    lane.server().expects(ack(502));
    lane.expect_view(proxy::View::closing);
}

STORY("attack: after a takeover a guess far ahead, before the first word, does not end the session later",
      "[attack]") {
    Attacked lane({.timestamps = false});
    constexpr Position far = Position{30} << 20;
    lane.guess(ack(501).seq(far));
    auto at = lane.up();
    for (int minute = 0; minute < 20; ++minute)
        for (int i = 0; i < 12; ++i, ++at) {
            lane.after(5_s);
            lane.client().sends(data(at, at + 1));
            lane.forget();
            lane.server().sends(ack(at + 1));
            lane.forget();
        }
    lane.client().sends(data(at, at + 100));
    lane.server().expects(data(at, at + 100));
    lane.server().sends(ack(at + 100));
    lane.client().expects(ack(at + 100));
}
