// A machine's disk with a journal's log. It reads each record as it is appended, and knows what a reader of
// the log would find.
#pragma once

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "cores/app/journal.hpp"
#include "tests/sim/backing.hpp"
#include "tests/support/memory_store.hpp"

namespace holdfast::sim {

class Disk final : public journal::Store {
  public:
    Disk(Journal& journal, const ClientBook& clients, std::string name)
        : judge_(journal), clients_(clients), name_(std::move(name)) {}

    /// Bytes from the beginning of a client's stream.
    struct Found {
        std::uint64_t held = 0, durable = 0;
        bool ended = false;  ///< with its end
    };
    Found find(const Endpoint& client) const;

    /// As a node that starts does.
    std::unique_ptr<app::Journal> start(app::Channel& channel, const app::JournalSettings& settings,
                                        bool power_failed);
    void set_failing(bool failing) { store_.failing = failing; }
    void set_speed(Duration delay, std::size_t buffer, bool slow_reads);

    journal::LogPosition end() const override { return store_.end(); }
    journal::LogPosition durable() const override { return store_.durable(); }
    std::size_t capacity() const override { return store_.capacity(); }
    bool append(std::span<const std::uint8_t> record) override;
    std::size_t read(journal::LogPosition at, std::span<std::uint8_t> out) override {
        return store_.read(at, out);
    }
    std::size_t read_now(journal::LogPosition at, std::span<std::uint8_t> out) override {
        return store_.read_now(at, out);
    }
    bool set_aside(journal::LogPosition at, const journal::Term& term) override {
        return store_.set_aside(at, term);
    }
    void truncate(journal::LogPosition to, const journal::Term& term) override;
    void advance(Instant now) override { store_.advance(now); }
    Instant next_deadline() const override { return store_.next_deadline(); }

  private:
    /// A session in the log: where its records end, and how much of its stream stands there.
    struct Kept {
        std::uint64_t number = 0;
        std::vector<std::pair<journal::LogPosition, std::uint64_t>> ends;
        bool ended = false;
        std::uint64_t bytes() const { return ends.empty() ? 0 : ends.back().second; }
    };

    void read_all();
    void take_records(std::span<const std::uint8_t> bytes, journal::LogPosition at);
    void take(const journal::Record& r, journal::LogPosition at);
    void take_data(const journal::Record& r, journal::LogPosition at);
    void violate(const std::string& text) { judge_.violate("journal", "disk of " + name_ + ": " + text); }

    Journal& judge_;
    const ClientBook& clients_;
    std::string name_;
    test::MemoryStore store_;
    journal::Contents contents_{0};
    app::JournalCounters counters_;
    journal::Term term_;
    std::map<Endpoint, Kept> kept_;
    std::map<std::uint64_t, Endpoint> clients_by_number_;
};

/// The disks of a pair whose application is the journal.
class Disks final : public Backing, public Actor {
  public:
    explicit Disks(BackingParts parts);

    void equip(std::size_t i, MachineOptions& options) override;
    void begin() override;
    void judge_acknowledgment(std::size_t speaker, const Endpoint& client, const ClientView& told) override;
    void judge_survivor(std::size_t survivor) override;
    void judge_end() override;
    void wake(std::uint64_t token, const Frame& frame) override;

  private:
    BackingParts p_;
    bool standby_durable_;
    std::array<Disk, 2> disks_;
    std::array<unsigned, 2> failing_{};  ///< outages that are not over
};

}  // namespace holdfast::sim
