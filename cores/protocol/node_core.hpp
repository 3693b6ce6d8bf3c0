// The node core: guard and mirror on the mirror port. It decides who speaks and keeps the standby in sync.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <vector>

#include "cores/guard/guard.hpp"
#include "cores/net/interface.hpp"
#include "cores/protocol/control.hpp"
#include "cores/protocol/core.hpp"
#include "cores/protocol/core_watch.hpp"
#include "cores/protocol/mirror_core.hpp"
#include "cores/proxy/counters.hpp"

namespace holdfast::protocol {

/// What the node core publishes for people; written by it, read by any thread.
struct StatusCells {
    std::atomic<guard::Role> role{guard::Role::booting};
    std::atomic<guard::State> state{guard::State::boot};
    std::atomic<guard::Hold> hold{guard::Hold::none};
    std::atomic<MirrorState> mirror{MirrorState::down};
    std::atomic<mirror::Refusal> refusal{mirror::Refusal::none};
    std::atomic<std::uint64_t> term{0};
    std::atomic<std::int64_t> last_detect_ns{0}, last_takeover_ns{0}, lease_left_ns{0}, detection_bound_ns{0};
    std::atomic<std::uint32_t> paths_heard{0};
};

/// Link states as the host sees them; written by the host.
struct LinkCells {
    std::array<std::atomic<bool>, guard::path_count> up{true, true, true};
};

class NodeCore final : public Core {
  public:
    NodeCore(const Config& config, const net::InterfaceSettings& port, rte_mempool* pool, proxy::Lane& lane,
             ControlRings& client, ControlRings& server, Ring<Event>& events, const tcp::Secrets& secrets,
             std::uint64_t boot_nonce, std::uint64_t stored_term, LinkCells& links,
             const proxy::ProxyCounters& client_counters, Instant now);

    void receive(std::span<rte_mbuf* const> burst, Instant now) override;
    std::uint32_t advance(Instant now) override;
    std::uint32_t transmit(std::span<rte_mbuf*> out, Instant now) override;
    Instant next_deadline() const override;
    std::uint64_t held_mbufs() const override;

    std::optional<std::uint64_t> term_to_persist() const { return to_persist_; }
    void term_persisted(std::uint64_t term);

    /// Any thread: hands the active role to a ready standby, in the next duty cycle.
    void resign() { resign_wanted_.store(true, std::memory_order_relaxed); }
    /// Any thread: resign() was asked for and is not settled: the successor has not spoken yet.
    bool resigning() const {
        return resign_wanted_.load(std::memory_order_relaxed) ||
               status_.state.load(std::memory_order_relaxed) == guard::State::resigned;
    }

    const StatusCells& status() const { return status_; }
    const net::NetCounters& net_counters() const { return net_counters_; }
    const tcp::TcpCounters& tcp_counters() const { return tcp_counters_; }
    const mirror::MirrorCounters& mirror_counters() const { return mirror_counters_; }
    const Counters<guard::Counter>& guard_counters() const { return guard_.counters(); }
    const Counters<wire::FrameKind>& frame_counters() const { return frame_counters_; }

  private:
    void dispatch(rte_mbuf* m, Instant now);
    std::uint32_t take_control(Instant now);
    void neighbour_heard(const Control& c, Instant now);
    void act_on(const guard::Outputs& out, Instant now);
    void follow_guard(const guard::Outputs& out, Instant now);
    void send_heartbeat(const guard::Outputs::Frame& frame);
    void broadcast_control(const Control& c);
    void tell_core(std::size_t side, const Control& c);
    void tell(const Event& event);
    void publish_lease();
    void resign_now(Instant now);
    void report_late_stores(Instant now);
    void report_backends(Instant now);
    void report_cookies(Instant now);
    void report_gates(Instant now);
    void report_hosts(Instant now);
    void report_stalls(Instant now);
    void publish_status(Instant now);
    bool table_followed() const;

    const Config& config_;
    proxy::Lane& lane_;
    ControlRings* control_[2];  ///< by Side
    Ring<Event>& events_;
    LinkCells& links_;
    const proxy::ProxyCounters& client_counters_;
    PacketPool pool_;
    net::NetCounters net_counters_;
    tcp::TcpCounters tcp_counters_;
    mirror::MirrorCounters mirror_counters_;
    Counters<wire::FrameKind> frame_counters_;
    net::Interface net_;
    mirror::Link link_;
    MirrorCore mirror_;
    guard::Guard guard_;
    CoreWatch watch_;
    StatusCells status_;
    std::optional<std::uint64_t> to_persist_;
    Instant guard_deadline_{};
    Instant opening_since_ = Instant::never();  ///< became active; the cores have not all followed
    proxy::Role role_ = proxy::Role::booting;
    std::atomic<bool> resign_wanted_{false};
    std::uint64_t late_stores_told_ = 0;
    Instant late_stores_at_{};  ///< next look
    struct BackendTold {
        bool up = true, drained = false;
    };
    std::vector<BackendTold> backends_told_;  ///< by place
    Instant backends_at_{};                   ///< next look
    struct HostTold {
        bool attached = false;
        std::uint32_t losses = 0;
    };
    std::vector<HostTold> hosts_told_;  ///< by service, where one has an application
    bool gates_told_ = false;           ///< sessions wait for a standby
    Instant gates_at_{};                ///< next look
    bool cookies_told_ = false;
    std::uint64_t cookies_before_ = 0;  ///< cookies sent when they went on
    Instant cookies_at_{};              ///< next look
};

}  // namespace holdfast::protocol
