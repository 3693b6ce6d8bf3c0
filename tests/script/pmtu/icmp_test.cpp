// ICMP errors about our segments: smaller segments where the path carries less, and what is not believed.
#include "tests/script/takeover_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// What a router or host says of a segment that it was sent: an error of type and code, with a number (the
/// MTU) in its header.
struct Error {
    std::uint8_t type_v4, code_v4, type_v6, code_v6;
    std::uint32_t number = 0;
};

/// Sizes as if the network spoke IPv4: the larger header of IPv6 comes on top.
Error too_big(Side side, std::uint32_t mtu) {
    return {3, 4, 2, 0, mtu + (LaneStage::speaks_ipv6(side) ? 20u : 0u)};
}
const Error port_unreachable{3, 3, 1, 4}, host_unreachable{3, 1, 1, 3};

void put32(sim::Bytes& out, std::uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(v >> shift));
}

/// The error as a frame. It quotes the IP header and eight bytes of what we sent, and comes from its
/// destination.
sim::Bytes frame_of(const Error& e, const Seen& seen) {
    const auto& about = seen.raw;
    const bool v6 = !about.from.address.is_v4();
    const auto sent = sim::write_segment(about);
    constexpr std::size_t ethernet = 14;
    const std::size_t ip_size = v6 ? 40 : 20;
    sim::Bytes message = {v6 ? e.type_v6 : e.type_v4, v6 ? e.code_v6 : e.code_v4, 0, 0};
    put32(message, e.number);
    message.insert(message.end(), sent.begin() + ethernet,
                   sent.begin() + static_cast<std::ptrdiff_t>(ethernet + ip_size + 8));
    const auto size = static_cast<std::uint32_t>(message.size());

    // A header like the segment's, turned round.
    sim::Segment back = about;
    std::swap(back.from, back.to);
    std::swap(back.from_mac, back.to_mac);
    back.payload = {};
    auto frame = sim::write_segment(back);
    frame.resize(ethernet + ip_size);
    auto* ip = frame.data() + ethernet;
    std::uint32_t sum = 0;
    if (v6) {
        ip[4] = static_cast<std::uint8_t>(size >> 8);
        ip[5] = static_cast<std::uint8_t>(size);
        ip[6] = 58;
        sum = sim::ones_sum({ip + 8, 32}) + 58 + size;
    } else {
        ip[2] = static_cast<std::uint8_t>((ip_size + size) >> 8);
        ip[3] = static_cast<std::uint8_t>(ip_size + size);
        ip[9] = 1;
        ip[10] = ip[11] = 0;
        const auto header_sum = sim::fold(sim::ones_sum({ip, ip_size}));
        ip[10] = static_cast<std::uint8_t>(header_sum >> 8);
        ip[11] = static_cast<std::uint8_t>(header_sum);
    }
    const auto folded = sim::fold(sim::ones_sum(message, sum));
    message[2] = static_cast<std::uint8_t>(folded >> 8);
    message[3] = static_cast<std::uint8_t>(folded);
    frame.insert(frame.end(), message.begin(), message.end());
    return frame;
}

/// One full segment of the client is in flight to the server.
struct InFlight : LaneStage {
    InFlight() {
        establish();
        client().sends(data(1, 1449));
        sent = server().expects(data(1, 1449));
    }
    void server_side_says(const Error& e) { deliver_raw(Side::server, frame_of(e, sent)); }
    Seen sent;
};

}  // namespace

STORY("pmtu: a segment that is too big for the path leaves again in pieces, and so does what follows",
      "[pmtu]") {
    InFlight lane;
    lane.server_side_says(too_big(Side::server, 1300));
    lane.server().expects(data(1, 1249));
    lane.server().expects(data(1249, 1449));
    lane.expect_count(Side::server, "path_mtu_lowered", 1);
    lane.client().expects_nothing();
    lane.server().sends(ack(1449));
    lane.client().expects(ack(1449));
    lane.client().sends(data(1449, 2897));
    lane.server().expects(data(1449, 2697));
    lane.server().expects(data(2697, 2897));
}

