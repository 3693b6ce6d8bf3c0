#include "cores/protocol/mirror_core.hpp"

#include <rte_hash_crc.h>

#include <algorithm>
#include <string>

#include "cores/protocol/state_record.hpp"
#include "lib/base/random.hpp"

namespace holdfast::protocol {

using namespace literals;
using mirror::Counter;
using proxy::AppEntryKind;
using proxy::JournalKind;

namespace {

constexpr Duration reconnect_after = milliseconds(100);
/// A standby that confirms no record for so long is given up, whatever its TCP and its heartbeats say.
constexpr Duration confirm_max = seconds(2);

std::uint64_t text_hash(std::uint64_t seed, const std::string& text) {
    for (const char c : text) seed = mix64(seed ^ static_cast<std::uint8_t>(c));
    return seed;
}

/// What must be alike on both nodes for a takeover to make sense.
std::uint64_t configuration_hash(const Config& c) {
    std::uint64_t h = 1;
    for (const auto& s : c.services) {
        h = text_hash(h, s.address.to_string());
        h = mix64(h ^ static_cast<std::uint64_t>(s.gate));
        h = mix64(h ^ static_cast<std::uint64_t>(s.application) << 1 ^ (s.degrade ? 1 : 0));
        h = mix64(h ^ static_cast<std::uint64_t>(s.journal_standby));
        // What a server got in front of its client's bytes is not in the record: it follows from it and this.
        h = mix64(h ^ s.proxy_protocol);
        h = mix64(h ^ static_cast<std::uint64_t>(s.mirror_payload));
        for (const auto& b : s.backends) h = text_hash(h, b.to_string());
    }
    // A standby has room for what the active holds.
    if (c.has_applications()) h = mix64(h ^ std::uint64_t{c.limits.replies} << 32 ^ c.limits.reply_bytes);
    if (c.mirrors_payload()) h = mix64(h ^ std::uint64_t{c.limits.payloads} << 32 ^ c.limits.payload_bytes);
    for (const auto& a : c.snat) h = text_hash(h, a.to_string());
    h = mix64(h ^ static_cast<std::uint64_t>(c.guard.lease.ns));
    h = mix64(h ^ static_cast<std::uint64_t>(c.guard.lease_margin.ns));
    h = text_hash(h, c.client.virtual_mac.to_string());
    return text_hash(h, c.server.virtual_mac.to_string());
}

}  // namespace

std::string_view to_string(MirrorState s) {
    static constexpr std::string_view names[] = {"down",    "connecting", "greeting",
                                                 "syncing", "in sync",    "refused"};
    return names[static_cast<std::size_t>(s)];
}

MirrorCore::MirrorCore(const Config& config, std::uint64_t incarnation, proxy::Lane& lane, mirror::Link& link,
                       mirror::MirrorCounters& counters, Ring<Event>& events)
    : config_(config),
      incarnation_(incarnation),
      configuration_(configuration_hash(config)),
      lane_(lane),
      link_(link),
      counters_(counters),
      events_(events),
      image_(config.limits.sessions),
      handed_(config.limits.sessions) {}

void MirrorCore::set_role(proxy::Role role, std::uint64_t term, bool table_empty, Instant now) {
    term_ = term;
    table_empty_ = table_empty;
    if (role == role_) return;
    role_ = role;
    link_.close(now);
    lose(now);
    link_.listen(role == proxy::Role::active);
}

void MirrorCore::drop_image(Instant now) {
    image_.clear();
    link_.close(now);
    lose(now);
}

void MirrorCore::event(EventKind kind, std::uint64_t a, std::uint64_t b, Instant now) {
    if (!events_.push({now, kind, static_cast<std::uint16_t>(refusal_), 0, a, b}))
        counters_.add(Counter::events_lost);
}

std::uint32_t MirrorCore::sessions() const { return lane_.core[0].sessions.load(std::memory_order_relaxed); }

void MirrorCore::lose(Instant now) {
    if (standby_in_sync()) event(EventKind::standby_lost, sessions(), 0, now);
    state_ = MirrorState::down;
    connect_at_ = now + reconnect_after;
    lane_.node.in_sync.store(false, std::memory_order_release);
    lane_.node.mirror_epoch.store(0, std::memory_order_release);
    std::fill_n(has_held_, journal_count, false);
}

bool MirrorCore::send(const mirror::Record& record, Instant now) {
    std::uint8_t bytes[mirror::record_size_max];
    const auto size = mirror::encode(record, bytes);
    const bool written = link_.write({bytes, size}, now);
    if (written) counters_.add(Counter::bytes_sent, size);
    return written;
}

void MirrorCore::send_hello(Instant now) {
    mirror::Hello h;
    h.node_id = static_cast<std::uint8_t>(config_.node_id);
    h.is_active = role_ == proxy::Role::active ? 1 : 0;
    h.slots = config_.limits.sessions;
    h.term = term_;
    h.configuration = configuration_;
    h.incarnation = incarnation_;
    h.shared_clock_ns = now.ns + lane_.node.clock_offset_ns.load(std::memory_order_relaxed);
    send(h, now);
}

void MirrorCore::connection_changed(Instant now) {
    if (link_.state() != mirror::Link::State::established) return lose(now);
    state_ = MirrorState::greeting;
    refusal_ = mirror::Refusal::none;
    // The standby speaks first; the active answers when it has judged it.
    if (role_ == proxy::Role::standby) send_hello(now);
}

void MirrorCore::refuse(mirror::Refusal reason, bool tell, Instant now) {
    refusal_ = reason;
    counters_.add(Counter::connections_refused);
    // The peer asks again every second: one event for each reason.
    if (reason != told_) event(EventKind::mirror_refused, 0, 0, now);
    told_ = reason;
    if (tell) {
        send(mirror::Refused{reason}, now);
        link_.flush(now);
        return;  // the peer closes
    }
    link_.close(now);
    lose(now);
    state_ = MirrorState::refused;
    connect_at_ = now + 1_s;
}

void MirrorCore::take_hello(const mirror::Hello& h, Instant now) {
    auto reason = mirror::Refusal::none;
    const bool active = role_ == proxy::Role::active;
    if (h.configuration != configuration_) reason = mirror::Refusal::configuration;
    if (h.slots != config_.limits.sessions) reason = mirror::Refusal::slots;
    if (h.lanes != 1) reason = mirror::Refusal::lanes;
    if (h.node_id == config_.node_id) reason = mirror::Refusal::same_node;
    if (!active && h.is_active == 0) reason = mirror::Refusal::not_active;
    if (reason != mirror::Refusal::none) return refuse(reason, active, now);
    state_ = MirrorState::syncing;
    syncing_since_ = now;
    if (active) {
        send_hello(now);
        ++epoch_;
        for (std::size_t i = 0; i < journal_count; ++i) {
            epoch_seen_[i] = has_held_[i] = false;
            snapshot_end_[i] = written_[i] = 0;
            lane_.node.confirmed[i].store(0, std::memory_order_relaxed);
        }
        lane_.node.mirror_epoch.store(epoch_, std::memory_order_release);
        return;
    }
    // From here on both nodes count the same clock, whoever is active later.
    lane_.node.clock_offset_ns.store(h.shared_clock_ns - now.ns, std::memory_order_relaxed);
    for (std::size_t i = 0; i < journal_count; ++i) {
        stored_[i] = confirmed_[i] = 0;
        ended_[i] = false;
    }
    confirmed_ready_ = false;
    sweep_next_ = 0;
    application_end_ = 0;
    ++connection_;
    image_.begin_snapshot();
    if (lane_.application) push_install(AppEntryKind::describe, connection_, 0);
}

/// An active has one kind of record for a core.
bool MirrorCore::may_read() const {
    if (role_ == proxy::Role::standby) return installs_have_room();
    return !lane_.application || lane_.application->install.free_count() >= 4;
}

bool MirrorCore::installs_have_room() const {
    // One record makes at most three entries for each core.
    return lane_.install[0].free_count() >= 4 && lane_.install[1].free_count() >= 4 &&
           (!lane_.application || lane_.application->install.free_count() >= 4) &&
           (!lane_.payload ||
            (lane_.payload->install[0].free_count() >= 4 && lane_.payload->install[1].free_count() >= 4));
}

bool MirrorCore::take_opened(const mirror::Opened& o) {
    // No packet could be made between ends of two families.
    for (const auto& leg : o.record.leg)
        if (leg.local.address.is_v4() != leg.remote.address.is_v4()) return false;
    // Both nodes have the same services.
    const auto gates = static_cast<Gate>(o.record.gates);
    if (has(gates, served_here) && !lane_.application) return false;
    if (has(gates, Gate::standby) && !has(gates, served_here) && !lane_.payload) return false;
    switch (image_.opened(o.record)) {
        case mirror::Image::Verdict::stale: counters_.add(Counter::records_stale); return true;
        case mirror::Image::Verdict::out_of_range: counters_.add(Counter::records_out_of_range); return true;
        case mirror::Image::Verdict::news: break;
    }
    const auto id = o.record.id;
    lane_.records[id.slot] = o.record;
    hand_over(id, proxy::InstallKind::install);
    for (const auto side : {Side::client, Side::server})
        if (const auto p = image_.early_progress(id, side))
            lane_.install[index(side)].push({proxy::InstallKind::progress, {}, id, 0, *p});
    return true;
}

bool MirrorCore::take_progress(const mirror::Progress& p) {
    switch (image_.progress(p.record)) {
        case mirror::Image::Verdict::stale: counters_.add(Counter::records_stale); break;
        case mirror::Image::Verdict::out_of_range: counters_.add(Counter::records_out_of_range); break;
        case mirror::Image::Verdict::news:
            lane_.install[index(p.record.side)].push(
                {proxy::InstallKind::progress, {}, p.record.id, 0, p.record});
    }
    return true;
}

bool MirrorCore::take_closed(const mirror::Closed& c) {
    if (image_.closed(c.record.id) == mirror::Image::Verdict::news)
        hand_over(c.record.id, proxy::InstallKind::remove);
    // The application core's own word of it may not have come before the active died.
    if (lane_.application && c.record.id.slot < lane_.slots &&
        has(static_cast<Gate>(lane_.records[c.record.id.slot].gates), served_here))
        end_application(c.record.id);
    return true;
}

/// What is on its way to an endpoint: the core that would send it stores it.
bool MirrorCore::take_payload(const mirror::Payload& p) {
    const auto& r = p.record;
    stored_[index(payload_journal_of(r.side))] = p.sequence;
    if (!lane_.payload) return false;
    if (r.id.slot >= lane_.slots) {
        counters_.add(Counter::records_out_of_range);
        return true;
    }
    auto& e = install_payload_;
    e.kind = JournalKind::progress;
    e.record = r;
    lane_.payload->install[index(r.side)].push(e);
    return true;
}

/// A journal's epoch begins, or its snapshot ends.
void MirrorCore::take_marks(Journal journal, bool ends, std::uint64_t sequence) {
    if (journal == Journal::application) {
        if (!lane_.application) return;
        if (ends) application_end_ = sequence;
        return push_install(ends ? AppEntryKind::snapshot_end : AppEntryKind::epoch_start, connection_,
                            sequence);
    }
    for (const auto side : {Side::client, Side::server})
        if (journal == payload_journal_of(side) && lane_.payload) {
            install_payload_.kind = ends ? JournalKind::snapshot_end : JournalKind::epoch_start;
            install_payload_.record.size = 0;
            lane_.payload->install[index(side)].push(install_payload_);
        }
    if (!ends) return;
    stored_[index(journal)] = sequence;
    ended_[index(journal)] = true;
}

void MirrorCore::take_confirm(const mirror::Confirm& c, Instant now) {
    counters_.add(Counter::confirmations_received);
    for (std::size_t i = 0; i < journal_count; ++i)
        if (c.sequence[i] > lane_.node.confirmed[i].load(std::memory_order_relaxed)) {
            lane_.node.confirmed[i].store(c.sequence[i], std::memory_order_release);
            confirmed_at_ = now;
        }
    ++progress_;
    bool whole = true;
    for (std::size_t i = 0; i < journal_count; ++i)
        whole = whole && (!is_written(i) || (snapshot_end_[i] != 0 && c.sequence[i] >= snapshot_end_[i]));
    if (state_ == MirrorState::syncing && whole && c.ready != 0) {
        state_ = MirrorState::in_sync;
        told_ = mirror::Refusal::none;
        counters_.add(Counter::snapshots_finished);
        lane_.node.in_sync.store(true, std::memory_order_release);
        event(EventKind::standby_ready, sessions(),
              static_cast<std::uint64_t>((now - syncing_since_).to_us()), now);
    }
}

/// One record; false when the stream makes no sense any more.
bool MirrorCore::take(const mirror::Record& record, Instant now) {
    if (const auto* h = std::get_if<mirror::Hello>(&record)) {
        if (state_ != MirrorState::greeting) return false;
        take_hello(*h, now);
        return true;
    }
    if (const auto* r = std::get_if<mirror::Refused>(&record)) {
        refuse(r->reason, false, now);
        return true;
    }
    if (state_ != MirrorState::syncing && state_ != MirrorState::in_sync) return false;
    if (const auto* d = std::get_if<mirror::Described>(&record))
        return role_ == proxy::Role::active && take_described(*d);
    if (role_ == proxy::Role::active) {
        const auto* c = std::get_if<mirror::Confirm>(&record);
        if (c != nullptr) take_confirm(*c, now);
        return c != nullptr;
    }
    counters_.add(Counter::records_received);
    ++progress_;
    if (const auto* e = std::get_if<mirror::EpochStart>(&record)) {
        take_marks(e->journal, false, 0);
        return true;
    }
    if (const auto* a = std::get_if<mirror::Application>(&record)) return take_application(*a);
    if (const auto* s = std::get_if<mirror::State>(&record)) return take_state(*s);
    if (const auto* p = std::get_if<mirror::Payload>(&record)) return take_payload(*p);
    if (const auto* o = std::get_if<mirror::Opened>(&record)) {
        stored_[index(Side::client)] = o->sequence;
        return take_opened(*o);
    }
    if (const auto* p = std::get_if<mirror::Progress>(&record)) {
        stored_[index(p->record.side)] = p->sequence;
        return take_progress(*p);
    }
    if (const auto* c = std::get_if<mirror::Closed>(&record)) {
        stored_[index(Side::client)] = c->sequence;
        return take_closed(*c);
    }
    if (const auto* e = std::get_if<mirror::SnapshotEnd>(&record)) {
        take_marks(e->journal, true, e->sequence);
        return true;
    }
    return false;
}

/// A slot is used anew: its record must not change under a core that has not yet done with the one before.
bool MirrorCore::replaces_what_cores_read(const mirror::Decoded& d) const {
    if (role_ != proxy::Role::standby || d.verdict != mirror::Decoded::Verdict::complete) return false;
    const auto* o = std::get_if<mirror::Opened>(&d.record);
    return o != nullptr && o->record.id.slot < handed_.size() && handed_[o->record.id.slot] > drains_;
}

/// An entry is done with when the rings were empty once and both cores have run a cycle since.
void MirrorCore::note_drained() {
    if (lane_.install[0].count() != 0 || lane_.install[1].count() != 0) {
        drain_seen_ = false;
        return;
    }
    std::uint64_t cycles[2];
    for (int i = 0; i < 2; ++i) cycles[i] = lane_.core[i].cycles.load(std::memory_order_acquire);
    if (drain_seen_ && cycles[0] != drain_cycles_[0] && cycles[1] != drain_cycles_[1]) {
        ++drains_;
        drain_seen_ = false;
    } else if (!drain_seen_) {
        drain_seen_ = true;
        drain_cycles_[0] = cycles[0];
        drain_cycles_[1] = cycles[1];
    }
}

void MirrorCore::hand_over(SessionId id, proxy::InstallKind kind) {
    // What is handed over between the two looks of a drain is not part of it.
    handed_[id.slot] = drains_ + 2;
    lane_.install[index(Side::client)].push({kind, {}, id, 0, {}});
    // An application has no server leg; its core has records of its own.
    const auto gates = static_cast<Gate>(lane_.records[id.slot].gates);
    if (kind == proxy::InstallKind::install && has(gates, served_here)) return;
    lane_.install[index(Side::server)].push({kind, {}, id, 0, {}});
}

std::uint32_t MirrorCore::read_records(Instant now) {
    std::uint32_t n = 0;
    while (link_.state() == mirror::Link::State::established) {
        if (!may_read()) {
            counters_.add(Counter::install_waits);
            break;
        }
        const auto d = mirror::decode(link_.readable());
        if (d.verdict == mirror::Decoded::Verdict::incomplete) break;
        if (replaces_what_cores_read(d)) {
            counters_.add(Counter::install_waits);
            break;
        }
        if (d.verdict == mirror::Decoded::Verdict::other_version) {
            refuse(mirror::Refusal::version, false, now);
            break;
        }
        if (d.verdict == mirror::Decoded::Verdict::malformed || !take(d.record, now)) {
            counters_.add(Counter::records_malformed);
            link_.close(now);
            break;
        }
        if (link_.state() == mirror::Link::State::established) link_.consume(d.size);
        ++n;
    }
    return n;
}

bool MirrorCore::write_entry(const proxy::JournalEntry& e, Instant now) {
    mirror::Record record;
    const auto journal = journal_of(e.side);
    switch (e.kind) {
        case JournalKind::epoch_start: record = mirror::EpochStart{journal, e.epoch}; break;
        case JournalKind::opened: record = mirror::Opened{e.sequence, e.opened}; break;
        case JournalKind::progress: record = mirror::Progress{e.sequence, e.progress}; break;
        case JournalKind::closed: record = mirror::Closed{e.sequence, e.closed}; break;
        case JournalKind::snapshot_end: record = mirror::SnapshotEnd{journal, e.sequence}; break;
    }
    return write_record(record, journal, e.kind == JournalKind::snapshot_end, e.sequence, now);
}

bool MirrorCore::write_entry(const proxy::ApplicationEntry& e, Instant now) {
    mirror::Record record;
    constexpr auto journal = Journal::application;
    switch (e.kind) {
        case AppEntryKind::epoch_start: record = mirror::EpochStart{journal, e.epoch}; break;
        case AppEntryKind::progress:
        case AppEntryKind::closed: record = mirror::Application{e.sequence, e.record}; break;
        case AppEntryKind::state: record = mirror::State{e.sequence, state_record(e)}; break;
        case AppEntryKind::snapshot_end: record = mirror::SnapshotEnd{journal, e.sequence}; break;
        case AppEntryKind::describe:
        case AppEntryKind::described: return true;  // a standby's
    }
    return write_record(record, journal, e.kind == AppEntryKind::snapshot_end, e.sequence, now);
}

bool MirrorCore::write_entry(const proxy::PayloadEntry& e, Instant now) {
    mirror::Record record = mirror::Payload{e.sequence, e.record};
    const auto journal = payload_journal_of(e.record.side);
    if (e.kind == JournalKind::epoch_start) record = mirror::EpochStart{journal, e.epoch};
    if (e.kind == JournalKind::snapshot_end) record = mirror::SnapshotEnd{journal, e.sequence};
    return write_record(record, journal, e.kind == JournalKind::snapshot_end, e.sequence, now);
}

bool MirrorCore::write_record(const mirror::Record& record, Journal journal, bool snapshot_end,
                              std::uint64_t sequence, Instant now) {
    std::uint8_t bytes[mirror::record_size_max];
    const auto size = mirror::encode(record, bytes);
    if (!link_.write({bytes, size}, now)) return false;
    written_[index(journal)] = sequence;
    if (snapshot_end) snapshot_end_[index(journal)] = sequence;
    counters_.add(Counter::records_sent);
    counters_.add(Counter::bytes_sent, size);
    return true;
}

template <class Entry>
std::uint32_t MirrorCore::drain_journal(Journal journal, Ring<Entry>& ring, Entry& held, Instant now) {
    const bool wanted =
        role_ == proxy::Role::active && (state_ == MirrorState::syncing || state_ == MirrorState::in_sync);
    auto& has_held = has_held_[index(journal)];
    auto& epoch_seen = epoch_seen_[index(journal)];
    // Entries are discarded until the epoch's own start mark comes by.
    for (std::uint32_t n = 0;; ++n) {
        if (!has_held && !ring.pop(held)) return n;
        has_held = true;
        if (wanted && held.epoch == epoch_ && held.kind == decltype(held.kind)::epoch_start)
            epoch_seen = true;
        if (!wanted || held.epoch != epoch_ || !epoch_seen) counters_.add(Counter::journal_stale);
        else if (!write_entry(held, now)) return n;  // to wait is no work: the standby may need this CPU
        has_held = false;
    }
}

/// Group commit: all that the cores wrote since the last cycle goes out in as few segments as it fits.
std::uint32_t MirrorCore::drain_journals(Instant now) {
    auto n = drain_journal(Journal::client, lane_.journal[0], held_[0], now) +
             drain_journal(Journal::server, lane_.journal[1], held_[1], now);
    if (lane_.application && role_ == proxy::Role::standby) n += pass_descriptions(now);
    else if (lane_.application)
        n += drain_journal(Journal::application, lane_.application->journal, held_application_, now);
    // Bytes come last: a session's record does not wait for another one's payload.
    if (lane_.payload)
        for (const auto side : {Side::client, Side::server})
            n += drain_journal(payload_journal_of(side), lane_.payload->journal[index(side)],
                               held_payload_[index(side)], now);
    return n;
}

/// Whether some core of this lane writes that journal.
bool MirrorCore::is_written(std::size_t journal) const {
    if (journal == index(Journal::application)) return lane_.application != nullptr;
    return journal < index(Journal::application) || lane_.payload != nullptr;
}

bool MirrorCore::all_ended() const {
    for (std::size_t i = 0; i < journal_count; ++i)
        if (is_written(i) && !ended_[i]) return false;
    return true;
}

/// After the snapshot: sessions that it did not name are gone from the active, and go from here.
std::uint32_t MirrorCore::sweep() {
    if (role_ != proxy::Role::standby || state_ != MirrorState::syncing || !all_ended()) return 0;
    std::uint32_t n = 0;
    for (; installs_have_room(); ++n) {
        const auto id = image_.sweep(sweep_next_);
        if (!id) {
            state_ = MirrorState::in_sync;
            told_ = mirror::Refusal::none;
            break;
        }
        hand_over(*id, proxy::InstallKind::remove);
    }
    return n;
}

void MirrorCore::confirm(Instant now) {
    if (role_ != proxy::Role::standby || (state_ != MirrorState::syncing && state_ != MirrorState::in_sync))
        return;
    const bool ready = state_ == MirrorState::in_sync;
    if (std::equal(stored_, stored_ + journal_count, confirmed_) && ready == confirmed_ready_) return;
    mirror::Confirm c;
    for (std::size_t i = 0; i < journal_count; ++i) c.sequence[i] = confirmed_[i] = stored_[i];
    c.ready = (confirmed_ready_ = ready) ? 1 : 0;
    send(c, now);
    counters_.add(Counter::confirmations_sent);
}

bool MirrorCore::awaits_confirmation() const {
    if (role_ != proxy::Role::active || (state_ != MirrorState::syncing && state_ != MirrorState::in_sync))
        return false;
    for (std::size_t i = 0; i < journal_count; ++i)
        if (written_[i] > lane_.node.confirmed[i].load(std::memory_order_relaxed)) return true;
    return false;
}

bool MirrorCore::standby_stalls(Instant now) {
    if (!awaits_confirmation()) confirmed_at_ = now;
    return now - confirmed_at_ > confirm_max;
}

std::uint32_t MirrorCore::advance(Instant now) {
    link_.advance(now);
    if (standby_stalls(now)) {
        counters_.add(Counter::standby_stalled);
        link_.close(now);
    }
    if (link_.take_changed()) connection_changed(now);
    if (role_ == proxy::Role::standby && table_empty_ && link_.state() == mirror::Link::State::closed &&
        now >= std::max(connect_at_, refused_until_)) {
        link_.connect(now);
        state_ = state_ == MirrorState::refused ? state_ : MirrorState::connecting;
        connect_at_ = now + reconnect_after;
    }
    note_drained();
    auto work = read_records(now);
    if (link_.take_changed()) connection_changed(now);
    work += drain_journals(now);
    note_application_stored(now);
    work += sweep();
    confirm(now);
    link_.flush(now);
    return work;
}

Instant MirrorCore::next_deadline() const {
    auto at = link_.next_deadline();
    if (role_ == proxy::Role::standby && link_.state() == mirror::Link::State::closed)
        at = earlier(at, std::max(connect_at_, refused_until_));
    if (awaits_confirmation()) at = earlier(at, confirmed_at_ + confirm_max);
    return at;
}

}  // namespace holdfast::protocol
