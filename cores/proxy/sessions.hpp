// All sessions of one side of a lane: the legs that this core serves, from SYN to quarantine, from mirror to
// takeover. The class is one, its work is split by noun:
//
//     sessions.cpp           tables, dispatch, timers      sessions_open.cpp       handshakes
//     sessions_relay.cpp     terminated mode               sessions_translate.cpp  translated mode, anchoring
//     sessions_takeover.cpp  install, takeover, probes     sessions_close.cpp      ends and quarantine
//     sessions_journal.cpp   records for the mirror        sessions_connect.cpp    towards a backend
//     sessions_health.cpp    checks of backends            sessions_prefix.cpp     the PROXY header
//     sessions_cookie.cpp    SYN cookies             sessions_ahead.cpp      what waits above a hole
//     sessions_app.cpp       with an application at the far end
//     sessions_payload.cpp   payload for the mirror  sessions_held.cpp      payload from it, after a takeover
//     sessions_stored.cpp    gate standby            sessions_entrusted.cpp  the same alone
//     sessions_resume.cpp    and after a takeover
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "cores/proxy/admission.hpp"
#include "cores/proxy/backends.hpp"
#include "cores/proxy/counters.hpp"
#include "cores/proxy/entrusted_queue.hpp"
#include "cores/proxy/health_check.hpp"
#include "cores/proxy/lane.hpp"
#include "cores/proxy/leg.hpp"
#include "cores/proxy/payload_journal.hpp"
#include "cores/proxy/payload_store.hpp"
#include "cores/proxy/stored_gate.hpp"
#include "lib/base/random.hpp"
#include "lib/report/event.hpp"
#include "lib/table/flow_table.hpp"
#include "lib/timer/wheel.hpp"
#include "lib/wire/proxy_header.hpp"

namespace holdfast::proxy {

/// What the sessions of one side are made from; references outlive them.
struct SessionsSettings {
    Side side{};
    const Config& config;
    Lane& lane;
    net::Interface& net;
    tcp::TcpCounters& tcp_counters;
    ProxyCounters& counters;
    const tcp::Secrets& secrets;
    std::string name_prefix;
    int socket = -1;
    std::uint64_t seed = 1;
    std::uint32_t lane_mbufs = 0;  ///< mbufs that all legs of a core may hold together
    Instant now{};
};

/// How long a tuple stays quarantined after a reset: long enough to answer challenge ACKs.
inline constexpr Duration reset_quarantine = seconds(2);

/// A session that has fallen silent after a takeover is asked again after this time.
inline constexpr Duration ask_again_after_takeover = seconds(5);

class Sessions {
  public:
    explicit Sessions(const SessionsSettings& settings);
    ~Sessions();

    /// TCP segments of one burst, parsed; takes ownership of the packets.
    void receive(std::span<wire::Frame> frames, std::span<rte_mbuf*> packets, Instant now);
    /// An ICMP error about a segment from one of our addresses; believed only if that segment may be in
    /// flight.
    void icmp_error(const wire::IcmpError& error, Instant now);
    /// Rings, cells and timers. Returns how much there was to do.
    std::uint32_t advance(Instant now);
    Instant next_deadline() const;
    std::uint32_t count() const { return used_; }
    std::uint64_t held_mbufs() const;

  private:
    using Message = proxy::Message;
    /// Initial sequence numbers of a client leg.
    struct Numbers {
        SeqNum irs, iss;
    };
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;

    // sessions.cpp
    void set_now(Instant now);
    bool is_client() const { return s_.side == Side::client; }
    LegCell& cell(std::uint32_t slot) { return s_.lane.cells[index(s_.side)][slot]; }
    LegCell& other_cell(std::uint32_t slot) { return s_.lane.cells[index(other(s_.side))][slot]; }
    SessionRecord& record(std::uint32_t slot) { return s_.lane.records[slot]; }
    Leg* leg_of(SessionId id);
    SessionId id_of(std::uint32_t slot) const { return {slot, legs_[slot].generation}; }
    Instant shared_now() const;
    bool send_message(Message m);
    void post(std::uint32_t slot, MessageKind kind);
    void send_pending(std::uint32_t slot);
    void try_again(std::uint32_t slot);
    std::uint32_t sending_mbufs(std::uint32_t slot) const {
        const auto waiting = payload_ ? payload_->entrusted[slot].mbufs() : 0;
        return legs_[slot].tcb.soft.snd.mbufs + waiting;
    }
    void recount(std::uint32_t slot) {
        auto& leg = legs_[slot];
        const auto held = sending_mbufs(slot) + leg.tcb.soft.rcv.queue.mbufs();
        held_ += held - leg.held_counted;
        leg.held_counted = held;
    }
    void touch(std::uint32_t slot) {
        auto& leg = legs_[slot];
        if (leg.touched) return;
        leg.touched = true;
        touched_.push_back(slot);
    }
    void service_touched();
    void take_icmp_error(std::uint32_t slot, const wire::IcmpError& error);
    void segment(std::uint32_t slot, const wire::Frame& frame, Packet&& packet);
    void unknown_segment(const wire::Frame& frame, Packet packet);
    void take_messages();
    void take_messages_of(Ring<Message>& ring);
    void drop_messages();
    void take_message(const Message& m);
    void take_cells();
    void follow_role();
    void run_timers();
    void fire(std::uint32_t slot);
    void arm(std::uint32_t slot);
    std::uint32_t allocate_slot();
    std::uint32_t last_generation(std::uint32_t slot) const;
    void clear_cell(std::uint32_t slot);
    void start_leg(std::uint32_t slot, std::uint32_t generation, const LegRecord& record);
    void free_leg(std::uint32_t slot);
    void set_view(std::uint32_t slot, View view);

