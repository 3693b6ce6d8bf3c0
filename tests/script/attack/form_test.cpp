// Segments whose form is the attack: options that are none, flags that exclude each other, urgent pointers.
#include "tests/script/attack/stranger.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

constexpr std::size_t options_max = 40;

/// A frame whose TCP header has these bytes for options, up to the next multiple of four.
sim::Bytes with_options(const sim::Segment& s, sim::Bytes options) {
    options.resize((options.size() + 3) / 4 * 4);
    sim::Segment plain = s;
    plain.options = {};
    sim::Bytes text = options;
    text.insert(text.end(), s.payload.begin(), s.payload.end());
    plain.payload = text;
    auto frame = sim::write_segment(plain);
    const bool v6 = !s.from.address.is_v4();
    auto* ip = frame.data() + 14;
    auto* tcp = ip + (v6 ? 40 : 20);
    tcp[12] = static_cast<std::uint8_t>((20 + options.size()) / 4 << 4);
    tcp[16] = tcp[17] = 0;
    const auto size = static_cast<std::uint32_t>(20 + text.size());
    const auto addresses =
        v6 ? std::span<const std::uint8_t>(ip + 8, 32) : std::span<const std::uint8_t>(ip + 12, 8);
    const auto sum = sim::fold(sim::ones_sum({tcp, size}, sim::ones_sum(addresses) + 6 + size));
    tcp[16] = static_cast<std::uint8_t>(sum >> 8);
    tcp[17] = static_cast<std::uint8_t>(sum);
    return frame;
}

/// The session that was there before still is, and holds nothing.
void expect_unharmed(LaneStage& lane) {
    const auto next = lane.client().knows().sent;
    lane.client().sends(data(next, next + 100));
    lane.server().expects(data(next, next + 100));
    lane.server().sends(ack(next + 100));
    lane.client().expects(ack(next + 100));
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}

sim::Segment first_syn(LaneStage& lane, std::uint16_t port) {
    sim::Segment s;
    s.from_mac = lane.client().mac();
    s.to_mac = LaneStage::virtual_mac(Side::client);
    s.from = {lane.client().local().address, port};
    s.to = LaneStage::service();
    s.seq = {77};
    s.flags = flag::syn;
    s.window = 1000;
    return s;
}

const sim::Bytes bombs[] = {
    {2, 0},        // no length at all
    {2, 1},        // shorter than itself
    {1, 1, 2, 4},  // past the end of the header
    {2, 3, 5, 1},  // of a length that its kind does not have
    {3, 2, 1, 1},
    {8, 4, 0, 0},
    {4, 3, 0, 1},
    {5, 9, 0, 0, 0, 0, 0, 0, 0, 1},  // half a SACK block
    {5, 2, 1, 1},
    {254, 41, 0, 0},
    sim::Bytes(options_max, 255),
};

}  // namespace

STORY("attack: options of impossible length are dropped with their segment, counted, and open nothing",
      "[attack]") {
    LaneStage lane;
    lane.establish();
    Stranger stranger(lane, Side::client, lane.client());
    std::uint64_t dropped = 0;
    for (const auto& bomb : bombs) {
        lane.deliver_raw(Side::client, with_options(first_syn(lane, 50'000), bomb));
        lane.deliver_raw(Side::client, with_options(stranger.raw(data(1, 101)), bomb));
        dropped += 2;
    }
    lane.server().expects_nothing();
    lane.client().expects_nothing();
    lane.expect_count(Side::client, "bad_tcp_options", dropped);
    expect_unharmed(lane);
}

STORY("attack: forty bytes of options, of kinds that nobody knows or said ten times, cost nothing more",
      "[attack]") {
    LaneStage lane;
    lane.establish();
    lane.ignore_strangers();
    sim::Bytes unknown, said_again, nothing(options_max, 1);
    for (std::uint8_t kind = 200; unknown.size() < options_max; ++kind)
        unknown.insert(unknown.end(), {kind, 2});
    while (said_again.size() < options_max) said_again.insert(said_again.end(), {2, 4, 0, 0});
    const auto before = lane.count(Side::client, "sessions_opened");
    std::uint16_t port = 50'000;
    for (const auto& options : {unknown, said_again, nothing})
        lane.deliver_raw(Side::client, with_options(first_syn(lane, port++), options));
    expect_equal(lane.count(Side::client, "sessions_opened"), before + 3, "SYNs like others");
    lane.expect_count(Side::client, "bad_tcp_options", 0);
    expect_unharmed(lane);
}

STORY("attack: an MSS of 0 or 1 does not cut the stream into crumbs", "[attack]") {
    for (const std::uint16_t mss : {0, 1}) {
        LaneStage lane;
        lane.trust_nobody();
        lane.client().offer.mss = mss;
        lane.judge_form_only();
        lane.client().sends(syn().mss(mss));
        const auto asked = lane.server().takes();
        expect(asked.raw.options.mss >= 88, "the server is offered the least that makes sense");
        lane.server().sends(syn_ack());
        lane.client().takes();
        lane.client().sends(ack(1));
        lane.server().ignores_rest();
        lane.server().sends(data(1, 1001));
        unsigned segments = 0;
        for (; lane.client().has_unexpected(); ++segments) lane.client().takes();
        expect(segments > 0 && segments <= 14, "segments");
        lane.ignore_rest();
    }
}

STORY("attack: flags that exclude each other open nothing and end nothing", "[attack]") {
    LaneStage lane;
    lane.establish();
    lane.ignore_strangers();
    const auto opened = lane.count(Side::client, "sessions_opened");
    Stranger stranger(lane, Side::client, lane.client());
    constexpr std::uint8_t null = 0, xmas = flag::fin | flag::psh | flag::urg, all = 0x3f,
                           syn_fin = flag::syn | flag::fin, syn_rst = flag::syn | flag::rst;
    for (const auto flags : {null, xmas, all, syn_fin, syn_rst}) {
        auto s = first_syn(lane, 50'000);
        s.flags = flags;
        lane.deliver_raw(Side::client, sim::write_segment(s));
        // On the session itself, at a number that is not exact.
        auto on = Seg{}.seq(5001);
        on.flags = flags;
        stranger.sends(on);
        lane.client().ignores_rest();
    }
    expect_equal(lane.count(Side::client, "sessions_opened"), opened, "sessions opened");
    lane.expect_view(proxy::View::terminated);
    lane.server().expects_nothing();
    expect_unharmed(lane);
}

STORY("attack: an urgent pointer, wherever it points, is data like all other", "[attack]") {
    LaneStage lane;
    lane.establish();
    Stranger stranger(lane, Side::client, lane.client());
    auto urgent = data(1, 101);
    urgent.flags |= flag::urg;
    lane.client().sends(urgent);
    const auto s = lane.server().takes();
    expect(!s.raw.has(flag::urg) && s.begin == 1 && s.end == 101, "no URG, all bytes");
    lane.server().sends(ack(101));
    lane.client().expects(ack(101));
    expect_unharmed(lane);
}
