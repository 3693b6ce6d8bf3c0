// The stage of most stories: the two protocol cores of one lane between a client and a server that the story
// plays, and the neighbours of the lane (guard, mirror, standby), which the story plays, too. No engine, no
// node core, no other clock than the story's.
//
// Each frame to an end is checked before the story sees it: checksums, addresses, true bytes (R3), no ACK
// that the far end has not given (R1), no window past the far end's and none that shrinks, timestamps that
// never go back, options and sizes as agreed.
#pragma once

#include <deque>
#include <memory>

#include "cores/protocol/app_core.hpp"
#include "cores/protocol/protocol_core.hpp"
#include "tests/script/peer.hpp"
#include "tests/support/mbuf_pool.hpp"

namespace holdfast::script {

struct LaneOptions {
    Gate gate = Gate::peer;
    unsigned backends = 1;
    ServiceConfig service{};  ///< its other settings
    std::uint16_t client_mtu = 1500, server_mtu = 1500;
    std::uint16_t client_vlan = 0, server_vlan = 0;
    std::uint32_t mbufs = 1023;      ///< of each pool
    bool standby_connected = false;  ///< a standby in sync, that confirms what it is sent
    bool starts_as_standby = false;  ///< the node is one: sessions are installed, then it takes over
    TcpConfig tcp{};
    LimitsConfig limits{64, 2u << 20, 1023, 256};
    Duration store_wait = 50_ms;
    bool exact_frames = false;  ///< received frames end where their memory ends (address sanitizer)
};

/// One connection through the lane: its two ends. The server's is known once the proxy has connected to it.
struct Conversation {
    Peer client, server;
    bool server_bound = false;

    /// The ends have forgotten it: the client may open it anew, with the initial sequence number `isn`.
    void begin_anew(SeqNum isn);
};

/// The standby as the lane sees it: records come to it, confirmations go back.
struct Standby {
    bool confirms = true;
    bool describes = true;  ///< its application says what it holds: `description`
    std::string description;
    std::vector<proxy::JournalEntry> records[2];       ///< by writing side, oldest first
    std::vector<proxy::ApplicationEntry> application;  ///< of the application core
    std::vector<proxy::ApplicationEntry> told;  ///< the node is one: what its applications say that they hold
    std::vector<proxy::PayloadEntry> payload[2];  ///< by writing side, marks of the epoch among them
    /// Newest record of a kind, or nothing.
    const proxy::JournalEntry* newest(Side side, proxy::JournalKind kind) const;
};

class LaneStage : public PeerStage {
  public:
    /// `application` is that of a service with gate app; by default its own, which is echo. `host_link` leads
    /// to the process of one with gate host.
    explicit LaneStage(const LaneOptions& options = {}, const app::ApplicationFactory& application = {},
                       const app::HostLinks& host_link = {});
    /// Departs when frames came that the story did not expect, or mbufs are missing.
    ~LaneStage() override;

    Conversation& main() { return conversations_.front(); }
    Peer& client() { return main().client; }
    Peer& server() { return main().server; }
    Conversation& another();
    std::deque<Conversation>& conversations() { return conversations_; }

    // ---- time ----
    /// Story time becomes `t`; what is due until then happens.
    void at(Duration t);
    void after(Duration span) { at(time() + span); }
    Duration time() const override { return now_ - begin_; }

    // ---- the ordinary beginning ----
    /// The whole handshake, with the ends' offers; story time does not move.
    void establish() { establish(main()); }
    void establish(Conversation& c);
    /// The same with an application at the far end.
    void establish_application() { establish_application(main()); }
    void establish_application(Conversation& c);
    /// Its first half: the client's SYN reaches the server.
    void pass_syn(Where where = Where::current()) { pass_syn(main(), where); }
    void pass_syn(Conversation& c, Where where = Where::current());
    /// Its second: the server's SYN-ACK reaches the client. What is left is the client's ACK.
    void pass_syn_ack(Where where = Where::current()) { pass_syn_ack(main(), where); }
    void pass_syn_ack(Conversation& c, Where where = Where::current());

    // ---- the lane's neighbours ----
    Standby standby;
    void set_in_sync(bool in_sync) { lane_.node.in_sync = in_sync; }
    /// The standby is connected anew: an epoch begins.
    void connect_standby();
    void disconnect_standby();
    void confirm_all();
    /// Node roles and lease, as the guard would set them.
    void become_active(std::uint64_t term);
    void set_lease(Duration until_story_time) { lane_.node.speak_until_ns = (begin_ + until_story_time).ns; }
    void drop_table();
    void retake();
    /// The mirror installs a session on this node, a standby; `progress` is what it knows of the legs.
    void install(const SessionRecord& record, const std::vector<ProgressRecord>& progress = {});
    /// The same of the main session of `old`, with what that told its standby (its hints only if
    /// `progress`); the client is the same.
    void inherit(LaneStage& old, bool progress = true);
    /// The same of what an application did.
    void install_application(const std::vector<proxy::ApplicationEntry>& entries);
    /// The application of the node's standby says what it holds.
    void describe_standby();
    /// The same of payload on its way to the ends.
    void install_payload(Side side, const std::vector<proxy::PayloadEntry>& entries);

