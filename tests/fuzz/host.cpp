// What a process of gate host says, among sessions that open, grow and end, a link that fills up and goes
// down, and time.
//
//     steps: u8 what | ...
#include <array>
#include <vector>

#include "cores/app/host.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/memory_link.hpp"

using namespace holdfast;

namespace {

constexpr unsigned steps_max = 200;
constexpr std::uint32_t slots = 4;

/// The application core as its interface describes it, and what the process was told until now.
class Program final : private app::Channel {
  public:
    explicit Program(fuzz::Input in) : in_(in) {}

    void run() {
        for (unsigned i = 0; i < steps_max && !in_.empty(); ++i) {
            step();
            host_.advance(now_);
            for (std::uint32_t slot = 0; slot < slots; ++slot) serve(slot);
            read_frames(in_.u8() % 8);
        }
    }

  private:
    /// In this attachment: what frames of the link told the process.
    struct Told {
        bool open = false, end = false;
        std::uint32_t generation = 0;
        std::uint64_t given = 0;
    };
    struct Model {
        bool open = false, fin = false, end_told = false, end_committed = false, finished = false;
        std::uint32_t generation = 0;
        std::uint64_t received = 0, taken = 0, committed = 0, replied = 0, room = 0;
        Told process;
    };

    Model& of(SessionId id) {
        fuzz::require(
            id.slot < slots && sessions_[id.slot].open && sessions_[id.slot].generation == id.generation,
            "a call about a session that is not open");
        return sessions_[id.slot];
    }

    // ---- Channel ----
    void commit(SessionId id, app::Offset offset) override {
        auto& s = of(id);
        fuzz::require(offset > s.committed && offset <= s.taken, "a commit of what was not taken");
        s.committed = offset;
    }
    std::size_t reply(SessionId id, std::span<const std::uint8_t> bytes) override {
        auto& s = of(id);
        const auto n = s.finished ? 0 : std::min<std::uint64_t>(bytes.size(), s.room);
        s.room -= n;
        s.replied += n;
        return n;
    }
    std::size_t room(SessionId id) const override { return sessions_[id.slot].room; }
    app::Offset replied(SessionId id) const override { return sessions_[id.slot].replied; }
    void finish(SessionId id) override { of(id).finished = true; }
    void abort(SessionId id) override { close(id.slot); }
    // It keeps no state of its own.
    bool store(std::span<const std::uint8_t>) override { return false; }
    void retry(SessionId) override {}
    void deliver(SessionId id, app::Offset from) override {
        auto& s = of(id);
        fuzz::require(from >= s.committed && from <= s.received, "bytes are asked for that are not there");
        s.taken = from;
    }
    void commit_end(SessionId id) override {
        auto& s = of(id);
        fuzz::require(s.end_told && s.committed == s.received && !s.end_committed, "an end that is none");
        s.end_committed = true;
    }

    // ---- the application core's part ----
    void open(std::uint32_t slot, bool resumed) {
        auto& s = sessions_[slot];
        if (s.open) close(slot);
        const Model old = s;
        s = Model{};
        s.open = true;
        s.generation = old.generation + 1;
        s.room = in_.u8();
        s.process = old.process;
        const app::Opened opened{{slot, s.generation}, {}, {}};
        if (!resumed) return host_.opened(opened);
        s.received = s.taken = s.committed = in_.u8();
        s.replied = in_.u8();
        s.fin = s.end_told = s.end_committed = (in_.u8() & 1) != 0;
        host_.resumed({opened, s.committed, s.replied, s.end_told, false});
    }
    void close(std::uint32_t slot) {
        auto& s = sessions_[slot];
        if (!s.open) return;
        s.open = false;
        host_.closed({slot, s.generation});
    }
    void serve(std::uint32_t slot) {
        static const std::vector<std::uint8_t> bytes(1u << 16, 'x');
        auto& s = sessions_[slot];
        const SessionId id{slot, s.generation};
        while (s.open && s.taken < s.received) {
            const auto size = std::min<std::uint64_t>(s.received - s.taken, 1448);
            const auto n = host_.receive(id, s.taken, std::span(bytes).first(size));
            fuzz::require(n <= size, "more was taken than given");
            s.taken += n;
            if (n == 0) break;
        }
        if (!s.open || !s.fin || s.end_told || s.taken != s.received) return;
        s.end_told = true;
        host_.end_of_stream(id, s.received);
    }

