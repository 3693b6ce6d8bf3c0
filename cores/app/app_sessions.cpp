#include "cores/app/app_sessions.hpp"

#include <algorithm>

#include "cores/app/host.hpp"

namespace holdfast::app {

using proxy::Message;
using proxy::MessageKind;

namespace {
/// What had no room is tried again after this time.
constexpr Duration retry_after = microseconds(50);
}  // namespace

AppSessions::AppSessions(const AppSettings& settings)
    : s_(settings),
      lane_(settings.lane),
      app_(*settings.lane.application),
      pool_(settings.pool),
      replies_(settings.config.limits.replies),
      sessions_(settings.config.limits.sessions),
      now_(settings.now) {
    for (std::uint16_t i = 0; i < s_.config.services.size(); ++i) {
        channels_.push_back(has(s_.config.services[i].gate, served_here) ? make_channel(i) : nullptr);
        applications_.push_back(channels_.back() ? make_application_of(i) : nullptr);
    }
    joined_.resize(applications_.size());
    states_.resize(applications_.size());
    for (auto& c : checkpoints_) c.counts.resize(applications_.size());
    describe_next_ = applications_.size();
    touched_.reserve(2 * sessions_.size());  // while it is walked each may be added once more
    retry_.reserve(sessions_.size());
    retrying_.reserve(sessions_.size());
    short_of_pool_.reserve(sessions_.size());
    // A slot may be used again while the records of its last session are on their way.
    outstanding_.reserve(sessions_.size() * 2);
}

AppSessions::~AppSessions() { drop_table(); }

std::unique_ptr<Application> AppSessions::make_application_of(std::uint16_t service) {
    const auto& config = s_.config.services[service];
    auto& channel = *channels_[service];
    if (!has(config.gate, Gate::host)) return s_.make(config, channel);
    return std::make_unique<Host>(HostSettings{channel, s_.host_link(config), s_.host_counters,
                                               app_.hosts[service], s_.config.limits.sessions,
                                               config.host_timeout});
}

AppSession* AppSessions::open_session(SessionId id) {
    if (id.slot >= sessions_.size()) return nullptr;
    auto& s = sessions_[id.slot];
    return s.phase == AppPhase::open && s.generation == id.generation ? &s : nullptr;
}
const AppSession* AppSessions::open_session(SessionId id) const {
    return const_cast<AppSessions*>(this)->open_session(id);
}

Opened AppSessions::opened_of(std::uint32_t slot) {
    const auto& leg = record(slot).leg[index(Side::client)];
    return {id_of(slot), leg.remote, leg.local};
}

std::uint32_t AppSessions::advance(Instant now) {
    now_ = now;
    follow_role();
    const auto installs = take_installs();
    take_messages();
    take_cells();
    follow_mirror();
    take_confirmations();
    for (std::size_t service = 0; service < applications_.size(); ++service)
        if (applications_[service]) call(service)->advance(now_);
    describe();
    publish_stored();
    // What only tries again is no work: whoever is to make room may need the CPU.
    const auto work = installs + static_cast<std::uint32_t>(touched_.size());
    retrying_.swap(retry_);
    for (const auto slot : retrying_) {
        sessions_[slot].retry = false;
        touch(slot);
    }
    retrying_.clear();
    service_touched();
    continue_snapshot();
    app_.core.held_mbufs.store(held_, std::memory_order_relaxed);
    app_.core.waiting.store(waiting_, std::memory_order_relaxed);
    app_.core.cycles.store(app_.core.cycles.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    return work;
}

Instant AppSessions::next_deadline() const {
    auto at = Instant::never();
    if (!retry_.empty() || snapshot_next_ != no_slot || snapshot_end_pending_ || epoch_start_pending_)
        at = now_ + retry_after;
    if (describe_next_ < applications_.size() || checkpoint_count_ != 0) at = now_ + retry_after;
    for (const auto& application : applications_)
        if (application) at = earlier(at, application->next_deadline());
    return at;
}

void AppSessions::follow_role() {
    auto& node = lane_.node;
    const auto epoch = node.role_epoch.load(std::memory_order_acquire);
    if (epoch == role_epoch_) return;
    role_epoch_ = epoch;
    // What the mirror handed over before the change is part of the table.
    take_installs();
    const auto table = node.table_epoch.load(std::memory_order_acquire);
    if (table != table_epoch_) drop_table();
    table_epoch_ = table;
    // The client core ends sessions that must be taken over again.
    retake_epoch_ = node.retake_epoch.load(std::memory_order_acquire);
    const bool was_active = active_;
    active_ = node.role.load(std::memory_order_acquire) == proxy::Role::active;
    if (active_ && !was_active) activate();
    app_.core.role_epoch_done.store(epoch, std::memory_order_release);
}

/// From here on nothing is stored for another node.
void AppSessions::activate() {
    describe_next_ = applications_.size();
    checkpoint_count_ = 0;
    const auto term = lane_.node.term.load(std::memory_order_acquire);
    for (std::size_t service = 0; service < applications_.size(); ++service)
        if (applications_[service]) call(service)->activated(term);
}

void AppSessions::drop_table() {
    for (std::uint32_t slot = 0; slot < sessions_.size(); ++slot) {
        auto& s = sessions_[slot];
        if (s.phase == AppPhase::free) continue;
        if (s.phase == AppPhase::open) application(s)->closed(id_of(slot));
        clear(slot);
    }
    Message m;
    while (app_.to_application.pop(m)) Packet(m.packet).reset();
    outstanding_.clear();
    outstanding_head_ = 0;
    snapshot_next_ = no_slot;
}

void AppSessions::take_messages() {
    for (;;) {
        const auto n = app_.to_application.pop(std::span(messages_));
        for (std::uint32_t i = 0; i < n; ++i) take_message(messages_[i]);
        if (n < messages_.size()) return;
    }
}

void AppSessions::take_message(const Message& m) {
    Packet packet(m.packet);
    const auto slot = m.id.slot;
    if (slot >= sessions_.size()) return s_.counters.add(Counter::stale_message);
    // The client core may know of a new role before us.
    if (!active_ || m.retake_epoch != static_cast<std::uint16_t>(retake_epoch_)) follow_role();
    if (m.kind == MessageKind::open || m.kind == MessageKind::resume) {
        if (!active_) return s_.counters.add(Counter::stale_message);
        return m.kind == MessageKind::open ? take_open(m.id) : take_resume(m.id);
    }
    if (m.kind == MessageKind::over || m.kind == MessageKind::reset) return take_end(m);
    auto& s = sessions_[slot];
    const bool live = s.phase == AppPhase::opening || s.phase == AppPhase::open;
    if (!live || s.generation != m.id.generation)
        return s_.counters.add(packet ? Counter::payload_for_ended : Counter::stale_message);
    switch (m.kind) {
        case MessageKind::established: take_established(slot); break;
        case MessageKind::data: {
            auto* mbuf = packet.release();
            meta(mbuf).next = nullptr;
            (s.tail != nullptr ? meta(s.tail).next : s.head) = mbuf;
            s.tail = mbuf;
            if (s.next == nullptr) s.next = mbuf;
            s.received = meta(mbuf).end();
            ++s.mbufs;
            ++held_;
            break;
        }
        case MessageKind::fin: s.fin_received = true; break;
        default: s_.counters.add(Counter::stale_message); break;
    }
    touch(slot);
}

/// The client core wants an answer for a client's SYN: what the client offers is what it gets.
void AppSessions::take_open(SessionId id) {
    start(id.slot, id.generation);
    auto& s = sessions_[id.slot];
    auto& r = record(id.slot);
    if (!r.window_scaling) r.scale_client = 0;
    constexpr std::uint8_t scale = 7;  // 8 MB of window
    if (!r.cookie) r.scale_to_client = r.window_scaling ? scale : 0;
    r.scale_server = r.scale_to_client;
    r.syn_window = static_cast<std::uint16_t>(std::min<std::uint32_t>(s_.config.limits.session_bytes, 65535));
    // As much as the port takes: no far end asks for less.
    r.leg[index(Side::server)].mss_send = 65535;
    s.phase = AppPhase::opening;
    publish(id.slot);
    post(id.slot, MessageKind::accepted);
}

/// An empty session in the slot, which stays in the lists in which it is.
AppSession& AppSessions::renew(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const bool touched = s.touched, retry = s.retry, listed_short = s.listed_short;
    s = AppSession{};
    s.touched = touched;
    s.retry = retry;
    s.listed_short = listed_short;
    return s;
}

/// Begins the session's slot anew, whatever was in it.
void AppSessions::start(std::uint32_t slot, std::uint32_t generation) {
    clear(slot);
    auto& s = renew(slot);
    s.generation = generation;
    const auto& r = record(slot);
    s.service = r.service;
    const auto options = r.timestamps ? 12 : 0;
    s.segment_size = static_cast<std::uint16_t>(std::clamp<int>(r.leg[index(Side::client)].mss_send - options,
                                                                64, packet_data_room - RTE_PKTMBUF_HEADROOM));
}

void AppSessions::take_established(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (s.phase != AppPhase::opening) return s_.counters.add(Counter::stale_message);
    s.phase = AppPhase::open;
    s_.counters.add(Counter::sessions_opened);
    application(s)->opened(opened_of(slot));
}

/// The client's leg is over: so is the session. Its slot is free when the client core knows that it is here.
void AppSessions::take_end(const Message& m) {
    const auto slot = m.id.slot;
    auto& s = sessions_[slot];
    const bool same = s.phase != AppPhase::free && s.generation == m.id.generation;
    if (same && s.phase == AppPhase::over) return;
    // What was never heard of here, or is over, is released all the same: somebody waits for that.
    if (!same && s.phase != AppPhase::free && s.phase != AppPhase::stored)
        return s_.counters.add(Counter::stale_message);
    if (!same) start(slot, m.id.generation);
    end_session(slot);
    if (m.kind == MessageKind::over) post(slot, MessageKind::over);
    post(slot, MessageKind::released);
}

/// What the session holds is given back; the application and the standby are told.
void AppSessions::end_session(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto phase = s.phase;
    const auto id = id_of(slot);
    const auto epoch = s.epoch;
    const auto pending = s.pending;
    const auto service = s.service;
    clear(slot);
    s.phase = AppPhase::over;
    s.generation = id.generation;
    s.pending = pending;
    s.epoch = epoch;
    if (phase == AppPhase::open) {
        s_.counters.add(Counter::sessions_closed);
        call(service)->closed(id);
    }
    touch(slot);
}

void AppSessions::clear(std::uint32_t slot) {
    auto& s = sessions_[slot];
    const auto phase = s.phase;
    if (phase == AppPhase::free) return;
    note_waiting(slot, false);
    while (s.head != nullptr) {
        auto* next = meta(s.head).next;
        rte_pktmbuf_free(s.head);
        s.head = next;
    }
    held_ -= s.mbufs;
    s.replies.clear(replies_);
    renew(slot);
    // The cell of a slot that was only stored here is not ours, nor is it any more after its end.
    if (phase == AppPhase::stored || phase == AppPhase::over) return;
    auto& c = cell(slot);
    c.edge.store(0, std::memory_order_relaxed);
    c.received.store(0, std::memory_order_relaxed);
    c.announced.store(0, std::memory_order_relaxed);
    c.held_mbufs.store(0, std::memory_order_relaxed);
    c.acknowledged.store(0, std::memory_order_release);
}

void AppSessions::take_cells() {
    app_.dirty.drain([this](std::uint32_t slot) {
        if (sessions_[slot].phase == AppPhase::open) touch(slot);
    });
}

void AppSessions::touch(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (s.touched) return;
    s.touched = true;
    touched_.push_back(slot);
}

/// Serves the slot again in the next cycle: something had no room in this one.
void AppSessions::try_again(std::uint32_t slot) {
    auto& s = sessions_[slot];
    if (s.retry) return;
    s.retry = true;
    retry_.push_back(slot);
}

/// Sends a message that must not be lost; what the ring refuses is sent again.
void AppSessions::post(std::uint32_t slot, MessageKind kind) {
    auto& s = sessions_[slot];
    s.pending = static_cast<std::uint16_t>(s.pending | 1u << static_cast<unsigned>(kind));
    touch(slot);
}

Message AppSessions::message(std::uint32_t slot, MessageKind kind) {
    const auto& s = sessions_[slot];
    Message m{kind, 0, static_cast<std::uint16_t>(retake_epoch_), id_of(slot), 0, nullptr, 0, 0};
    if (kind != MessageKind::resumed) return m;
    const auto& a = s.allowed;
    m.flags = static_cast<std::uint8_t>(
        (s.phase == AppPhase::open ? proxy::resumed::stored : 0) |
        (a.client_fin ? proxy::resumed::client_fin : 0) | (s.lost ? proxy::resumed::lost : 0) |
        (a.una > a.end ? proxy::resumed::our_fin : 0) | (whole_ ? proxy::resumed::sure : 0));
    m.up = a.committed;
    m.down = std::min(a.una, a.end);
    m.length = static_cast<std::uint32_t>(a.end - m.down);
    return m;
}

/// In the order of MessageKind, which is the order of a session's life. False when something is left.
bool AppSessions::send_pending(std::uint32_t slot) {
    auto& s = sessions_[slot];
    for (unsigned kind = 0; s.pending >> kind != 0; ++kind) {
        if ((s.pending >> kind & 1) == 0) continue;
        if (!app_.to_client.push(message(slot, static_cast<MessageKind>(kind)))) {
            s_.counters.add(Counter::ring_refused);
            try_again(slot);
            return false;
        }
        s.pending = static_cast<std::uint16_t>(s.pending & ~(1u << kind));
    }
    return true;
}

}  // namespace holdfast::app
