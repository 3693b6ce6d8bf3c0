// The guard: roles, terms, leases and the detection of failures. Which of two nodes speaks, and until when
// (R4).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "cores/guard/counters.hpp"
#include "cores/guard/heartbeat.hpp"
#include "cores/guard/peer.hpp"
#include "cores/guard/roles.hpp"
#include "cores/guard/search.hpp"
#include "cores/guard/send_log.hpp"
#include "cores/guard/settings.hpp"
#include "cores/guard/terms.hpp"
#include "lib/base/time.hpp"
#include "lib/report/event.hpp"

namespace holdfast::guard {

/// What the rest of the node tells the guard; set whenever it changes, at least every heartbeat interval.
struct Inputs {
    bool standby_in_sync = false;  ///< as active: the mirror holds that the standby has every session
    bool image_ready = false;      ///< as standby: the snapshot is complete
    std::uint64_t mirror_progress = 0;
    /// Duty cycles of the client and server core, from 1; they must move every heartbeat interval, idle or
    /// not. The client core is the one that asks for the virtual address and answers for it, so while it does
    /// not move, no search comes to an end and no lease by reference is extended.
    std::array<std::uint64_t, 2> progress{};
    std::array<bool, path_count> link{true, true, true};  ///< of the three ports
};

/// Whether the sessions may have been served by the peer between a lapse of the lease and its return.
enum class Resumed : std::uint8_t {
    no,
    sure,    ///< not: the peer followed this node's term all the time. The table is as good as before.
    unsure,  ///< perhaps: the sessions must be treated as after a takeover (design, section 8.2)
};

/// What happened since the last call of advance(), in it or before it.
struct News {
    bool became_active = false;     ///< open the table in the new term: takeover, or the first one
    Reason reason = Reason::none;   ///< why; with became_active
    Resumed resumed = Resumed::no;  ///< the node speaks again after a lapse, with the table it had
    bool drop_table = false;  ///< forget every session: they belong to a term that is over. Comes before
                              ///< became_active, should both be set
    std::array<Event, 16> events{};
    std::size_t event_count = 0;
};

/// What a call of advance() wants done. Valid until the next call.
struct Outputs : News {
    struct Frame {
        Path path = Path::client;
        HeartbeatFrame
            payload{};  ///< the host adds the Ethernet header: own MAC, ethertype heartbeat_ethertype
    };
    std::array<Frame, path_count> heartbeats{};
    std::size_t heartbeat_count = 0;
    bool query_references = false;  ///< ask every reference target, from the node's own address
    bool query_vip = false;  ///< ARP probe for a virtual address (sender address 0.0.0.0), from the own MAC
    bool announce = false;   ///< announce the virtual MACs on both service networks, speak_until permitting
    /// To be written to stable storage, then term_persisted(); told again until then.
    std::optional<std::uint64_t> term_to_persist;
    Instant next_deadline = Instant::never();  ///< advance() is due then, at the latest
};

/// Sans-IO and deterministic: time and frames come in, frames and decisions go out; no allocation after the
/// constructor. One thread. The order in a duty cycle is: poll the ports, read the clock, hand in what came,
/// advance(), act on its outputs. `now` grows from cycle to cycle. Where the clock is read before a poll, the
/// time between is made up for, at the cost of a later takeover (lease.hpp, 1).
///
/// May be spoken, from any virtual address, only while now < speak_until(), and `now` must be read directly
/// before the burst. Publish speak_until() after every call into the guard.
class Guard {
  public:
    /// The settings must be free of errors (settings_error).
    Guard(const Settings& settings, Instant now);

    /// An Ethernet payload of type heartbeat_ethertype, as it came in on `path`. Never trusted before
    /// verified.
    void heartbeat_received(Path path, std::span<const std::uint8_t> payload, Instant now);
    /// The reference target answered; answers that nobody asked for are counted and ignored.
    void reference_answered(unsigned target, Instant now);
    /// Somebody else answers for a virtual address, whether asked or not.
    void vip_answered(Instant now);
    /// A frame came in from a virtual MAC of the pair that this node did not send.
    void virtual_mac_heard(Instant now);
    /// An ARP probe for a virtual address (sender address 0.0.0.0) from another node came in.
    void vip_probe_heard(Instant now);
    void set_inputs(const Inputs& inputs) { inputs_ = inputs; }
    void term_persisted(std::uint64_t term) { terms_.persisted(term); }
    /// Stops speaking and hands over to the standby. Refused, with no effect, unless this node is active and
    /// a ready standby is heard.
    bool resign(Instant now);

    const Outputs& advance(Instant now);

    /// End of the lease; in the past of any clock unless this node is active and not suspended.
    Instant speak_until() const { return role_ == Role::active && !suspended_ ? lease_end() : no_lease; }
    Role role() const { return role_; }
    State state(Instant now) const;
    /// The term it claims or follows; 0 = none yet.
    std::uint64_t term() const { return term_; }
    /// Why it does not speak; none when it does.
    Hold hold() const { return hold_; }
    /// Bit per path: heartbeats of the peer came in within a lease.
    std::uint32_t paths_heard(Instant now) const;
    /// Silence before the last takeover by silence; 0 = there was none.
    Duration last_detection() const { return last_detection_; }
    /// The longest time from the last heartbeat of a dead active to the takeover by a ready standby, where
    /// its references answer.
    Duration detection_bound() const { return settings_.lease + settings_.lease_margin; }
    const Counters<Counter>& counters() const { return counters_; }