STORY("pmtu: no router may cut our segments (RFC 1191)", "[pmtu]") {
    InFlight lane;
    if (LaneStage::speaks_ipv6(Side::server)) return;  // nor can it
    constexpr std::size_t flags_at = 14 + 6;
    expect_equal((*lane.sent.frame)[flags_at], 0x40, "the don't-fragment bit, and no offset");
}

STORY("pmtu: towards the client as towards the server", "[pmtu]") {
    LaneStage lane;
    lane.establish();
    lane.server().sends(data(1, 1449));
    const auto sent = lane.client().expects(data(1, 1449));
    lane.deliver_raw(Side::client, frame_of(too_big(Side::client, 1300), sent));
    lane.client().expects(data(1, 1249));
    lane.client().expects(data(1249, 1449));
}

STORY("pmtu: the window is not halved: nothing was lost for congestion", "[pmtu]") {
    LaneStage lane;
    lane.establish();
    std::vector<Seg> burst;
    for (Position at = 1; at < 1 + 8 * 1448; at += 1448) burst.push_back(data(at, at + 1448));
    lane.client().sends_together(burst);
    const auto first = lane.server().expects(data(1, 1449));
    for (Position at = 1449; at < 1 + 8 * 1448; at += 1448) lane.server().expects(data(at, at + 1448));
    lane.deliver_raw(Side::server, frame_of(too_big(Side::server, 1300), first));
    for (Position at = 1; at < 1 + 8 * 1448; at += 1448) {
        lane.server().expects(data(at, at + 1248));
        lane.server().expects(data(at + 1248, at + 1448));
    }
}

STORY("pmtu: said again of the same segments, it changes nothing more", "[pmtu]") {
    InFlight lane;
    lane.server_side_says(too_big(Side::server, 1300));
    lane.server().ignores_rest();
    lane.server_side_says(too_big(Side::server, 1300));
    lane.server_side_says(too_big(Side::server, 1400));
    lane.server().expects_nothing();
    lane.expect_count(Side::server, "path_mtu_lowered", 1);
    lane.expect_count(Side::server, "icmp_error_noted", 2);
}

STORY("pmtu: no path is believed to carry less than the least that every link does", "[pmtu]") {
    InFlight lane;
    auto lie = too_big(Side::server, 0);
    lie.number = 68;
    lane.server_side_says(lie);
    const Position size = LaneStage::speaks_ipv6(Side::server) ? 1280 - 60 - 12 : 552 - 40 - 12;
    for (Position at = 1; at < 1449; at += size)
        lane.server().expects(data(at, std::min<Position>(at + size, 1449)));
}

STORY("pmtu: a router that does not say what fits makes us try the next size down", "[pmtu]") {
    InFlight lane;
    auto mute = too_big(Side::server, 0);
    mute.number = 0;
    lane.server_side_says(mute);
    // 1492 is the size below 1500, and below the 1520 of the story's port where that speaks IPv6.
    const Position size = LaneStage::speaks_ipv6(Side::server) ? 1492 - 60 - 12 : 1492 - 40 - 12;
    lane.server().expects(data(1, 1 + size));
    lane.server().expects(data(1 + size, 1449));
}

STORY("pmtu: after ten minutes the size of the handshake is tried again", "[pmtu]") {
    InFlight lane;
    lane.server_side_says(too_big(Side::server, 1300));
    lane.server().ignores_rest();
    lane.server().sends(ack(1449));
    lane.client().ignores_rest();
    for (int minute = 0; minute < 11; ++minute) {
        lane.after(60_s);
        lane.client().ignores_rest();
        lane.server().ignores_rest();
        lane.server().sends(ack(1449));
        lane.client().sends(ack(1));
    }
    lane.client().sends(data(1449, 1549));
    lane.server().expects(data(1449, 1549));
    lane.server().sends(ack(1549));
    lane.client().expects(ack(1549));
    lane.client().sends(data(1549, 2997));
    lane.server().expects(data(1549, 2997));
}

