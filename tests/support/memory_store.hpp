// A journal's log in memory, whose disk is as slow, full or broken as a test says.
#pragma once

#include <algorithm>
#include <vector>

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
    std::vector<std::uint8_t> log;

    void flush() {
        if (!failing) durable_ = end();
    }
    /// `log` was changed by hand, and is what the disk has.
    void cut() { durable_ = log.size(); }
    /// The power fails: what was not durable is gone.
    void lose() { log.resize(durable_); }

    journal::LogPosition end() const override { return log.size(); }
    journal::LogPosition durable() const override { return durable_; }

    std::size_t capacity() const override { return buffer; }
    bool append(std::span<const std::uint8_t> record) override {
        if (end() + record.size() - durable_ > buffer || log.size() + record.size() > max) return false;
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
    void truncate(journal::LogPosition to, const journal::Term&) override {
        log.resize(to);
        durable_ = std::min(durable_, to);
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

    journal::LogPosition durable_ = 0;
    Instant now_{}, due_ = Instant::never();
    bool fetched_ = false;
};

}  // namespace holdfast::test