    // sessions_open.cpp
    void open(const wire::Frame& frame, Packet packet);
    bool may_open(std::uint16_t service, const wire::Frame& frame);
    const ServiceConfig* find_service(const Endpoint& address, std::uint16_t& index) const;
    std::uint32_t begin(const wire::Frame& frame, std::uint16_t service, const Numbers& numbers,
                        const tcp::HandshakeOffer& offer);
    void refuse_client(std::uint32_t slot);
    void accepted(std::uint32_t slot);
    bool snapshot_written() const;
    void answer_stored();
    void answer(std::uint32_t slot);
    void open_anew(std::uint32_t slot, const wire::Frame& frame, Packet packet);
    void in_handshake(std::uint32_t slot, const wire::Frame& frame, Packet packet);
    void client_established(std::uint32_t slot);
    void server_established(std::uint32_t slot);
    void abandon(std::uint32_t slot);

    // sessions_cookie.cpp
    void count_half_open(std::int32_t change);
    void leave_half_open(std::uint32_t slot);
    void answer_by_cookie(const wire::Frame& frame, std::uint16_t service);
    bool open_by_cookie(const wire::Frame& frame, Packet&& packet);
    void establish_by_cookie(std::uint32_t slot);

    // sessions_app.cpp
    Ring<Message>& far_ring(std::uint32_t slot);
    void mark_changed(std::uint32_t slot);
    void resume(std::uint32_t slot);
    void resumed(std::uint32_t slot, const Message& m);
    void resume_leg(std::uint32_t slot, const Message& m);
    void reset_unproven(std::uint32_t slot);
    bool contradicts_stored(std::uint32_t slot, const wire::Frame& frame);

    // sessions_payload.cpp
    void mirror_payload(std::uint32_t slot, Position begin, std::span<const std::uint8_t> bytes);
    bool mirror_queue(std::uint32_t slot);
    bool release_payload(std::uint32_t slot);
    void end_payload(SessionId id);
    void count_told(PayloadJournal::Verdict verdict);
    PayloadContext payload_context(std::uint32_t slot);
    std::uint32_t full_size(std::uint32_t slot) const;

    // sessions_stored.cpp
    std::uint32_t follow_stored();
    void cover_payload(std::uint32_t slot);
    bool awaits_stored(std::uint32_t slot) const;
    void begin_stored(std::uint32_t slot, Position position);
    Position stored_by_standby(std::uint32_t slot) const;
    StoredGate::Records payload_records() const;
    Position taken_end(std::uint32_t slot) const;

    // sessions_entrusted.cpp
    Position given_end(std::uint32_t slot) const;
    bool given_fin(std::uint32_t slot) const;
    void entrust(std::uint32_t slot, Packet packet);
    PayloadJournal::Verdict tell_sent(std::uint32_t slot);
    PayloadJournal::Verdict tell_waiting(std::uint32_t slot);
    bool tell_entrusted(std::uint32_t slot);
    bool send_entrusted(std::uint32_t slot);
    void pass_entrusted(std::uint32_t slot);
    void discard_queues(std::uint32_t slot);
    void end_entrusted(std::uint32_t slot);

    // sessions_resume.cpp
    void resume_entrusted(std::uint32_t slot);
    bool has_begun(std::uint32_t slot) const;
    Message resumed_message(std::uint32_t slot) const;
    void entrusted_resumed(std::uint32_t slot, const Message& m);
    void resume_handshake(std::uint32_t slot);
    void resume_entrusted_leg(std::uint32_t slot, const Message& m);
    static bool has_forgotten(const Leg& leg);
    void end_forgotten(std::uint32_t slot);