STORY("pmtu: an error about what is not in flight is a guess and changes nothing (RFC 5927)", "[pmtu]") {
    InFlight lane;
    lane.server().sends(ack(1449));
    lane.client().expects(ack(1449));
    lane.server_side_says(too_big(Side::server, 1300));  // acknowledged
    auto ahead = lane.sent;
    ahead.raw.seq = ahead.raw.seq + 100'000;
    lane.deliver_raw(Side::server, frame_of(too_big(Side::server, 1300), ahead));
    lane.expect_count(Side::server, "icmp_error_blind", 2);
    lane.client().sends(data(1449, 2897));
    lane.server().expects(data(1449, 2897));
}

STORY("pmtu: an error about no session of ours, or from an address that is not ours, is counted and dropped",
      "[pmtu]") {
    InFlight lane;
    auto other = lane.sent;
    other.raw.from.port = static_cast<std::uint16_t>(other.raw.from.port ^ 1);
    lane.deliver_raw(Side::server, frame_of(too_big(Side::server, 1300), other));
    lane.expect_count(Side::server, "icmp_error_unknown", 1);
    auto frame = frame_of(too_big(Side::server, 1300), lane.sent);
    frame.back() ^= 1;  // the checksum is wrong
    lane.deliver_raw(Side::server, frame);
    lane.server().expects_nothing();
    lane.expect_count(Side::server, "icmp_ignored", 1);
}

STORY("pmtu: a backend whose host refuses the port refuses the client at once", "[pmtu]") {
    LaneStage lane;
    lane.client().sends(syn());
    const auto sent = lane.server().expects(syn());
    lane.deliver_raw(Side::server, frame_of(host_unreachable, sent));
    lane.client().expects_nothing();
    lane.expect_count(Side::server, "icmp_error_noted", 1);
    auto guessed = sent;
    guessed.raw.seq = guessed.raw.seq + 1;
    lane.deliver_raw(Side::server, frame_of(port_unreachable, guessed));
    lane.client().expects_nothing();
    lane.deliver_raw(Side::server, frame_of(port_unreachable, sent));
    lane.client().expects(rst(0).ack(1));
    lane.expect_count(Side::server, "sessions_refused_backend", 1);
}

STORY("pmtu: what anybody says of its reachability ends no established session (RFC 5927)", "[pmtu]") {
    InFlight lane;
    lane.server_side_says(port_unreachable);
    lane.server_side_says(host_unreachable);
    lane.client().expects_nothing();
    lane.server().expects_nothing();
    lane.expect_count(Side::server, "icmp_error_noted", 2);
    lane.expect_view(proxy::View::terminated);
}

STORY("pmtu: an error of a kind that asks for nothing, like source quench, is dropped (RFC 9293)", "[pmtu]") {
    InFlight lane;
    const Error source_quench{4, 0, 100, 0};  // ICMPv6 has none: an error that nobody has defined
    lane.server_side_says(source_quench);
    lane.expect_count(Side::server, "icmp_ignored", 1);
    lane.client().sends(data(1449, 2897));
    lane.server().expects(data(1449, 2897));
}

STORY("pmtu: after a takeover the endpoint's retransmission is cut to what the path carries", "[pmtu]") {
    TakeoverStage lane;
    lane.take_over_and_probe();
    lane.server().sends(ack(1001).seq(501));
    lane.client().expects(ack(1001).seq(501));
    lane.client().sends(data(1001, 2449));
    const auto sent = lane.server().expects(data(1001, 2449));
    auto guessed = sent;
    guessed.raw.seq = guessed.raw.seq + 5000;
    lane.deliver_raw(Side::server, frame_of(too_big(Side::server, 1300), guessed));
    lane.expect_count(Side::server, "icmp_error_blind", 1);
    lane.deliver_raw(Side::server, frame_of(too_big(Side::server, 1300), sent));
    lane.server().expects_nothing();  // it is the client's to send again
    lane.client().sends(data(1001, 2449));
    lane.server().expects(data(1001, 2249));
    lane.server().expects(data(2249, 2449));
}
