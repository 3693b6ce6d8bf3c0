#include "engine/journal/journals.hpp"

#include "cores/app/journal.hpp"
#include "cores/app/journal_bar.hpp"
#include "engine/control/log.hpp"

namespace holdfast::engine {

struct Journals::Journal {
    Journal(const Config& config, std::uint64_t service_number)
        : number(service_number),
          service(config.services[service_number]),
          module("journal." + service.name),
          slots(config.limits.sessions),
          contents(slots),
          store({service.journal_dir, service.journal_bytes_max},
                [this](const journal::Record& r, journal::LogPosition at) { return contents.add(r, at); }) {}

    std::uint64_t number;
    ServiceConfig service;
    std::string module;
    app::JournalCounters counters;
    std::uint32_t slots;
    journal::Contents contents;
    DiskStore store;

    void tell_disk(Instant now, const EventSink& tell);
    void tell_set_aside(Instant now, const EventSink& tell);
    void tell_bar(Instant now, const EventSink& tell);
    app::JournalBar bar() const;

    bool holds = false;                                                    ///< and that was told
    std::uint64_t asides = 0;                                              ///< told
    std::uint64_t differ = 0, refused = 0, not_aside = 0, read_again = 0;  ///< counts at the last look
    app::JournalBar told_bar = app::JournalBar::none;
    Instant barred_at{};
};

Journals::Journals(const Config& config, std::uint64_t author) : author_(author) {
    for (std::size_t i = 0; i < config.services.size(); ++i) {
        const auto& service = config.services[i];
        if (service.application != ApplicationKind::journal) continue;
        const auto& j = *journals_.emplace_back(std::make_unique<Journal>(config, i));
        say("journal of " + service.name + ": " + service.journal_dir + ", " + std::to_string(j.store.end()) +
            " bytes" +
            (j.store.repaired() == 0 ? ""
                                     : "; a torn tail of " + std::to_string(j.store.repaired()) +
                                           " bytes, not acknowledged, was cut off"));
    }
}

Journals::~Journals() = default;

app::ApplicationFactory Journals::factory(app::ApplicationFactory others) {
    return [this, others = std::move(others)](const ServiceConfig& service,
                                              app::Channel& channel) -> std::unique_ptr<app::Application> {
        for (auto& j : journals_)
            if (j->service.name == service.name)
                return std::make_unique<app::Journal>(
                    channel, j->store, j->contents, j->counters,
                    app::JournalSettings{service.name, j->slots,
                                         service.journal_standby == JournalStandby::durable, author_,
                                         service.degrade});
        return others(service, channel);
    };
}

void Journals::for_each_counter(const protocol::CounterVisitor& visit) const {
    for (const auto& j : journals_) {
        for (std::size_t i = 0; i < app::JournalCounters::size; ++i)
            visit({j->module, app::journal_counter_rows[i].name, app::journal_counter_rows[i].help,
                   j->counters.get(i)});
        visit({j->module, "disk_failures", "writes, syncs and reads that failed, and are tried again",
               j->store.status().failures.load(std::memory_order_relaxed)});
    }
}

void Journals::poll(Instant now, const EventSink& tell) {
    for (auto& j : journals_) {
        j->tell_disk(now, tell);
        j->tell_set_aside(now, tell);
        j->tell_bar(now, tell);
    }
}

void Journals::Journal::tell_disk(Instant now, const EventSink& tell) {
    const auto error = store.status().error.load(std::memory_order_relaxed);
    const bool held = error != 0 || store.status().full.load(std::memory_order_relaxed);
    if (held == holds) return;
    holds = held;
    tell({now, holds ? EventKind::journal_holds : EventKind::journal_goes_on, 0, 0, number,
          static_cast<std::uint64_t>(error)});
}

void Journals::Journal::tell_set_aside(Instant now, const EventSink& tell) {
    const auto& status = store.status();
    const auto count = status.asides.load(std::memory_order_acquire);
    if (count == asides) return;
    asides = count;
    const auto bytes = status.aside_bytes.load(std::memory_order_relaxed);
    tell({now, EventKind::journal_set_aside, 0, 0, number, bytes});
    const auto name = set_aside_name(status.aside_term.load(std::memory_order_relaxed),
                                     status.aside_at.load(std::memory_order_relaxed),
                                     status.aside_nth.load(std::memory_order_relaxed));
    say("journal of " + service.name + ": " + std::to_string(bytes) +
        " bytes that the active does not have, and that may have been acknowledged, are in " +
        (std::filesystem::path(service.journal_dir) / name).string());
}

/// Why this look found a standby barred.
app::JournalBar Journals::Journal::bar() const {
    using app::JournalBar;
    using app::JournalCounter;
    const auto moved = [this](JournalCounter c, std::uint64_t before) { return counters.get(c) != before; };
    if (moved(JournalCounter::logs_differ, differ)) return JournalBar::logs_differ;
    // One that reads its log again is ready when it has.
    if (!moved(JournalCounter::pieces_refused, refused) || moved(JournalCounter::read_again, read_again))
        return JournalBar::none;
    const auto& status = store.status();
    if (moved(JournalCounter::not_set_aside, not_aside))
        return status.aside_full.load(std::memory_order_relaxed) ? JournalBar::aside_full : JournalBar::disk;
    if (status.full.load(std::memory_order_relaxed)) return JournalBar::full;
    return status.error.load(std::memory_order_relaxed) != 0 ? JournalBar::disk : JournalBar::slow;
}

/// Once for a reason, as long as it is met again and again: who is refused tries anew.
void Journals::Journal::tell_bar(Instant now, const EventSink& tell) {
    constexpr Duration over_after = seconds(10);
    const auto why = bar();
    differ = counters.get(app::JournalCounter::logs_differ);
    refused = counters.get(app::JournalCounter::pieces_refused);
    not_aside = counters.get(app::JournalCounter::not_set_aside);
    read_again = counters.get(app::JournalCounter::read_again);
    if (why == app::JournalBar::none) {
        if (now - barred_at >= over_after) told_bar = why;
        return;
    }
    barred_at = now;
    if (why == told_bar) return;
    told_bar = why;
    tell({now, EventKind::journal_bars_sync, static_cast<std::uint16_t>(why), 0, number, 0});
}

}  // namespace holdfast::engine