    // sessions_held.cpp
    void take_payload();
    void send_held(std::uint32_t slot);
    void repeat_held(std::uint32_t slot);
    wire::TcpHeader held_header(std::uint32_t slot, const HeldPayload& held);
    void forget_held(std::uint32_t slot);

    // sessions_connect.cpp
    void take_open(SessionId id);
    void connect(SessionId id);
    void connect_to(SessionId id, std::uint16_t backend);
    void try_next_backend(std::uint32_t slot, BackendReason reason);
    bool has_other_backend(std::uint32_t slot) const;
    bool find_other_backend(std::uint32_t slot);
    void backend_answered(std::uint16_t service, std::uint16_t backend);
    void backend_failed(std::uint16_t service, std::uint16_t backend, BackendReason reason);
    bool choose_source(const Endpoint& remote, Endpoint& local);
    void run_connecting(std::uint32_t slot);
    void in_connecting(std::uint32_t slot, const wire::Frame& frame);
    void take_server_answer(std::uint32_t slot, const wire::Frame& frame);
    void note_live(std::uint32_t slot);
    void note_over(std::uint32_t slot);

    // sessions_prefix.cpp
    std::size_t write_prefix(const SessionRecord& r,
                             std::span<std::uint8_t, wire::proxy_header_max> out) const;
    std::uint8_t prefix_size(const SessionRecord& r) const;
    bool client_was_heard(std::uint32_t slot);
    wire::TcpHeader make_prefix_segment(std::uint32_t slot);
    void send_prefix(std::uint32_t slot);
    void begin_prefix(std::uint32_t slot);
    void run_prefix(std::uint32_t slot);
    wire::Frame without_prefix(const SessionRecord& r, Position near, const wire::Frame& frame) const;
    wire::Frame take_prefix_ack(std::uint32_t slot, const wire::Frame& frame);

    // sessions_health.cpp
    void start_checks();
    void run_checks();
    void begin_check(std::uint32_t number);
    void check_failed(std::uint32_t number, BackendReason reason);
    void in_check(std::uint32_t number, const wire::Frame& frame);
    void check_refused(std::uint32_t number, const wire::IcmpError& error);
    /// The number of the check whose flow leads to `slot`; checks come behind the sessions' slots.
    std::uint32_t check_of(std::uint32_t slot) const {
        return slot - static_cast<std::uint32_t>(legs_.size());
    }

    // sessions_ahead.cpp
    void offer_ahead(std::uint32_t slot);
    void report_here(tcp::ReceiveSide& rcv, tcp::PositionRange waiting);
    void take_sacked(std::uint32_t slot, tcp::PositionRange range);

    // sessions_relay.cpp
    void in_terminated(std::uint32_t slot, const wire::Frame& frame, Packet&& packet);
    bool over_budget(std::uint32_t slot) const;
    void service(std::uint32_t slot);
    void pass_on(std::uint32_t slot);
    Duration idle_wait(const Leg& leg) const;
    bool sack_comes_from_far(const Leg& leg) const;
    void apply_other_cell(std::uint32_t slot);
    void note_fin(std::uint32_t slot);
    void acknowledge(std::uint32_t slot);
    void publish(std::uint32_t slot);
    void take_data(std::uint32_t slot, Packet packet);
    void send(std::uint32_t slot);
    void watch_window(std::uint32_t slot);

    // sessions_translate.cpp
    void in_translated(std::uint32_t slot, const wire::Frame& frame, Packet packet);
    bool credible(std::uint32_t slot, const wire::Frame& f) const;
    /// A value of LegCell::heard that counts until the sessions are taken over anew.
    std::uint8_t heard_mark(std::uint8_t value) const {
        return static_cast<std::uint8_t>(value | retake_epoch_ << 2);
    }
    struct KnownTime {
        std::uint32_t value;
        Duration age;
    };
    std::optional<KnownTime> newest_time(const Leg& leg) const;
    void hear_time(Leg& leg, std::uint32_t value);
    bool plausible(const Leg& leg, const wire::Frame& frame) const;
    void hear(std::uint32_t slot, const wire::Frame& frame);
    void forward_translated(std::uint32_t slot, Packet packet);
    void try_anchor(std::uint32_t slot);
    void anchor_leg(std::uint32_t slot, Position from_endpoint, Position to_endpoint, bool endpoint_fin,
                    bool our_fin);
    void settle_unproven(std::uint32_t slot);
    void expect_late_ack(Leg& leg) const;
    bool quiescent(std::uint32_t slot) const;

