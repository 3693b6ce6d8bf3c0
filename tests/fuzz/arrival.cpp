// Segments at the two cores of a lane: the input is a small program, played on the stage of the packet
// stories.
//
//     u8 how it begins | u8 what there is little of | steps
//
// The ends begin honest, and everything that the stage checks for stories is checked (R1, R3, windows,
// timestamps). A lying ACK ends the checks that trust the ends' words, a damaged frame all but those of form.
#include <cstring>
#include <memory>

#include "tests/fuzz/target.hpp"
#include "tests/script/takeover_stage.hpp"
#include "tests/support/frame_bytes.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace holdfast::script {

// What a story's program does with a departure: here it is a finding.
void depart(const std::string& what, const Where&) { throw Departure(what); }
void depart_at_end(const std::string& what) { fuzz::require(false, what.c_str()); }

}  // namespace holdfast::script

namespace {

constexpr unsigned steps_max = 64, conversations_max = 3;
/// Within this distance of the truth segments make sense to somebody.
constexpr Position far_away = Position{1} << 29;

LaneOptions lane_options(std::uint8_t begin, std::uint8_t little) {
    LaneOptions o;
    o.mbufs = 255;
    o.standby_connected = (begin & 4) != 0;
    o.gate = (begin & 64) != 0 ? Gate::none : Gate::peer;
    o.exact_frames = (begin & 128) != 0;
    // A ring of size 2 holds one.
    if ((little & 1) != 0) o.limits.ring = 2;
    if ((little & 2) != 0) o.mbufs = 63;
    if ((little & 4) != 0) o.tcp.hold_sack = false;
    if ((little & 8) != 0) o.server_mtu = 9000;
    if ((little & 16) != 0) o.limits.session_bytes = 4096;
    if ((little & 32) != 0) o.store_wait = 0_ms;
    if ((little & 64) != 0) o.limits.sessions = 2;
    return o;
}

class Program {
  public:
    explicit Program(fuzz::Input in) : in_(in) {}

    void run() {
        begin();
        for (unsigned i = 0; i < steps_max && !in_.empty(); ++i) {
            step();
            forget_what_came();
        }
        end();
    }

  private:
    void begin() {
        const auto begin = in_.u8(), little = in_.u8();
        if ((begin & 2) != 0) {
            Past past;
            past.established = past.progress = (begin & 1) == 0;
            past.timestamps = (begin & 16) == 0;
            past.gate = (begin & 64) != 0 ? Gate::none : Gate::peer;
            auto stage = std::make_unique<TakeoverStage>(past, lane_options(begin, little));
            takeover_ = stage.get();
            stage_ = std::move(stage);
        } else {
            stage_ = std::make_unique<LaneStage>(lane_options(begin, little));
            for (auto* end : {&stage_->client(), &stage_->server()}) {
                end->offer.timestamps = (begin & 16) == 0;
                end->offer.sack = (begin & 32) == 0;
            }
            if ((little & 128) != 0) stage_->client().offer.mss = 100;
        }
        stage_->ignore_rest();
        stage_->ignore_strangers();
        if ((begin & 3) == 0) open(stage_->main());
    }

    void open(Conversation& c) {
        c.client.sends(syn());
        c.server.sends(syn_ack());
        c.client.sends(ack(1));
    }

    void forget_what_came() {
        for (auto& c : stage_->conversations()) {
            c.client.ignores_rest();
            c.server.ignores_rest();
        }
    }

    // ---- steps ----

    void step() {
        const auto what = in_.u8();
        // The high bits choose the side and, where there are several, the conversation.
        auto& c = stage_->conversations()[(what >> 4) % stage_->conversations().size()];
        side_ = (what & 0x80) != 0 ? Side::server : Side::client;
        auto& end = side_ == Side::client ? c.client : c.server;
        const auto& far = side_ == Side::client ? c.server : c.client;
        switch (what & 15) {
            case 0:
            case 1:
            case 2:
            case 3:
            case 4: send(end, 1); break;
            case 5: send(end, 1 + in_.below(4)); break;
            case 6: acknowledge(end); break;
            case 7: pass_time(); break;
            case 8: hold_mbufs(); break;
            case 9: serve_standby(); break;
            case 10: guard_decides(); break;
            case 11: damage(end, far); break;
            case 12: open_another(); break;
            case 13: handshake(c); break;
            case 14:
                acknowledge(c.client);
                acknowledge(c.server);
                break;
            case 15: stage_->after(20_ms); break;
        }
    }

