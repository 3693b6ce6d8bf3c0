#include "engine/journal/journals.hpp"

#include "cores/app/journal.hpp"
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
    bool holds = false;  ///< and that was told
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
                                         service.journal_standby == JournalStandby::durable, author_});
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

void Journals::poll(Instant now, const std::function<void(const Event&)>& tell) {
    for (auto& j : journals_) {
        const auto error = j->store.status().error.load(std::memory_order_relaxed);
        const bool holds = error != 0 || j->store.status().full.load(std::memory_order_relaxed);
        if (holds == j->holds) continue;
        j->holds = holds;
        tell({now, holds ? EventKind::journal_holds : EventKind::journal_goes_on, 0, 0, j->number,
              static_cast<std::uint64_t>(error)});
    }
}

}  // namespace holdfast::engine
