// A standby's or an active's end of the mirror: the node handshake, records into a lane whose sessions are
// then taken over, and segments of anybody at the mirror port.
//
//     u8 bit 0: our end is the active's | steps
//
// The other end is a Link of its own, so that bytes arrive as a stream; what it says is the input's.
#include <cstring>
#include <memory>

#include "cores/protocol/mirror_core.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/script/takeover_stage.hpp"
#include "tests/support/frame_bytes.hpp"
#include "tests/support/mirror_end.hpp"
#include "tests/support/records.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace holdfast::script {

void depart(const std::string& what, const Where&) { throw Departure(what); }
void depart_at_end(const std::string& what) { fuzz::require(false, what.c_str()); }

}  // namespace holdfast::script

namespace {

constexpr unsigned steps_max = 64;

class Program {
  public:
    Program(fuzz::Input in, bool active) : in_(in), active_(active) {
        role(active_ ? proxy::Role::active : proxy::Role::standby);
        them_.link.listen(!active_);
        pass(200_ms);
        if (active_) them_.link.connect(now());
        pump();
    }

    void run() {
        for (unsigned i = 0; i < steps_max && !in_.empty(); ++i) step();
        end();
    }

    /// What a standby says of its configuration.
    std::uint64_t configuration() {
        const auto d = mirror::decode(them_.link.readable());
        const auto* h = std::get_if<mirror::Hello>(&d.record);
        fuzz::require(d.verdict == mirror::Decoded::Verdict::complete && h != nullptr, "no hello came");
        return h->configuration;
    }

  private:
    Instant now() const { return stage_.now(); }

    void step() {
        const auto what = in_.u8();
        switch (what & 15) {
            case 0: say(in_.take(in_.u8())); break;
            case 1:
            case 2: say(record(hello())); break;
            case 3: say(record(mirror::EpochStart{journal_of(side(what)), in_.u8()})); break;
            case 4:
            case 5:
                say(record(mirror::Opened{sequence(), stage_.record_of(in_.below(4), stage_.main(), {})}));
                break;
            case 6: {
                const auto r = stage_.record_of(in_.below(4), stage_.main(), {});
                say(record(
                    mirror::Progress{sequence(), stage_.hints_of(r, stage_.main(), {})[(what >> 4) & 1]}));
                break;
            }
            case 7: say(record(mirror::Closed{sequence(), {{in_.below(4), 1}, in_.u8()}})); break;
            case 8: say(record(mirror::SnapshotEnd{journal_of(side(what)), sequence()})); break;
            case 9: say(record(mirror::Confirm{{in_.u8(), in_.u8()}, in_.u8()})); break;
            case 10: say(record(mirror::Refused{static_cast<mirror::Refusal>(in_.u8() % 8)})); break;
            case 11: pass(milliseconds(1) * in_.u8()); break;
            case 12: pass(milliseconds(50) * in_.u8()); break;
            case 13: segment(); break;
            case 14: reconnect(); break;
            case 15: ends_speak(); break;
        }
        pump();
    }

    static Side side(std::uint8_t what) { return (what & 16) != 0 ? Side::server : Side::client; }
    std::uint64_t sequence() { return ++sequence_; }

    mirror::Hello hello() {
        mirror::Hello h;
        h.node_id = 1;
        h.is_active = active_ ? 0 : 1;
        h.slots = stage_.config().limits.sessions;
        h.term = 1;
        h.configuration = known_configuration();
        h.incarnation = 5;
        h.shared_clock_ns = now().ns;
        return h;
    }
    static std::uint64_t known_configuration() {
        static const std::uint64_t known = Program(fuzz::Input(nullptr, 0), false).configuration();
        return known;
    }

