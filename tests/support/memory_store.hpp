// A journal's log in memory, whose disk is as slow, full or broken as a test says.
#pragma once

#include <algorithm>
#include <vector>

#include "lib/base/random.hpp"
#include "lib/journal/store.hpp"

namespace holdfast::test {

/// What is appended becomes durable by flush(), or after `delay` where one is set.
class MemoryStore final : public journal::Store {
  public:
    // ---- what tests say and see ----
    std::size_t buffer = 1u << 20;  ///< bytes that may wait for the disk
    std::uint64_t max = 1ull << 30;
    Duration delay = Duration{-1};  ///< from an append until it is durable; below 0: until flush()
    bool failing = false;           ///< nothing becomes durable; with `delay` it is tried again
    bool slow_reads = false;        ///< what is durable must be fetched: every second read() finds nothing
    bool aside_fails = false;
    struct Aside {
        journal::LogPosition at;
        journal::Term term;
        std::vector<std::uint8_t> bytes;
    };
    std::vector<Aside> aside;
    std::vector<std::uint8_t> log;

    void flush() {
        if (failing) return;
        mark_ = durable_;
        durable_ = end();
    }
    /// `log` was changed by hand, and is what the disk has.
    void cut() { mark_ = durable_ = log.size(); }
    /// The power fails: what was not durable is gone.
    void lose() { log.resize(durable_); }
    /// The power fails while what was not durable is being written: blocks of it are there, others are not.
    void lose_blocks(Random& random) {
        constexpr std::size_t block = 512;
        log.resize(durable_ + random.below(end() - durable_ + 1));
        for (auto at = durable_ / block * block; at < log.size(); at += block)
            if (random.below(3) == 0)
                std::fill(log.begin() + static_cast<std::ptrdiff_t>(std::max(at, durable_)),
                          log.begin() + static_cast<std::ptrdiff_t>(std::min(at + block, log.size())),
                          std::uint8_t{0});
        if (random.below(2) == 0) mark_ = durable_;
    }
    /// What the disk says to have been durable: a batch says what was before it.
    journal::LogPosition mark() const { return mark_; }

    journal::LogPosition end() const override { return log.size(); }
    journal::LogPosition durable() const override { return durable_; }

    std::size_t capacity() const override { return buffer; }
    bool append(std::span<const std::uint8_t> record) override {
        const auto beyond =
            journal::term_of(record) ? journal::terms_beyond_bound * journal::record_header_size : 0;
        if (end() + record.size() - durable_ > buffer || log.size() + record.size() > max + beyond)
            return false;
        log.insert(log.end(), record.begin(), record.end());
        if (due_.is_never() && delay.ns >= 0) due_ = now_ + delay;
        return true;
    }
    std::size_t read(journal::LogPosition at, std::span<std::uint8_t> out) override {
        if (slow_reads && at < durable_ && (fetched_ = !fetched_)) return 0;
        return read_now(at, out);
    }
    std::size_t read_now(journal::LogPosition at, std::span<std::uint8_t> out) override {
        const auto n = std::min<std::uint64_t>(out.size(), end() - at);
        std::copy_n(log.begin() + static_cast<std::ptrdiff_t>(at), n, out.begin());
        return n;
    }
    bool set_aside(journal::LogPosition at, const journal::Term& term) override {
        if (aside_fails) return false;
        aside.push_back({at, term, {log.begin() + static_cast<std::ptrdiff_t>(at), log.end()}});
        return true;
    }
    void truncate(journal::LogPosition to, const journal::Term&) override {
        log.resize(to);
        durable_ = std::min(durable_, to);
        mark_ = std::min(mark_, to);
    }
    void advance(Instant now) override {
        now_ = now;
        if (now_ < due_) return;
        flush();
        due_ = failing ? now_ + retry_after : Instant::never();
    }
    Instant next_deadline() const override { return due_; }

  private:
    static constexpr Duration retry_after = milliseconds(1);

    journal::LogPosition durable_ = 0, mark_ = 0;
    Instant now_{}, due_ = Instant::never();
    bool fetched_ = false;
};

}  // namespace holdfast::test
