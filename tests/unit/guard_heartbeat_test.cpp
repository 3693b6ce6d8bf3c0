// The heartbeat on the wire, and which heartbeats are believed.
#include <algorithm>
#include <string_view>

#include "cores/guard/heartbeat.hpp"
#include "cores/guard/peer.hpp"
#include "guard_stories.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::guard::test;

namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <std::size_t N>
std::string hex(const std::array<std::uint8_t, N>& bytes) {
    std::string text;
    for (const auto b : bytes) {
        text += "0123456789abcdef"[b >> 4];
        text += "0123456789abcdef"[b & 15];
    }
    return text;
}

std::vector<std::uint8_t> vector_of(const HeartbeatFrame& frame) { return {frame.begin(), frame.end()}; }

}  // namespace

TEST_CASE("hmac: the published vectors", "[guard]") {
    //= rfc4231#4.3: a key shorter than the digest
    CHECK(hex(Hmac(bytes_of("Jefe")).full(bytes_of("what do ya want for nothing?"))) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    //= rfc4231#4.6: truncated to 16 bytes
    const std::vector<std::uint8_t> key5(20, 0x0c);
    CHECK(hex(Hmac(key5).tag(bytes_of("Test With Truncation"))) == "a3b6167473100ee06e0c796c2955552b");
    //= rfc4231#4.7: a key longer than a block
    const std::vector<std::uint8_t> key6(131, 0xaa);
    CHECK(hex(Hmac(key6).full(bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("heartbeat: what is encoded is decoded", "[guard]") {
    const std::vector<std::uint8_t> key(32, 7);
    const Hmac hmac(key);
    Heartbeat h;
    h.node_id = 1;
    h.path = Path::mirror;
    h.role = Role::active;
    h.state = State::protected_;
    h.able = h.in_sync = h.solo = true;
    h.links = 5;
    h.term = 7;
    h.known_term = 0x1122334455667788;
    h.boot_nonce = 0xfedcba9876543210;
    h.counter = 3;
    h.echo_nonce = 4;
    h.echo_counter = 9;
    h.grant_counter = 8;
    h.path_echo = {6, 7, 9};
    h.progress = {10, 11};
    h.mirror_progress = 12;
    HeartbeatFrame frame;
    encode(h, hmac, frame);
    Heartbeat back;
    REQUIRE(decode(frame, hmac, back) == Parsed::ok);
    HeartbeatFrame again;
    encode(back, hmac, again);
    CHECK(frame == again);
    CHECK(back.known_term == h.known_term);
    CHECK(back.path_echo == h.path_echo);
    // The layout, as an older peer will meet it.
    CHECK(std::string_view(reinterpret_cast<const char*>(frame.data()), 4) == "HFhb");
    CHECK(frame[4] == 1);
    CHECK(frame[24] == 0x88);
    CHECK(frame[31] == 0x11);
    CHECK(frame[32] == 0x10);
    CHECK(frame[112] == 12);
}

TEST_CASE("heartbeat: every truncation and every flipped bit is refused", "[guard]") {
    const std::vector<std::uint8_t> key(32, 7);
    const Hmac hmac(key);
    Heartbeat h;
    h.boot_nonce = h.counter = 1;
    HeartbeatFrame frame;
    encode(h, hmac, frame);
    Heartbeat back;
    for (std::size_t size = 0; size < frame.size(); ++size)
        CHECK(decode(std::span(frame).first(size), hmac, back) == Parsed::malformed);
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
        frame[bit / 8] = static_cast<std::uint8_t>(frame[bit / 8] ^ 1u << bit % 8);
        CHECK(decode(frame, hmac, back) != Parsed::ok);
        frame[bit / 8] = static_cast<std::uint8_t>(frame[bit / 8] ^ 1u << bit % 8);
    }
    std::vector<std::uint8_t> padded = vector_of(frame);
    padded.resize(200, 0xee);
    CHECK(decode(padded, hmac, back) == Parsed::ok);
}

TEST_CASE("heartbeat: genuine but impossible contents are refused", "[guard]") {
    const std::vector<std::uint8_t> key(32, 7);
    const Hmac hmac(key);
    const auto refused = [&](auto change) {
        Heartbeat h;
        h.boot_nonce = h.counter = 1;
        change(h);
        HeartbeatFrame frame;
        encode(h, hmac, frame);
        Heartbeat back;
        return decode(frame, hmac, back) == Parsed::malformed;
    };
    CHECK_FALSE(refused([](Heartbeat&) {}));
    CHECK(refused([](Heartbeat& h) { h.node_id = 2; }));
    CHECK(refused([](Heartbeat& h) { h.path = static_cast<Path>(3); }));
    CHECK(refused([](Heartbeat& h) { h.role = static_cast<Role>(9); }));
    CHECK(refused([](Heartbeat& h) { h.state = State::solo; }));
    CHECK(refused([](Heartbeat& h) { h.boot_nonce = 0; }));
    CHECK(refused([](Heartbeat& h) { h.counter = 0; }));
    CHECK(refused([](Heartbeat& h) { h.grant_counter = 1; }));
    CHECK(refused([](Heartbeat& h) { h.term = 2; }));
    CHECK(refused([](Heartbeat& h) {
        h.role = Role::active, h.state = State::solo, h.term = h.known_term = 1;  // node 0 uses even terms
    }));
}

TEST_CASE("peer: candidates cannot push out the current incarnation", "[guard]") {
    Peer peer;
    Heartbeat h;
    h.node_id = 1;
    h.boot_nonce = 100;
    h.counter = 5;
    REQUIRE(peer.admit(h, true, Instant{1}) == Peer::Admission::newest);
    for (std::uint64_t nonce = 200; nonce < 300; ++nonce) {
        Heartbeat other = h;
        other.boot_nonce = nonce;
        CHECK(peer.admit(other, false, Instant{2}) == Peer::Admission::unproven);
    }
    CHECK(peer.nonce() == 100);
    CHECK(peer.next_echo(Instant{3}, 10_ms).nonce == 100);
    // Not heard for a while: it still gets its turn among them.
    bool turn = false;
    for (int i = 0; i < 5; ++i) turn |= peer.next_echo(Instant{0} + 10_ms, 10_ms).nonce == 100;
    CHECK(turn);
}

TEST_CASE("peer: a boot that is over is never taken again", "[guard]") {
    Peer peer;
    Heartbeat h;
    h.boot_nonce = 100;
    h.counter = 5;
    REQUIRE(peer.admit(h, true, Instant{1}) == Peer::Admission::newest);
    Heartbeat restarted = h;
    restarted.boot_nonce = 101;
    restarted.counter = 1;
    REQUIRE(peer.admit(restarted, true, Instant{2}) == Peer::Admission::newest);
    h.counter = 6;
    CHECK(peer.admit(h, true, Instant{3}) == Peer::Admission::replayed);
    CHECK(peer.nonce() == 101);
}

TEST_CASE("peer: counters grow per path, claims only forward", "[guard]") {
    Peer peer;
    Heartbeat h;
    h.boot_nonce = 100;
    h.counter = 5;
    CHECK(peer.admit(h, true, Instant{1}) == Peer::Admission::newest);
    CHECK(peer.admit(h, true, Instant{2}) == Peer::Admission::replayed);
    h.path = Path::server;
    CHECK(peer.admit(h, true, Instant{3}) == Peer::Admission::taken);
    CHECK(peer.heard_at() == Instant{1});
    h.path = Path::mirror;
    h.counter = 4;
    CHECK(peer.admit(h, true, Instant{4}) == Peer::Admission::taken);
    CHECK(peer.claim().counter == 5);
    h.counter = 6;
    CHECK(peer.admit(h, true, Instant{5}) == Peer::Admission::newest);
    CHECK(peer.heard_at() == Instant{5});
}

TEST_CASE("heartbeats that are forged, truncated, reflected or crossed change nothing but a counter",
          "[guard]") {
    Healthy w;
    std::vector<std::uint8_t> genuine;
    w.tap = [&](unsigned from, Path path, const HeartbeatFrame& f) {
        if (from == 0 && path == Path::client) genuine = vector_of(f);
    };
    w.run_for(20_ms);
    w.tap = {};
    REQUIRE(genuine.size() == heartbeat_bytes);
    auto forged = genuine;
    forged[16] ^= 0xff;
    auto cut = genuine;
    cut.resize(100);
    for (int i = 0; i < 100; ++i) {
        w.inject(1, Path::client, forged);
        w.inject(1, Path::client, cut);
        w.inject(1, Path::client, {});
        w.inject(1, Path::server, genuine);  // crossed
        w.inject(0, Path::client, genuine);  // reflected
        w.run_for(5_ms);
    }
    const Node& n = w.node(1);
    CHECK(n.counted(Counter::heartbeats_forged) == 100);
    CHECK(n.counted(Counter::heartbeats_malformed) == 200);
    CHECK(n.counted(Counter::heartbeats_misrouted) == 100);
    CHECK(w.node(0).counted(Counter::heartbeats_own_id) == 100);
    const auto told = std::count_if(n.log.begin(), n.log.end(),
                                    [](const Event& e) { return e.kind == EventKind::heartbeat_forged; });
    CHECK(told == 1);
    CHECK(w.healthy());
    CHECK(w.node(0).counted(Counter::lease_lapses) == 0);
}

TEST_CASE("a recording of the dead active does not keep the standby from taking over", "[guard]") {
    Healthy w;
    std::vector<std::pair<Path, std::vector<std::uint8_t>>> recording;
    w.tap = [&](unsigned from, Path path, const HeartbeatFrame& f) {
        if (from == 0) recording.emplace_back(path, vector_of(f));
    };
    w.run_for(500_ms);
    w.tap = {};
    w.kill(0);
    for (const auto& [path, frame] : recording)
        w.at(w.now() + Duration{w.random().between(0, 100'000'000)},
             [&w, path = path, frame = frame] { w.inject(1, path, frame); });
    CHECK(w.run_until([&] { return w.speaking(1); }, 46_ms));
    w.run_for(100_ms);
    CHECK(w.node(1).counted(Counter::heartbeats_replayed) == recording.size());
}

TEST_CASE("a recording that was never delivered is no proof of life once its echo is old", "[guard]") {
    Healthy w;
    // The path is cut, its frames are kept by somebody, and played when the node that sent them is dead.
    std::vector<std::vector<std::uint8_t>> kept;
    w.wire(0, Path::client).loss_per_million = 1'000'000;
    w.tap = [&](unsigned from, Path path, const HeartbeatFrame& f) {
        if (from == 0 && path == Path::client) kept.push_back(vector_of(f));
    };
    w.run_for(1500_ms);
    w.tap = {};
    w.kill(0);
    REQUIRE(w.run_until([&] { return w.speaking(1); }, 46_ms));
    w.run_for(1200_ms);
    for (const auto& frame : kept) w.inject(1, Path::client, frame);
    w.run_for(10_ms);
    CHECK(w.node(1).counted(Counter::heartbeats_unproven) >= kept.size());
    CHECK(w.guard(1).paths_heard(w.local(1, w.now())) == 0);
    CHECK(w.is(1, State::solo));
}

TEST_CASE("a recording of an earlier life of the peer does not wake a node that just booted", "[guard]") {
    Healthy w;
    std::vector<std::pair<Path, std::vector<std::uint8_t>>> recording;
    w.tap = [&](unsigned from, Path path, const HeartbeatFrame& f) {
        if (from == 0) recording.emplace_back(path, vector_of(f));
    };
    w.run_for(300_ms);
    w.tap = {};
    w.kill(0);
    w.kill(1);
    w.run_for(100_ms);
    w.start(1);
    for (std::size_t i = 0; i < recording.size(); ++i)
        w.at(w.now() + 1_ms * static_cast<std::int64_t>(i),
             [&w, r = recording[i]] { w.inject(1, r.first, r.second); });
    CHECK(w.run_until([&] { return w.speaking(1); }, w.settings().boot_wait + 60_ms));
    CHECK(w.node(1).counted(Counter::heartbeats_taken) == 0);
    // And the real one still gets through while the recording plays.
    w.start(0);
    CHECK(w.run_until([&] { return w.healthy(); }, 1_s));
    CHECK_FALSE(w.violation());
}