    // ---- the process's part ----
    void read_frames(unsigned n) {
        for (; n > 0; --n) {
            const auto bytes = process_.next();
            if (bytes.empty()) return;
            const auto frame = host::read(bytes);
            fuzz::require(frame.has_value(), "what the appliance says is no frame");
            take(*frame);
        }
    }
    void take(const host::Frame& f) {
        if (f.kind == host::Kind::welcome) {
            attachment_ = f.attachment;
            for (auto& s : sessions_) s.process = Told{};
        }
        if (f.kind < host::Kind::opened || f.kind > host::Kind::closed || f.attachment != attachment_) return;
        fuzz::require(f.session.slot < slots, "a slot that is none");
        auto& p = sessions_[f.session.slot].process;
        if (f.kind == host::Kind::opened) {
            fuzz::require(!p.open || p.generation != f.session.generation, "a session is opened twice");
            p.open = true;
            p.end = false;
            p.generation = f.session.generation;
            p.given = f.offset;
            return;
        }
        fuzz::require(p.open && p.generation == f.session.generation, "a session that was not opened");
        if (f.kind == host::Kind::closed) p.open = false;
        if (f.kind == host::Kind::end) {
            fuzz::require(f.offset == p.given && !p.end, "an end that is not behind the bytes");
            p.end = true;
        }
        if (f.kind != host::Kind::data) return;
        fuzz::require(f.offset == p.given, "bytes out of order");
        p.given += f.bytes.size();
    }
    void say(std::uint8_t how) {
        auto& s = sessions_[in_.u8() % slots];
        const auto slot = static_cast<std::uint32_t>(&s - sessions_.data());
        host::Frame f{host::Kind::answer, in_.u8(),        attachment_, {slot, s.generation},
                      s.replied,          s.process.given, {}};
        const auto size = in_.below(256);
        const auto bytes = in_.take(size);
        f.bytes = bytes;
        if ((how & 1) != 0) f.kind = static_cast<host::Kind>(1 + in_.u8() % 12);
        if ((how & 2) != 0) f.offset += in_.u8() - 128u;
        if ((how & 4) != 0) f.second += in_.u8() - 128u;
        if ((how & 8) != 0) f.session = {in_.u32(), in_.u32()};
        if ((how & 16) != 0) f.attachment += in_.u8() - 128u;
        std::vector<std::uint8_t> frame(host::frame_max);
        frame.resize(host::write(f, frame));
        cable_.frames[0].push_back(std::move(frame));
    }

    void step() {
        const auto what = in_.u8();
        const auto slot = static_cast<std::uint32_t>(what >> 6);
        auto& s = sessions_[slot];
        switch (what % 13) {
            case 0: cable_.frames[0].push_back(in_.take(in_.u8())); break;
            case 1:
            case 2:
            case 3: say(in_.u8()); break;
            case 4: open(slot, (what & 16) != 0); break;
            case 5: close(slot); break;
            case 6:
                if (s.open && !s.fin) s.received += in_.u32() % 20'000;
                break;
            case 7: s.fin = s.open; break;
            case 8: now_ = now_ + milliseconds(in_.u8()) * 8; break;
            case 9: cable_.up ? cable_.cut() : void(cable_.up = true); break;
            case 10: cable_.frames_max = 1 + in_.u8() % 16; break;
            case 11: hello(); break;
            case 12:
                s.room += in_.u8();
                if (s.open) host_.writable({slot, s.generation});
                break;
        }
    }
    void hello() {
        cable_.up = true;
        std::vector<std::uint8_t> frame(host::frame_max);
        frame.resize(host::write({host::Kind::hello, 0, 0, {}, host::protocol_version, 0, {}}, frame));
        cable_.frames[0].push_back(std::move(frame));
    }

    fuzz::Input in_;
    Instant now_ = Instant{} + seconds(1000);
    test::Cable cable_;
    test::MemoryLink appliance_{cable_, 0}, process_{cable_, 1};
    app::HostCounters counters_;
    proxy::HostCell cell_;
    std::array<Model, slots> sessions_{};
    std::uint32_t attachment_ = 0;
    app::Host host_{{*this, appliance_, counters_, cell_, slots, milliseconds(1000)}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program(fuzz::Input(data, size)).run();
    return 0;
}