    /// A position near one that matters to `end`, as its own data or, `acked`, as what it acknowledges.
    Position near(const Peer& end, bool acked) {
        const auto& k = end.knows();
        const Position places[] = {acked ? k.heard_end : k.sent, acked ? k.acked : k.heard_ack,
                                   acked ? k.heard_end : k.heard_edge, acked ? k.acked : k.sent};
        const auto how = in_.u8();
        const auto size = static_cast<std::int64_t>(in_.u8()) << (how >> 3 & 7);
        const auto at = static_cast<std::int64_t>(places[how & 3]) + ((how & 4) != 0 ? -size : size);
        if ((how & 0xc0) == 0xc0) return static_cast<Position>(std::max<std::int64_t>(at, 1)) + far_away;
        return static_cast<Position>(
            std::max<std::int64_t>((how & 0xc0) != 0 ? at : static_cast<std::int64_t>(places[how & 3]), 1));
    }

    Seg segment(const Peer& end) {
        static constexpr std::uint16_t sizes[] = {0, 1, 2, 63, 100, 536, 1448, 1460};
        Seg s;
        const auto flags = in_.u8(), more = in_.u8();
        const auto begin = near(end, false);
        s = data(begin, begin + sizes[flags & 7]);
        if ((flags & 0x18) == 0x18) s.fin();
        if ((flags & 0x60) == 0x60) s.flags = flag::rst | ((flags & 0x80) != 0 ? flag::ack : 0);
        if ((more & 1) != 0) acks(end, s);
        open_window(end, s, more & 6);
        if ((more & 8) != 0) sack_blocks(end, s);
        if ((more & 0x30) == 0x30) s.ts(end.ts_now() + in_.u32());
        if ((more & 0x50) == 0x50) s.no_timestamps();
        if ((more & 0x90) == 0x90) s.flags |= flag::urg;
        return s;
    }

    /// `how`: 0 as ever, 2 any, 4 closed, 6 any and large. What was granted stays granted, or the end lies.
    void open_window(const Peer& end, Seg& s, int how) {
        const auto& k = end.knows();
        const auto at = s.acks.value_or(k.acked);
        const Position usual = how == 0   ? end.default_window
                               : how == 4 ? 0
                                          : in_.u16() * (how == 6 ? 64u : 1u);
        edge_ = std::max(edge_, k.edge);
        const auto granted = at < edge_ ? edge_ - at : 0;
        const bool shrinks = usual < granted && at >= k.acked;
        if (shrinks && how == 2 && in_.below(8) == 0) stage_->trust_nobody();
        else if (shrinks) return void(s.window(granted));
        s.window(usual);
        edge_ = std::max(edge_, at + usual);
    }

    void acks(const Peer& end, Seg& s) {
        const auto at = near(end, true);
        s.ack(at);
        // Bytes that never came: this end lies.
        if (at > end.knows().heard_end) stage_->trust_nobody();
    }

    void sack_blocks(const Peer& end, Seg& s) {
        for (auto n = 1 + in_.below(3); n-- > 0;) {
            const auto from = near(end, true);
            s.sack(from, from + in_.u16());
        }
    }

    void send(Peer& end, unsigned count) {
        if (!end.knows().synchronized) return;
        std::vector<Seg> burst;
        edge_ = 0;
        for (; count > 0; --count) burst.push_back(segment(end));
        bounded(static_cast<unsigned>(burst.size()), [&] { end.sends_together(burst); });
    }

    /// All that came, at once: what an honest end does.
    void acknowledge(Peer& end) {
        if (!end.knows().synchronized) return;
        auto s = ack(std::max<Position>(1, end.knows().heard_end));
        edge_ = 0;
        open_window(end, s, 0);
        bounded(1, [&] { end.sends(s); });
    }

    void pass_time() {
        static constexpr Duration spans[] = {100_us, 1_ms, 5_ms, 40_ms, 200_ms, 1_s, 5_s, 65_s};
        stage_->after(spans[in_.below(8)]);
    }

    /// The pools of both ports may run dry, and are filled again.
    void hold_mbufs() {
        const auto n = in_.u8();
        auto& pool = stage_->pool(side_);
        while (!held_.empty()) {
            rte_pktmbuf_free(held_.back());
            held_.pop_back();
        }
        const auto free = pool.size() - pool.in_use();
        for (auto want = n < 8 ? 0 : free - std::min<unsigned>(free, 255u - n); want > 0; --want)
            if (auto* m = rte_pktmbuf_alloc(pool.get())) held_.push_back(m);
        stage_->settle();
    }

    void serve_standby() {
        switch (in_.below(6)) {
            case 0: stage_->connect_standby(); break;
            case 1: stage_->disconnect_standby(); break;
            case 2: stage_->standby.confirms = false; break;
            case 3:
                stage_->standby.confirms = true;
                stage_->confirm_all();
                break;
            case 4: stage_->set_in_sync(false); break;
            case 5: stage_->set_in_sync(true); break;
        }
        stage_->settle();
    }