    /// The record's bytes, some of them changed, with a good CRC.
    fuzz::Bytes record(const mirror::Record& r) {
        fuzz::Bytes bytes(mirror::record_size_max);
        bytes.resize(mirror::encode(r, bytes));
        auto changes = in_.u8();
        for (changes = changes < 128 ? 0 : changes & 7; changes > 0; --changes) {
            const auto at = 2 + in_.u8() % (bytes.size() - 6);
            bytes[at] = in_.u8();
        }
        const auto crc = test::crc32c(std::span(bytes).subspan(2, bytes.size() - 6));
        for (unsigned i = 0; i < 4; ++i)
            bytes[bytes.size() - 4 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
        return bytes;
    }

    void say(const fuzz::Bytes& bytes) {
        them_.link.write(bytes, now());
        them_.link.flush(now());
    }

    /// Anybody's segment at the mirror port, near the truth or not.
    void segment() {
        sim::Segment s;
        const auto how = in_.u8();
        s.from_mac = test::mirror_macs[1];
        s.to_mac = test::mirror_macs[0];
        s.from = {(how & 1) != 0 ? test::mirror_addresses[1] : *IpAddress::parse("10.9.0.77"),
                  last_.from.port};
        s.to = {test::mirror_addresses[0], last_.to.port};
        if ((how & 2) != 0) s.from.port = s.to.port = test::mirror_port;
        s.seq = last_.seq + (last_.length() + in_.u16() - ((how & 4) != 0 ? 0u : 32768u));
        s.ack = last_.ack + (in_.u16() - ((how & 8) != 0 ? 0u : 32768u));
        if ((how & 16) != 0) s.seq = last_.seq, s.ack = last_.ack;
        s.flags = in_.u8() & 0x3f;
        s.window = in_.u16();
        if ((how & 32) != 0) s.options.timestamps = {in_.u32(), in_.u32()};
        if ((how & 64) != 0) s.options.mss = in_.u16(), s.options.window_scale = in_.u8();
        const auto payload = in_.take(in_.u8());
        s.payload = payload;
        us_.receive(sim::write_segment(s), now());
    }

    void reconnect() {
        them_.link.close(now());
        pump();
        if (active_) them_.link.connect(now());
    }

    /// The sessions' own ends speak; this node may have taken them over before.
    void ends_speak() {
        switch (in_.below(4)) {
            case 0: role(proxy::Role::active); break;
            case 1: stage_.client().sends(ack(stage_.down())); break;
            case 2: stage_.server().sends(ack(stage_.up())); break;
            case 3: stage_.client().sends(data(stage_.up(), stage_.up() + 100)); break;
        }
        stage_.client().ignores_rest();
        stage_.server().ignores_rest();
    }

    void role(proxy::Role role) {
        if (role == proxy::Role::active) stage_.become_active(++term_);
        mirror_.set_role(role, term_, true, now());
    }

    // ---- the wire ----

    void pump() {
        for (unsigned round = 0;; ++round) {
            fuzz::require(round < 2000, "two ends that never come to rest");
            const auto work = mirror_.advance(now());
            stage_.settle();
            them_.link.consume(keeps_input_ ? 0 : them_.link.readable().size());
            them_.link.advance(now());
            them_.link.flush(now());
            const auto to_us = them_.transmit(), to_them = us_.transmit();
            for (const auto& f : to_us) {
                note(f);
                us_.receive(f, now());
            }
            for (const auto& f : to_them) them_.receive(f, now());
            if (work == 0 && to_us.empty() && to_them.empty()) break;
        }
        for (Event e; events_.pop(e);) {
        }
    }

    /// The latest segment of the true other end, which others may imitate.
    void note(const sim::Bytes& frame) {
        std::string fault;
        if (auto s = sim::read_segment(frame, fault)) {
            last_ = *s;
            last_.payload = {};
        }
    }

    void pass(Duration span) {
        const auto end = now() + span;
        for (unsigned round = 0; now() < end; ++round) {
            fuzz::require(round < 20'000, "a deadline that never passes");
            const auto next = earlier(mirror_.next_deadline(), them_.link.next_deadline());
            const auto at = next <= now() ? now() + 100_us : earlier(end, next);
            stage_.after(at - now());
            us_.advance(now());
            them_.advance(now());
            pump();
        }
    }

    /// Taken over as it is, and then dropped.
    void end() {
        in_ = fuzz::Input(nullptr, 0);
        role(proxy::Role::active);
        stage_.after(3_s);
        stage_.client().ignores_rest();
        stage_.server().ignores_rest();
        stage_.drop_table();
        stage_.after(1_s);
        fuzz::require(stage_.held_mbufs() == 0, "mbufs are held without a session");
        mirror_.drop_image(now());
        pump();
        fuzz::require(us_.held_mbufs() == us_.mbufs_in_use(), "mbufs are held by nobody");
    }

    fuzz::Input in_;
    bool active_;
    bool keeps_input_ = in_.empty();
    struct Stage : TakeoverStage {
        Stage() : TakeoverStage({}, options()) {
            ignore_rest();
            ignore_strangers();
            judge_form_only();
        }
        static LaneOptions options() {
            LaneOptions o;
            o.mbufs = 255;
            return o;
        }
    } stage_;
    tcp::Secrets secrets_{stage_.config().key};
    test::MirrorEnd us_{0, secrets_}, them_{1, secrets_};
    Ring<Event> events_{unique_name(), 64, SOCKET_ID_ANY};
    protocol::MirrorCore mirror_{stage_.config(), 1, stage_.lane(), us_.link, us_.counters, events_};
    std::uint64_t term_ = 1, sequence_ = 0;
    sim::Segment last_;

    static std::string unique_name() {
        static unsigned number = 0;
        return "fz" + std::to_string(number++);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input in(data, size);
    const bool active = in.flag();
    if (in.empty()) return 0;
    try {
        Program(in, active).run();
    } catch (const Departure& departure) {
        fuzz::require(false, departure.what());
    }
    return 0;
}
