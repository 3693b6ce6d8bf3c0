// Heartbeats from the wire at a guard: bytes as they come, or signed with the pair's key, or made such that
// the guard believes them.
//
//     steps: u8 what | ...
#include <cstring>
#include <optional>

#include "cores/guard/guard.hpp"
#include "tests/fuzz/target.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::literals;

namespace {

constexpr unsigned steps_max = 64;
constexpr std::uint64_t own_nonce = 77;
const std::array<std::uint8_t, 32> key{1, 2, 3};

Settings settings() {
    Settings s;
    s.key = key;
    s.boot_nonce = own_nonce;
    s.references = 1;
    return s;
}

class Program {
  public:
    explicit Program(fuzz::Input in) : in_(in), hmac_(key), guard_(settings(), now_) {}

    void run() {
        for (unsigned i = 0; i < steps_max && !in_.empty(); ++i) {
            step();
            require_lease();
        }
    }

  private:
    void step() {
        switch (in_.u8() % 8) {
            case 0: receive(in_.take(in_.u8())); break;
            case 1: receive(signed_bytes()); break;
            case 2:
            case 3: receive(believed()); break;
            case 4: pass(microseconds(100) * in_.u8()); break;
            case 5: pass(milliseconds(10) * in_.below(32)); break;
            case 6: world(); break;
            case 7: cycle(); break;
        }
    }

    // ---- heartbeats ----

    fuzz::Bytes sign(HeartbeatFrame f) const {
        const auto tag = hmac_.tag(std::span(f).first<heartbeat_signed_bytes>());
        std::copy(tag.begin(), tag.end(), f.begin() + heartbeat_signed_bytes);
        return {f.begin(), f.end()};
    }

    fuzz::Bytes signed_bytes() {
        HeartbeatFrame f{};
        const auto bytes = in_.take(heartbeat_signed_bytes);
        std::copy(bytes.begin(), bytes.end(), f.begin());
        std::memcpy(f.data(), "HFhb\1", 5);
        return sign(f);
    }

    /// The other node's, as it would say it; some of it is changed.
    fuzz::Bytes believed() {
        static constexpr State states[] = {State::boot,       State::syncing,   State::ready,   State::solo,
                                           State::protected_, State::suspended, State::resigned};
        static constexpr Role roles[] = {Role::booting, Role::standby, Role::standby, Role::active,
                                         Role::active,  Role::active,  Role::resigned};
        const auto what = in_.u8(), flags = in_.u8();
        Heartbeat h;
        h.node_id = 1;
        h.path = path_ = static_cast<Path>(flags % path_count);
        h.role = roles[what % 7];
        h.state = states[what % 7];
        h.able = (flags & 4) != 0;
        h.in_sync = (flags & 8) != 0;
        h.solo = (flags & 16) != 0;
        h.links = 7;
        h.term = h.role == Role::booting ? 0 : 1 + 2 * std::uint64_t{in_.u8()};
        h.known_term = (flags & 128) != 0 ? in_.u64() : h.term;
        h.boot_nonce = 1000 + (what >> 6);
        h.counter = ++peer_counter_;
        h.echo_nonce = own_nonce;
        h.echo_counter =
            heard_counter_ - std::min<std::uint64_t>(heard_counter_, (flags & 32) != 0 ? in_.u8() : 0);
        h.grant_counter = (flags & 64) != 0 ? h.echo_counter : 0;
        h.path_echo.fill(h.echo_counter);
        h.progress = {++peer_progress_, (what & 32) != 0 ? 1 : peer_progress_};
        h.lease_us = 30'000;
        h.margin_us = 10'000;
        HeartbeatFrame f;
        encode(h, hmac_, f);
        return {f.begin(), f.end()};
    }

    void receive(const fuzz::Bytes& bytes) {
        const fuzz::Exact exact(bytes);
        Heartbeat h;
        if (decode(exact.bytes(), hmac_, h) == Parsed::ok) {
            require_same_again(h);
            path_ = h.path;
        }
        guard_.heartbeat_received(path_, exact.bytes(), now_);
    }

    /// What was taken in is written alike: no two readings of a heartbeat.
    void require_same_again(const Heartbeat& h) const {
        HeartbeatFrame first, second;
        encode(h, hmac_, first);
        Heartbeat again;
        fuzz::require(decode(first, hmac_, again) == Parsed::ok, "what was decoded is refused when encoded");
        encode(again, hmac_, second);
        fuzz::require(first == second, "encoded twice, and not alike");
    }

    // ---- the rest of the world ----

    void pass(Duration span) {
        const auto end = now_ + span;
        for (unsigned cycles = 0; now_ < end; ++cycles) {
            cycle();
            fuzz::require(cycles < 10'000, "the guard's deadline never passes");
            const auto next = guard_deadline_;
            now_ = earlier(end, next <= now_ ? now_ + 100_us : next);
        }
    }

    void cycle() {
        if (moves_) inputs_.progress = {inputs_.progress[0] + 1, inputs_.progress[1] + 1};
        guard_.set_inputs(inputs_);
        const auto term = guard_.term();
        const auto& out = guard_.advance(now_);
        fuzz::require(guard_.term() >= term, "a term that goes back");
        for (std::size_t i = 0; i < out.heartbeat_count; ++i) heard(out.heartbeats[i].payload);
        if (out.term_to_persist && persists_) guard_.term_persisted(*out.term_to_persist);
        if (out.query_references && answers_) guard_.reference_answered(0, now_);
        guard_deadline_ = out.next_deadline;
    }

    /// Our own, as the other node reads it.
    void heard(const HeartbeatFrame& frame) {
        Heartbeat h;
        fuzz::require(decode(frame, hmac_, h) == Parsed::ok, "a heartbeat of ours that nobody would take");
        heard_counter_ = h.counter;
    }

    void world() {
        switch (in_.u8() % 10) {
            case 0: inputs_.standby_in_sync = !inputs_.standby_in_sync; break;
            case 1: inputs_.image_ready = !inputs_.image_ready; break;
            case 2: inputs_.link[in_.below(3)] = in_.flag(); break;
            case 3: persists_ = in_.flag(); break;
            case 4: answers_ = in_.flag(); break;
            case 5: guard_.vip_answered(now_); break;
            case 6: guard_.vip_probe_heard(now_); break;
            case 7: guard_.virtual_mac_heard(now_); break;
            case 8: guard_.resign(now_); break;
            case 9: moves_ = in_.flag(); break;
        }
    }

    // ---- what must hold ----

    /// R4: whatever was heard, a lease ends within L of now, and only an active node has one.
    void require_lease() const {
        const auto until = guard_.speak_until();
        fuzz::require(until <= now_ + settings().lease, "a lease that is longer than L");
        fuzz::require(now_ >= until || guard_.role() == Role::active, "a lease without the role");
    }

    fuzz::Input in_;
    Instant now_ = Instant{} + 1000_s;
    Hmac hmac_;
    Guard guard_;
    Inputs inputs_;
    Path path_ = Path::client;
    bool persists_ = true, answers_ = true, moves_ = true;
    std::uint64_t peer_counter_ = 0, peer_progress_ = 0, heard_counter_ = 0;
    Instant guard_deadline_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program(fuzz::Input(data, size)).run();
    return 0;
}
