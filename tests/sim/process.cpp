#include "tests/sim/process.hpp"

#include <algorithm>

namespace holdfast::sim {
namespace {

constexpr Duration idle_cycle = microseconds(500), timeout = milliseconds(100);

}  // namespace

// ---- one process ----

Process::Process(const BackingParts& parts, ConfirmedBook& confirmed, std::string name, std::uint64_t seed)
    : p_(parts),
      confirmed_(confirmed),
      name_(std::move(name)),
      random_(seed),
      laziness_(1 + random_.below(24)) {}

void Process::start() {
    ++life_;
    client_ = std::make_unique<host::Client>(own_, *this);
    p_.scheduler.at(p_.scheduler.now(), *this, life_);
    if (p_.journal.verbose()) p_.journal.print("process of " + name_ + " starts");
}

void Process::kill() {
    if (client_ == nullptr) return;
    ++life_;
    client_.reset();
    sessions_.clear();
    cable_.cut();
    machine_->wake_applications();
    if (p_.journal.verbose()) p_.journal.print("process of " + name_ + " dies");
}

void Process::wake(std::uint64_t life, const Frame&) {
    if (life != life_) return;
    const auto now = p_.scheduler.now();
    if (now < stalled_until_) return p_.scheduler.at(stalled_until_, *this, life_);
    if (machine_->alive()) cable_.up = true;
    const auto done = client_->poll(now);
    for (auto& [slot, s] : sessions_)
        if (random_.below(laziness_) == 0) answer(s);
    if (!cable_.frames[0].empty()) machine_->wake_applications();
    p_.scheduler.at(now + (done > 0 ? microseconds(random_.between(10, 200)) : idle_cycle), *this, life_);
}

/// What was acknowledged never comes again, and what was not confirmed does.
void Process::opened(const host::Opened& o) {
    auto& s = sessions_[o.session.slot] = {o.session, o.client,    o.committed, o.replied,
                                           {},        o.end_taken, o.finished};
    const auto it = p_.clients.find(o.client);
    if (it == p_.clients.end()) return violate(s, "it is none of the clients");
    const auto confirmed = confirmed_[o.client].bytes;
    if (o.committed < it->second.acknowledged || o.committed > confirmed)
        violate(s, "it is to go on at " + std::to_string(o.committed) + ", " +
                       std::to_string(it->second.acknowledged) + " are acknowledged and " +
                       std::to_string(confirmed) + " were confirmed");
}

/// The word for a byte is drawn, but for those that an earlier life has said.
void Process::bytes(host::Session session, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
    auto& s = sessions_.at(session.slot);
    if (offset != s.received)
        return violate(s, "offset " + std::to_string(offset) + " after " + std::to_string(s.received));
    if (const auto wrong = p_.clients.at(s.client).says.first_difference(offset, bytes))
        return violate(s, "another byte than was said at " + std::to_string(*wrong));
    const auto said = s.replied + s.words.size();
    for (auto o = std::max(said, offset); o < offset + bytes.size(); ++o)
        s.words.push_back(static_cast<std::uint8_t>(random_.next()));
    s.received = offset + bytes.size();
}

void Process::ended(host::Session session, std::uint64_t end) {
    auto& s = sessions_.at(session.slot);
    s.ended = true;
    if (end != s.received || end != p_.clients.at(s.client).bytes)
        violate(s, "the end at " + std::to_string(end) + " after " + std::to_string(s.received));
}

void Process::answer(Served& s) {
    const auto n = client_->reply(s.id, s.words);
    s.words.erase(s.words.begin(), s.words.begin() + static_cast<std::ptrdiff_t>(n));
    s.replied += n;
    auto& confirmed = confirmed_[s.client];
    const auto upto = std::min(s.received, s.replied);
    confirmed.bytes = std::max(confirmed.bytes, upto);
    client_->confirm(s.id, upto);
    if (!s.ended || s.done || !s.words.empty()) return;
    s.done = confirmed.end = true;
    client_->confirm_end(s.id);
    client_->finish(s.id);
}

void Process::violate(const Served& s, const std::string& text) {
    p_.journal.violate("host", "process of " + name_ + ", " + s.client.to_string() + ": " + text);
}

// ---- the processes of a pair ----

Processes::Processes(BackingParts parts)
    : p_(std::move(parts)),
      processes_{Process(p_, confirmed_, "a", mix64(p_.seed ^ 0xa)),
                 Process(p_, confirmed_, "b", mix64(p_.seed ^ 0xb))} {}

void Processes::equip(std::size_t i, MachineOptions& options) {
    auto& service = options.config.services[0];
    service.application = ApplicationKind::none;
    service.gate = Gate::host | Gate::standby;
    service.host = "link";
    service.host_timeout = timeout;
    options.host_link = [this, i](const ServiceConfig&) -> host::Link& { return processes_[i].link(); };
}

void Processes::attach(std::size_t i, Machine& machine) {
    processes_[i].attach(machine);
    processes_[i].start();
}

void Processes::begin() {
    for (std::size_t n = 0; n < p_.outages.size(); ++n)
        p_.scheduler.at(p_.scheduler.now() + p_.outages[n].begins, *this, 2 * n);
}

/// Every second outage is a stall.
void Processes::wake(std::uint64_t token, const Frame&) {
    const auto& o = p_.outages[token / 2];
    auto& process = processes_[o.machine];
    const auto over = p_.scheduler.now() + o.lasts;
    if (token % 2 == 1) {
        process.kill();  // another outage may have started it
        return process.start();
    }
    if (token / 2 % 2 == 1) return process.stall(over);
    process.kill();
    p_.scheduler.at(over, *this, token + 1);
}

void Processes::judge_acknowledgment(std::size_t, const Endpoint& client, const ClientView& told) {
    const auto& confirmed = confirmed_[client];
    if (told.acknowledged > confirmed.bytes || (told.end_acknowledged && !confirmed.end))
        p_.journal.violate("host", client.to_string() + ": " + std::to_string(told.acknowledged) + " bytes" +
                                       (told.end_acknowledged ? " and the end" : "") +
                                       " are acknowledged, the processes have confirmed " +
                                       std::to_string(confirmed.bytes) +
                                       (confirmed.end ? " and the end" : ""));
}

}  // namespace holdfast::sim