    void guard_decides() {
        switch (in_.below(9)) {
            case 0:
            case 1:
            case 2: stage_->become_active(++term_); break;
            case 3: stage_->retake(); break;
            case 4: stage_->set_lease(stage_->time()); break;
            case 5: stage_->set_lease(stage_->time() + 100_ms); break;
            case 6: stage_->set_lease(3600_s * 24); break;
            case 7: stage_->drop_table(); break;
            case 8: hint(); break;
        }
    }

    /// The mirror tells more of the past, later or again.
    void hint() {
        if (takeover_ == nullptr) return;
        auto hints = takeover_->hints_of(stage_->record(), stage_->main(), {});
        for (auto& h : hints) h.version += in_.below(3);
        takeover_->hint(hints);
    }

    void open_another() {
        // The stage gives a new connection to the oldest client without one.
        const auto& all = stage_->conversations();
        if (all.size() >= conversations_max || !all.back().server_bound) return;
        bounded(3, [&] { open(stage_->another()); });
    }

    /// Pieces of a handshake, in any order.
    void handshake(Conversation& c) {
        switch (in_.below(4)) {
            case 0:
                if (!c.client.knows().synchronized) c.client.sends(syn());
                break;
            case 1:
                if (c.server_bound) c.server.sends(syn_ack());
                break;
            case 2:
                if (c.client.knows().synchronized) c.client.sends(ack(1));
                break;
            case 3:
                stage_->judge_form_only();
                c.client.sends(in_.flag() ? syn() : syn().ack(1));
                break;
        }
    }

    /// A segment near the truth, with bytes changed; checksums are made good or not.
    void damage(const Peer& end, const Peer& far) {
        stage_->judge_form_only();
        sim::Segment raw;
        raw.from_mac = end.mac();
        raw.to_mac = LaneStage::virtual_mac(side_);
        raw.from = end.local();
        raw.to = side_ == Side::client ? LaneStage::service() : end.knows().other;
        raw.seq = to_seq(end.isn(), near(end, false));
        raw.ack = to_seq(end.knows().other_isn, near(end, true));
        raw.flags = in_.u8();
        raw.window = in_.u16();
        if (in_.flag()) raw.options.timestamps = {end.ts_now(), far.ts_now()};
        const auto payload = in_.take(in_.below(64));
        raw.payload = payload;
        auto frame = sim::write_segment(raw);
        const auto how = in_.u8();
        for (auto n = how & 7; n > 0; --n) {
            const std::size_t at = in_.u8();
            if (at < frame.size()) frame[at] = in_.u8();
        }
        const auto total = test::get16(frame, test::at_ip + 2);
        if ((how & 8) != 0 && total >= 40 && test::at_ip + total <= frame.size()) test::seal(frame);
        if ((how & 16) != 0) frame.resize(frame.size() - std::min<std::size_t>(frame.size(), in_.u8()));
        bounded(1, [&] { stage_->deliver_raw(side_, frame); });
    }

    // ---- what must hold ----

    /// A segment may free all that waits, cut into the smallest segments there are, and no more than that.
    template <class Act>
    void bounded(unsigned arriving, Act act) {
        constexpr std::uint64_t answers = 8, cuts = 2048 / 64 + 1;
        const auto before = stage_->frames_sent(), held = stage_->held_mbufs();
        act();
        fuzz::require(stage_->frames_sent() - before <= answers * arriving + cuts * (held + arriving),
                      "one segment came, and a flood left");
    }

    /// The ends fall silent for a while, then the table is dropped: nothing is held any more.
    void end() {
        in_ = fuzz::Input(nullptr, 0);
        hold_mbufs();
        stage_->standby.confirms = true;
        stage_->confirm_all();
        stage_->set_lease(3600_s * 24 * 365);
        stage_->after(3_s);
        forget_what_came();
        stage_->drop_table();
        stage_->after(1_s);
        fuzz::require(stage_->held_mbufs() == 0, "mbufs are held without a session");
    }

    fuzz::Input in_;
    std::unique_ptr<LaneStage> stage_;
    TakeoverStage* takeover_ = nullptr;
    Side side_ = Side::client;
    Position edge_ = 0;  ///< right edge that the burst at hand has granted
    std::uint64_t term_ = 1;
    std::vector<rte_mbuf*> held_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Program program(fuzz::Input(data, size));
    try {
        program.run();
    } catch (const Departure& departure) {
        fuzz::require(false, departure.what());
    }
    return 0;
}