    // sessions_takeover.cpp
    void take_installs();
    void take_install(const InstallEntry& entry);
    void install(SessionId id);
    void wake(std::uint32_t slot);
    void update_hints(const ProgressRecord& p);
    void remove(SessionId id);
    void become_active();
    void drop_table();
    void retake_all();
    void retake(std::uint32_t slot);
    void remember_terminated(std::uint32_t slot);
    void remember_heard(std::uint32_t slot);
    Position known_una(std::uint32_t slot) const;
    void take_over_some();
    void take_over(std::uint32_t slot);
    void takeover_probe(std::uint32_t slot);
    void send_takeover_probe(std::uint32_t slot);
    void repeat_syn_ack(std::uint32_t slot);
    void list_newest(std::uint32_t slot);
    void unlist(std::uint32_t slot);

    // sessions_close.cpp
    void reset_leg(std::uint32_t slot);
    void reset_both(std::uint32_t slot);
    void reset_by_endpoint(std::uint32_t slot);
    void emit_leg_reset(std::uint32_t slot);
    void finish_if_closed(std::uint32_t slot);
    void bury(std::uint32_t slot, Duration quarantine);
    void note_closed(std::uint32_t slot);
    void in_dead(std::uint32_t slot, const wire::Frame& frame, Packet packet);
    void quarantine_over(std::uint32_t slot);
    void run_idle(std::uint32_t slot);
    void note_payload(std::uint32_t slot);
    void end_if_silent(std::uint32_t slot);
    const ServiceConfig* service_of(const Leg& leg) const {
        return leg.service < s_.config.services.size() ? &s_.config.services[leg.service] : nullptr;
    }

    // sessions_journal.cpp
    void follow_mirror();
    bool write_journal(JournalEntry& entry);
    void journal_opened(std::uint32_t slot);
    void journal_closed(std::uint32_t slot);
    void journal_progress(std::uint32_t slot);
    void note_progress(std::uint32_t slot);
    void continue_snapshot();

    SessionsSettings s_;
    FlowTable flows_;
    Wheel wheel_;
    // Resident only where sessions have been.
    ZeroedArray<Leg> legs_;
    ZeroedArray<Inherited> inherited_;
    ZeroedArray<Heard> heard_;               ///< of legs that were taken over
    std::vector<std::uint32_t> free_slots_;  ///< client side only: candidates, each checked when taken
    std::vector<bool> listed_free_;          ///< client side only: the slot is in free_slots_ (once)
    std::vector<std::uint32_t> touched_;
    std::vector<std::uint32_t> retry_, retrying_;
    std::vector<std::uint32_t> storing_;  ///< client side: waits for the standby, in order of sequence
    std::size_t storing_head_ = 0;
    Random random_;
    Instant now_{};
    tcp::Context context_;              ///< of the duty cycle at hand
    std::array<Message, 64> messages_;  ///< the batch at hand
    std::array<InstallEntry, 32> installs_;
    std::uint32_t used_ = 0;
    std::uint32_t held_ = 0;                         ///< mbufs held by legs, counted at service
    std::array<std::vector<IpAddress>, 2> sources_;  ///< of our SYNs: IPv4, IPv6

    Admission admission_;  ///< client side only

    // Server side only.
    Backends backends_;
    ZeroedArray<Tried> tried_;  ///< by slot
    std::vector<HealthCheck> checks_;
    Instant checks_at_ = Instant::never();  ///< the earliest of them is due

    std::uint32_t role_epoch_ = 0, table_epoch_ = 0, retake_epoch_ = 0;
    bool active_ = false;
    Instant quiet_until_{};  ///< unknown flows are dropped in silence until then
    std::uint32_t newest_ = 0xffffffff, oldest_ = 0xffffffff;
    std::uint32_t takeover_next_ = 0xffffffff;

    std::uint32_t half_open_ = 0;
    bool cookies_ = false;     ///< SYNs are answered by cookies
    Instant cookies_until_{};  ///< cookies that are still good may be out until then

    /// Where payload is mirrored: as the active tells of it, and as this node, a standby, holds it.
    struct Payload {
        Payload(const SessionsSettings& s);
        PayloadJournal journal;
        PayloadStore store;
        StoredGate gate;
        ZeroedArray<EntrustedQueue> entrusted;  ///< by slot
        PayloadEntry entry{};                   ///< being read; large
    };
    std::unique_ptr<Payload> payload_;  ///< nullptr where no service has its payload mirrored

    std::uint32_t mirror_epoch_ = 0;
    std::uint64_t journal_sequence_ = 0;
    std::uint32_t snapshot_next_ = 0xffffffff;
    bool epoch_start_pending_ = false, snapshot_end_pending_ = false;
};

}  // namespace holdfast::proxy