  private:
    static constexpr Instant no_lease{std::numeric_limits<std::int64_t>::min()};
    struct Judgement {
        Reason reason = Reason::none;
        Hold hold = Hold::none;
    };

    // Taking in a heartbeat.
    bool proves_life(const Heartbeat& heartbeat, Instant now) const;
    void refuse(Counter why, Path path, bool tell, Instant now);
    void take_claims(Instant now);
    void take_grant(Instant now);
    void react_to_active(Instant now);
    void note_progress(Instant now);
    void note_solo_bound();

    // Roles.
    void advance_waiting(Instant now);
    void advance_active(Instant now);
    void advance_resigned(Instant now);
    Judgement judge(Instant now) const;
    Judgement judge_absence(Instant now) const;
    bool resignation_holds(Instant now) const;
    Reason failure_of_active() const;
    Hold judge_search(Instant now) const;
    bool nobody_speaks(Instant now) const;
    bool deposing(Instant now) const;
    bool searching(Instant now) const;
    bool outranks_peer(Instant now) const;
    void become_active(Reason reason, Instant now);
    void follow(std::uint64_t term, Instant now);
    void set_role(Role role, Instant now);
    void wait_for(Hold hold);

    // Leases.
    Instant lease_end() const { return later(granted_until_, solo_until_); }
    bool solo_permitted(Instant now) const;
    void extend_solo(Instant now);
    void lapse(Instant now);
    void resume(bool by_grant, Instant now);
    bool grants_peer(Instant now) const;

    // What is seen of the world.
    bool peer_alive(Instant now) const { return peer_.heard_within(detection_bound(), now); }
    /// The peer said last that it would take over, and can.
    bool peer_succeeds() const {
        return peer_.claim().state == State::ready && peer_.claim().able && !leases_differ();
    }
    /// The argument of lease.hpp is about one lease and one margin: a peer configured otherwise is granted
    /// none, and is not succeeded.
    bool leases_differ() const {
        const Heartbeat& c = peer_.claim();
        return peer_.known() && (c.lease_us != static_cast<std::uint32_t>(settings_.lease.to_us()) ||
                                 c.margin_us != static_cast<std::uint32_t>(settings_.lease_margin.to_us()));
    }
    bool ready() const { return role_ == Role::standby && inputs_.image_ready && followed_in_sync_; }
    bool able(Instant now) const;
    /// A core that did not run for longer was held up.
    Duration idle_max() const { return settings_.heartbeat * 3 / 2; }
    bool client_core_runs(Instant now) const { return now - own_progress_at_ <= idle_max(); }
    void begin(Instant now);
    void settle_last_cycle(Instant now);
    void note_gaps(Instant now);
    void watch_paths(Instant now);
    bool connected(Instant now) const { return search_.connected(detection_bound(), now); }

    // Outputs.
    void ask(Instant now);
    void announce(Instant now);
    void start_announcing(Instant now);
    void send_heartbeats(Instant now);
    Heartbeat compose(Instant now);
    void note_readiness(const Heartbeat& told);
    Instant deadline(Instant now) const;
    void event(EventKind kind, std::uint64_t a, std::uint64_t b, Instant now, Reason reason = Reason::none);
    void count(Counter c, std::uint64_t n = 1) { counters_.add(c, n); }

    Settings settings_;
    LeaseTimes times_;
    Hmac hmac_;
    Inputs inputs_;
    Counters<Counter> counters_;
    Peer peer_;
    Terms terms_;
    SendLog sent_;
    Search search_;

    Role role_ = Role::booting;
    std::uint64_t term_ = 0;
    Hold hold_ = Hold::none;
    Instant booted_at_, last_advance_, own_progress_at_;
    Instant settled_at_ = no_lease;     ///< when what came in during a gap has been handed in
    std::uint64_t own_progress_ = 0;    ///< of our client core, which carries the queries
    bool heard_in_last_cycle_ = false;  ///< a newest heartbeat was taken in since the clock was last read

    // As active.
    bool suspended_ = false;
    bool on_solo_ = false;              ///< the lease runs on own grants, as told by the last event
    Instant granted_until_ = no_lease;  ///< lease by echo
    Instant solo_until_ = no_lease;     ///< lease by reference
    std::uint64_t lease_nonce_ = 0;     ///< incarnation of the peer that granted it last, before any lapse
    Instant resigned_at_{};

    // As standby.
    bool followed_in_sync_ = false;      ///< the followed active said last that its standby holds everything
    std::uint64_t granted_counter_ = 0;  ///< newest heartbeat of the peer that was granted
    Instant promise_until_ = no_lease;   ///< end of the latest lease granted to the peer
    Instant solo_possible_at_ =
        no_lease;  ///< the peer can not have begun a lease of its own before (lease.hpp, 3a)
    std::uint64_t ready_since_counter_ =
        0;  ///< our first heartbeat that said ready and able; 0 = not the last
    std::array<Instant, 2> progress_at_{};  ///< when each core of the peer was last seen to move
    std::array<std::uint64_t, 2> progress_seen_{};

    // Timers.
    Instant next_heartbeat_, last_heartbeat_ = no_lease, next_reference_, next_vip_, quiet_until_ = no_lease;
    Instant next_announce_ = Instant::never(), announce_until_ = no_lease, next_refusal_event_ = no_lease;
    bool urgent_ = false;  ///< something changed that the peer should know before its time
    std::uint64_t counter_ = 0;

    std::array<bool, path_count> path_heard_{};
    Duration last_detection_{};
    News news_;
    Outputs out_;
};

}  // namespace holdfast::guard