    // ---- facts ----
    /// Names of the peers in the order in which segments left for them.
    const std::vector<std::string>& order() const { return order_; }
    std::uint64_t count(Side side, std::string_view counter) const;
    void expect_count(Side side, std::string_view counter, std::uint64_t expected,
                      Where where = Where::current());
    void expect_view(proxy::View view, Where where = Where::current(), std::uint32_t slot = 0);
    const SessionRecord& record(std::uint32_t slot = 0) const { return lane_.records[slot]; }
    proxy::Lane& lane() { return lane_; }
    std::uint64_t held_mbufs() const {
        return client_core_.held_mbufs() + server_core_.held_mbufs() +
               (has_application() ? application_core_->held_mbufs() : 0);
    }
    /// Of the application core.
    void expect_application_count(std::string_view counter, std::uint64_t expected,
                                  Where where = Where::current());
    test::MbufPool& pool(Side side) { return pools_[index(side)]; }
    Instant now() const { return now_; }
    const Config& config() const { return config_; }

    // ---- for stories about hostile or lost frames ----
    /// A frame as bytes arrives at a side's port.
    void deliver_raw(Side side, const sim::Bytes& frame);
    /// Both cores run until nothing moves any more; everything that delivers or lets time pass does so
    /// anyway.
    void settle();
    /// No frame is expected any more, and none has to be.
    void ignore_rest() { ignores_rest_ = true; }
    /// For stories in which an end lies: R1 and windows are not judged.
    void trust_nobody() { checks_ = false; }
    /// For ends that send anything at all: frames that leave have to be well formed, and nothing more.
    void judge_form_only() { form_only_ = true; }
    /// Segments may leave for ends that the story does not play.
    void ignore_strangers() { ignores_strangers_ = true; }
    /// Frames that left until now, of any kind.
    std::uint64_t frames_sent() const { return frames_; }

    static constexpr SeqNum client_isn{0xfffffc00}, server_isn{0xfffffa00};
    static MacAddress virtual_mac(Side side) {
        return {{2, 0, 0x5e, 0, 1, static_cast<std::uint8_t>(1 + index(side))}};
    }
    /// Whether a side's network speaks IPv6: HOLDFAST_STORY_FAMILIES, "44" if unset, gives the client's and
    /// the server's. Every story holds in either; with IPv6 the ports carry 20 bytes more, so that sizes stay
    /// as they are.
    static bool speaks_ipv6(Side side);
    static Endpoint service();
    static Endpoint backend(unsigned i = 0);

    void deliver(const Peer& from, const std::vector<sim::Bytes>& burst) override;
    std::string transcript() const override;
    void log(const std::string& line) override;

  private:
    protocol::ProtocolCore& core(Side side) { return side == Side::client ? client_core_ : server_core_; }
    const protocol::ProtocolCore& core(Side side) const {
        return side == Side::client ? client_core_ : server_core_;
    }
    Config make_config(const LaneOptions& options) const;
    Instant next_deadline() const;
    bool run_core(Side side);
    bool has_application() const { return application_core_.has_value(); }
    void take_frame(Side side, const sim::Bytes& bytes);
    std::uint16_t vlan(Side side) const {
        return side == Side::client ? config_.client.vlan : config_.server.vlan;
    }
    /// `frame` as an mbuf, with the side's tag; nullptr when the pool is empty.
    rte_mbuf* on_wire(Side side, const sim::Bytes& frame);
    sim::Bytes off_wire(Side side, rte_mbuf* m) const;
    void answer_resolution(Side side, const sim::Resolution& arp);
    Peer* find_peer(Side side, const sim::Segment& s);
    void check(const Peer& to, const Peer& far, const Seen& s) const;
    bool serve_standby();
    template <class Entry>
    bool confirm_newest(Journal journal, const std::vector<Entry>& records);
    template <class Entry>
    bool serve_journal(Journal journal, Ring<Entry>& ring, std::vector<Entry>& records);

    Config config_;
    Instant begin_, now_;
    test::MbufPool pools_[2];
    proxy::Lane lane_;
    tcp::Secrets secrets_;
    protocol::ControlRings client_control_, server_control_;
    protocol::ProtocolCore client_core_, server_core_;
    std::optional<protocol::AppCore> application_core_;
    bool echoes_ = false;  ///< the client's bytes are what it is sent
    std::deque<Conversation> conversations_;
    std::deque<std::string> transcript_;
    std::vector<std::string> order_;
    bool checks_ = true, form_only_ = false, ignores_rest_ = false, ignores_strangers_ = false;
    std::uint64_t frames_ = 0;
    std::uint32_t mirror_epochs_ = 0;
};

}  // namespace holdfast::script
