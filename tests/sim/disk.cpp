#include "tests/sim/disk.hpp"

#include <algorithm>

#include "lib/journal/segment.hpp"

namespace holdfast::sim {

using journal::Kind;

// ---- one disk ----

Disk::Found Disk::find(const Endpoint& client) const {
    const auto it = kept_.find(client);
    if (it == kept_.end()) return {};
    Found found{it->second.bytes(), 0, it->second.ended};
    for (const auto& [end, bytes] : it->second.ends)
        if (end <= durable()) found.durable = bytes;
    return found;
}

std::unique_ptr<app::Journal> Disk::start(app::Channel& channel, const app::JournalSettings& settings,
                                          bool power_failed) {
    if (power_failed) store_.lose();
    else store_.cut();  // what a process has written the kernel has
    read_all();
    contents_ = journal::Contents(settings.sessions);
    journal::Term term;
    journal::scan_segment(
        store_.log, 0, store_.mark(), term,
        [this](const journal::Record& r, journal::LogPosition at) { return contents_.add(r, at); });
    return std::make_unique<app::Journal>(channel, *this, contents_, counters_, settings);
}

void Disk::set_speed(Duration delay, std::size_t buffer, bool slow_reads) {
    store_.delay = delay;
    store_.buffer = buffer;
    store_.slow_reads = slow_reads;
}

bool Disk::append(std::span<const std::uint8_t> record) {
    const auto at = end();
    if (!store_.append(record)) return false;
    take_records(record, at);
    return true;
}

void Disk::truncate(journal::LogPosition to, const journal::Term& term) {
    store_.truncate(to, term);
    read_all();
}

void Disk::read_all() {
    kept_.clear();
    clients_by_number_.clear();
    term_ = {};
    take_records(store_.log, 0);
}

void Disk::take_records(std::span<const std::uint8_t> bytes, journal::LogPosition at) {
    const auto scan = journal::scan_segment(bytes, at, 0, term_,
                                            [this](const journal::Record& r, journal::LogPosition where) {
                                                take(r, where);
                                                return true;
                                            });
    if (scan.end != at + bytes.size()) violate("no sound record at " + std::to_string(scan.end));
}

void Disk::take(const journal::Record& r, journal::LogPosition at) {
    if (r.kind == Kind::term) return;
    if (r.kind != Kind::opened) return take_data(r, at);
    const auto party = journal::decode_party(r.body);
    if (!party || !clients_.contains(party->client)) return violate("a session of nobody");
    if (!kept_.try_emplace(party->client, Kept{r.number, {}, false}).second)
        violate(party->client.to_string() + " has two sessions");
    clients_by_number_[r.number] = party->client;
}

/// Each byte stands there once, at its place, and is what its client says.
void Disk::take_data(const journal::Record& r, journal::LogPosition at) {
    const auto who = clients_by_number_.find(r.number);
    if (who == clients_by_number_.end()) return violate("a record of no session");
    auto& kept = kept_.at(who->second);
    const auto name = who->second.to_string();
    if (kept.ended || r.offset != kept.bytes())
        return violate(name + ": a record of offset " + std::to_string(r.offset) + " behind " +
                       std::to_string(kept.bytes()) + " bytes" + (kept.ended ? " and the end" : ""));
    if (const auto wrong = clients_.at(who->second).says.first_difference(r.offset, r.body))
        return violate(name + ": another byte than was said at " + std::to_string(*wrong));
    kept.ended = r.kind == Kind::end;
    kept.ends.emplace_back(at + journal::record_header_size + r.body.size(), r.offset + r.body.size());
}

// ---- the disks of a pair ----

namespace {

/// More of a client's stream than what a disk has of it was acknowledged.
std::string missing(const Endpoint& client, const ClientView& told, std::uint64_t bytes, bool ended) {
    return client.to_string() + ": " + std::to_string(told.acknowledged) + " bytes" +
           (told.end_acknowledged ? " and the end" : "") + " are acknowledged, there are " +
           std::to_string(bytes) + (ended ? " and the end" : "");
}

}  // namespace

Disks::Disks(BackingParts parts)
    : p_(std::move(parts)),
      standby_durable_((mix64(p_.seed ^ 0xd15c) & 1) != 0),
      disks_{Disk(p_.journal, p_.clients, "a"), Disk(p_.journal, p_.clients, "b")} {
    Random random(mix64(p_.seed ^ 0xd15d));
    for (auto& disk : disks_)
        disk.set_speed(microseconds(random.between(1, 1 << random.between(4, 13))),
                       std::size_t{1} << random.between(16, 20), random.below(2) == 0);
}

void Disks::equip(std::size_t i, MachineOptions& options) {
    auto& service = options.config.services[0];
    service.application = ApplicationKind::journal;
    service.journal_standby = standby_durable_ ? JournalStandby::durable : JournalStandby::memory;
    options.application = [this, i, sessions = options.config.limits.sessions](
                              std::uint64_t life,
                              app::Channel& channel) -> std::unique_ptr<app::Application> {
        const auto drawn = mix64(p_.seed ^ life << 8 ^ i);
        return disks_[i].start(channel, {"sim", sessions, standby_durable_, drawn | 1}, (drawn & 2) != 0);
    };
}

void Disks::begin() {
    for (std::size_t n = 0; n < p_.outages.size(); ++n)
        for (const bool over : {false, true}) {
            const auto& o = p_.outages[n];
            p_.scheduler.at(p_.scheduler.now() + o.begins + (over ? o.lasts : Duration{}), *this,
                            2 * n + (over ? 1 : 0));
        }
}

void Disks::wake(std::uint64_t token, const Frame&) {
    const auto i = p_.outages[token / 2].machine;
    failing_[i] += token % 2 == 0 ? 1u : ~0u;
    disks_[i].set_failing(failing_[i] > 0);
    if (p_.journal.verbose())
        p_.journal.print("disk of " + std::string(i == 0 ? "a" : "b") +
                         (failing_[i] > 0 ? " fails" : " works"));
}

/// The speaker has it, and it is durable: here, or where it was before a takeover.
void Disks::judge_acknowledgment(std::size_t speaker, const Endpoint& client, const ClientView& told) {
    const auto here = disks_[speaker].find(client), there = disks_[1 - speaker].find(client);
    const auto durable = std::max(here.durable, there.durable);
    if (here.held < told.acknowledged || durable < told.acknowledged ||
        (told.end_acknowledged && !here.ended))
        p_.journal.violate("journal", missing(client, told, std::min(here.held, durable), here.ended));
}

/// What was acknowledged can be read back from the one that lives.
void Disks::judge_survivor(std::size_t survivor) {
    for (const auto& [client, told] : p_.clients) {
        const auto found = disks_[survivor].find(client);
        const auto bytes = standby_durable_ ? found.durable : found.held;
        if (bytes < told.acknowledged || (told.end_acknowledged && !found.ended))
            p_.journal.violate("journal", "the survivor: " + missing(client, told, bytes, found.ended));
    }
}

/// Both logs have every stream.
void Disks::judge_end() {
    for (const auto& disk : disks_)
        for (const auto& [client, told] : p_.clients)
            if (const auto found = disk.find(client); found.held != told.bytes || !found.ended)
                p_.journal.violate("journal",
                                   "in the end: " + missing(client, told, found.held, found.ended));
}

}  // namespace holdfast::sim
