#include "cores/protocol/node_core.hpp"

#include <algorithm>
#include <cstring>

#include "cores/protocol/guard_settings.hpp"

namespace holdfast::protocol {
namespace {

mirror::LinkSettings link_settings(const Config& c, std::uint64_t seed) {
    mirror::LinkSettings s{
        c.mirror.address.address, c.mirror_link.peer, c.mirror_link.tcp_port, c.mirror.mtu, seed, c.tcp};
    // A private link: handshakes and losses are repeated soon.
    s.tcp.rto_initial = milliseconds(50);
    s.tcp.rto_max = seconds(1);
    s.tcp.rto_min = std::min(s.tcp.rto_min, milliseconds(10));
    return s;
}

proxy::Role role_of(guard::Role r) {
    switch (r) {
        case guard::Role::booting: return proxy::Role::booting;
        case guard::Role::standby: return proxy::Role::standby;
        case guard::Role::active:
        case guard::Role::resigned:
            return proxy::Role::active;  // keeps its table; the lease says whether it speaks
    }
    return proxy::Role::booting;
}

}  // namespace

NodeCore::NodeCore(const Config& config, const net::InterfaceSettings& port, rte_mempool* pool,
                   proxy::Lane& lane, ControlRings& client, ControlRings& server, Ring<Event>& events,
                   const tcp::Secrets& secrets, std::uint64_t boot_nonce, std::uint64_t stored_term,
                   LinkCells& links, const proxy::ProxyCounters& client_counters, Instant now)
    : config_(config),
      lane_(lane),
      control_{&client, &server},
      events_(events),
      links_(links),
      client_counters_(client_counters),
      pool_(pool),
      net_(port, pool_, net_counters_),
      link_(link_settings(config, boot_nonce), secrets, net_, tcp_counters_, mirror_counters_),
      mirror_(config, boot_nonce, lane, link_, mirror_counters_, events),
      guard_(guard_settings(config, boot_nonce, stored_term), now),
      watch_(lane, config.guard.lease, now),
      backends_told_(lane.backends.size()),
      hosts_told_(lane.application ? lane.application->hosts.size() : 0) {
    status_.detection_bound_ns.store(guard_.detection_bound().ns);
}

void NodeCore::receive(std::span<rte_mbuf* const> burst, Instant now) {
    net_counters_.add(net::Counter::frames_received, burst.size());
    for (auto* m : burst) dispatch(m, now);
}

void NodeCore::dispatch(rte_mbuf* m, Instant now) {
    wire::Frame f;
    const auto kind = wire::parse_frame(m, false, f);
    frame_counters_.add(kind);
    if (!net_.is_of_our_vlan(f)) return rte_pktmbuf_free(m);
    switch (kind) {
        case wire::FrameKind::arp:
        case wire::FrameKind::icmp:
        case wire::FrameKind::icmpv6: net_.receive(m, f, now); return;
        case wire::FrameKind::heartbeat:
            guard_.heartbeat_received(
                guard::Path::mirror,
                {rte_pktmbuf_mtod_offset(m, const std::uint8_t*, f.payload_offset), f.payload_len}, now);
            publish_lease();
            break;
        case wire::FrameKind::tcp:
            if (f.destination == config_.mirror.address.address && net_.is_for_us(f)) {
                link_.receive(f, Packet(m), now);
                return;
            }
            net_counters_.add(net::Counter::frames_not_for_us);
            break;
        default: break;
    }
    rte_pktmbuf_free(m);
}

std::uint32_t NodeCore::take_control(Instant now) {
    std::uint32_t n = 0;
    Control c;
    for (const auto path : {guard::Path::client, guard::Path::server})
        for (auto& ring = control_[static_cast<std::size_t>(path)]->to_node; ring.pop(c); ++n) {
            if (c.kind == ControlKind::heartbeat_heard)
                guard_.heartbeat_received(path, {c.bytes.data(), c.size}, now);
            else if (c.kind == ControlKind::neighbour_heard) neighbour_heard(c, now);
            else if (c.kind == ControlKind::own_mac_heard) guard_.virtual_mac_heard(now);
        }
    return n;
}

void NodeCore::neighbour_heard(const Control& c, Instant now) {
    for (std::size_t i = 0; i < config_.guard.reference.size(); ++i)
        if (c.address == config_.guard.reference[i] && c.is_reply)
            guard_.reference_answered(static_cast<unsigned>(i), now);
    const auto is_virtual = [this](const IpAddress& a) {
        const auto& s = config_.services;
        return std::any_of(s.begin(), s.end(),
                           [&](const auto& service) { return service.address.address == a; }) ||
               std::find(config_.snat.begin(), config_.snat.end(), a) != config_.snat.end();
    };
    if (is_virtual(c.address)) guard_.vip_answered(now);
    if (c.is_probe && is_virtual(c.target)) guard_.vip_probe_heard(now);
}

void NodeCore::publish_lease() {
    lane_.node.speak_until_ns.store(guard_.speak_until().ns, std::memory_order_release);
}

bool NodeCore::table_followed() const {
    const auto epoch = lane_.node.role_epoch.load(std::memory_order_relaxed);
    const auto done = [epoch](const proxy::CoreCells& c) {
        return c.role_epoch_done.load(std::memory_order_acquire) == epoch;
    };
    return done(lane_.core[0]) && done(lane_.core[1]) &&
           (!lane_.application || done(lane_.application->core));
}

void NodeCore::tell_core(std::size_t side, const Control& c) {
    if (!control_[side]->to_core.push(c)) net_counters_.add(net::Counter::control_refused);
}

void NodeCore::tell(const Event& event) {
    if (!events_.push(event)) mirror_counters_.add(mirror::Counter::events_lost);
}

void NodeCore::send_heartbeat(const guard::Outputs::Frame& frame) {
    if (frame.path == guard::Path::mirror) {
        net_.send_raw(frame.payload, wire::ethertype_heartbeat, MacAddress::broadcast());
        return;
    }
    Control c;
    c.kind = ControlKind::send_heartbeat;
    c.size = static_cast<std::uint8_t>(frame.payload.size());
    std::memcpy(c.bytes.data(), frame.payload.data(), frame.payload.size());
    tell_core(static_cast<std::size_t>(frame.path), c);
}

void NodeCore::broadcast_control(const Control& c) {
    for (std::size_t side = 0; side < 2; ++side) tell_core(side, c);
}

void NodeCore::act_on(const guard::Outputs& out, Instant now) {
    for (std::size_t i = 0; i < out.heartbeat_count; ++i) send_heartbeat(out.heartbeats[i]);
    Control c;
    if (out.query_references)
        for (const auto& target : config_.guard.reference) {
            c.kind = ControlKind::query;
            c.address = target;
            const auto side = config_.client.is_on_link(target) ? Side::client : Side::server;
            tell_core(index(side), c);
        }
    if (out.query_vip) {
        c.kind = ControlKind::probe;
        c.address = config_.services.front().address.address;
        tell_core(index(Side::client), c);
        c.address = config_.snat.front();
        tell_core(index(Side::server), c);
    }
    if (out.announce) {
        c.kind = ControlKind::announce;
        broadcast_control(c);
    }
    to_persist_ = out.term_to_persist;
    for (std::size_t i = 0; i < out.event_count; ++i) tell(out.events[i]);
    follow_guard(out, now);
    guard_deadline_ = out.next_deadline;
}

/// Carries the guard's decisions to the protocol cores and the mirror.
void NodeCore::follow_guard(const guard::Outputs& out, Instant now) {
    auto& node = lane_.node;
    const auto role = role_of(guard_.role());
    const bool unsure = out.resumed == guard::Resumed::unsure;
    node.term.store(guard_.term(), std::memory_order_relaxed);
    if (role != role_ || out.drop_table || unsure || out.became_active) {
        role_ = role;
        if (out.drop_table) {
            const auto sessions = lane_.core[0].sessions.load(std::memory_order_relaxed);
            if (sessions > 0) tell({now, EventKind::table_dropped, 0, 0, sessions, 0});
            node.table_epoch.fetch_add(1, std::memory_order_release);
            mirror_.drop_image(now);
        }
        if (unsure) node.retake_epoch.fetch_add(1, std::memory_order_release);
        node.role.store(role, std::memory_order_release);
        node.role_epoch.fetch_add(1, std::memory_order_release);
        if (out.became_active) opening_since_ = now;
    }
    publish_lease();
    mirror_.set_role(role, guard_.term(), table_followed(), now);
    if (opening_since_.is_never() || !table_followed()) return;
    const auto took = now - opening_since_;
    opening_since_ = Instant::never();
    status_.last_takeover_ns.store(took.ns, std::memory_order_relaxed);
    const auto sessions = lane_.core[0].sessions.load(std::memory_order_relaxed);
    tell({now, EventKind::takeover_opened, 0, 0, sessions, static_cast<std::uint64_t>(took.to_us())});
}

std::uint32_t NodeCore::advance(Instant now) {
    auto work = take_control(now);
    guard::Inputs in;
    in.standby_in_sync = mirror_.standby_in_sync();
    in.image_ready = mirror_.image_ready();
    in.mirror_progress = mirror_.progress();
    watch_.look(now);
    in.progress = watch_.progress();
    for (std::size_t i = 0; i < guard::path_count; ++i)
        in.link[i] = links_.up[i].load(std::memory_order_relaxed);
    guard_.set_inputs(in);
    if (resign_wanted_.load(std::memory_order_relaxed)) resign_now(now);
    act_on(guard_.advance(now), now);
    work += mirror_.advance(now);
    net_.advance(now);
    report_late_stores(now);
    report_backends(now);
    report_cookies(now);
    report_gates(now);
    report_hosts(now);
    report_stalls(now);
    publish_status(now);
    return work;
}

void NodeCore::resign_now(Instant now) {
    const bool given = guard_.resign(now);
    if (given) tell({now, EventKind::handed_over, 0, 0, guard_.term(), 0});
    else if (guard_.role() == guard::Role::active)
        tell({now, EventKind::kept_until_stop, 0, 0, lane_.core[0].sessions.load(), 0});
    publish_lease();
    // In this order: resigning() must not be false in between.
    status_.state.store(guard_.state(now), std::memory_order_relaxed);
    resign_wanted_.store(false, std::memory_order_release);
}

/// A standby that is too slow is an event, at most one a second.
void NodeCore::report_late_stores(Instant now) {
    if (now < late_stores_at_) return;
    late_stores_at_ = now + seconds(1);
    const auto late = client_counters_.get(proxy::Counter::sessions_store_late);
    if (late != late_stores_told_) tell({now, EventKind::store_late, 0, 0, late - late_stores_told_, 0});
    late_stores_told_ = late;
}

/// Backends whose state changed since the last look.
void NodeCore::report_backends(Instant now) {
    if (now < backends_at_) return;
    backends_at_ = now + milliseconds(50);
    for (std::size_t service = 0; service + 1 < lane_.first_backend.size(); ++service)
        for (auto place = lane_.first_backend[service]; place < lane_.first_backend[service + 1]; ++place) {
            const auto& cell = lane_.backends[place];
            auto& told = backends_told_[place];
            const BackendTold is{cell.up.load(std::memory_order_acquire),
                                 cell.drained.load(std::memory_order_relaxed)};
            const auto backend = place - lane_.first_backend[service];
            if (is.up != told.up)
                tell({now, is.up ? EventKind::backend_up : EventKind::backend_down,
                      static_cast<std::uint16_t>(cell.reason.load(std::memory_order_relaxed)), 0, service,
                      backend});
            if (is.drained != told.drained)
                tell({now, is.drained ? EventKind::backend_drained : EventKind::backend_undrained, 0, 0,
                      service, backend});
            told = is;
        }
}

/// A flood begins, or is over. At most once a second: it may come and go.
void NodeCore::report_cookies(Instant now) {
    const bool on = role_ == proxy::Role::active &&
                    lane_.core[index(Side::client)].cookies.load(std::memory_order_relaxed);
    if (on == cookies_told_ || now < cookies_at_) return;
    cookies_at_ = now + seconds(1);
    cookies_told_ = on;
    const auto sent = client_counters_.get(proxy::Counter::cookies_sent);
    if (on) tell({now, EventKind::cookies_on, 0, 0, config_.limits.half_open, 0});
    else tell({now, EventKind::cookies_off, 0, 0, sent - cookies_before_, 0});
    cookies_before_ = sent;
}

/// Sessions whose gate needs a standby, while none is in sync. At most once a second, as above.
void NodeCore::report_gates(Instant now) {
    if (now < gates_at_) return;
    std::uint32_t waiting = 0;
    for (const auto& core : lane_.core) waiting += core.waiting.load(std::memory_order_relaxed);
    if (lane_.application) waiting += lane_.application->core.waiting.load(std::memory_order_relaxed);
    if ((waiting > 0) == gates_told_) return;
    gates_at_ = now + seconds(1);
    gates_told_ = waiting > 0;
    tell({now, gates_told_ ? EventKind::gate_holds : EventKind::gate_opens, 0, 0, waiting, 0});
}

/// Processes of gate host that came or were lost.
void NodeCore::report_hosts(Instant now) {
    for (std::size_t i = 0; i < hosts_told_.size(); ++i) {
        auto& told = hosts_told_[i];
        const auto& cell = lane_.application->hosts[i];
        const auto losses = cell.losses.load(std::memory_order_acquire);
        const auto why = static_cast<std::uint16_t>(cell.loss.load(std::memory_order_relaxed));
        const bool attached = cell.attached.load(std::memory_order_acquire);
        if (losses != told.losses) tell({now, EventKind::host_lost, why, 0, i, 0});
        if (attached && (!told.attached || losses != told.losses))
            tell({now, EventKind::host_attached, 0, 0, i, 0});
        told = {attached, losses};
    }
}

void NodeCore::report_stalls(Instant now) {
    while (const auto core = watch_.take_stalled(now)) {
        const bool called = *core == Journal::application && lane_.application;
        const std::uint64_t service = called ? lane_.application->calling.load(std::memory_order_relaxed) : 0;
        tell({now, EventKind::core_stalled, 0, 0, static_cast<std::uint64_t>(*core), service});
    }
}

void NodeCore::publish_status(Instant now) {
    status_.role.store(guard_.role(), std::memory_order_relaxed);
    status_.state.store(guard_.state(now), std::memory_order_relaxed);
    status_.hold.store(guard_.hold(), std::memory_order_relaxed);
    status_.mirror.store(mirror_.state(), std::memory_order_relaxed);
    status_.refusal.store(mirror_.refusal(), std::memory_order_relaxed);
    status_.term.store(guard_.term(), std::memory_order_relaxed);
    status_.paths_heard.store(guard_.paths_heard(now), std::memory_order_relaxed);
    status_.last_detect_ns.store(guard_.last_detection().ns, std::memory_order_relaxed);
    const auto until = guard_.speak_until();
    status_.lease_left_ns.store(until < now ? -1 : (until - now).ns, std::memory_order_relaxed);
}

void NodeCore::term_persisted(std::uint64_t term) {
    guard_.term_persisted(term);
    to_persist_.reset();
}

std::uint32_t NodeCore::transmit(std::span<rte_mbuf*> out, Instant) { return net_.transmit(out, true); }

Instant NodeCore::next_deadline() const {
    return earlier(earlier(guard_deadline_, mirror_.next_deadline()), net_.next_deadline());
}

std::uint64_t NodeCore::held_mbufs() const { return link_.held_mbufs() + net_.held_mbufs(); }

}  // namespace holdfast::protocol
