// What happened in a run: a hash of all of it, so that two runs can be compared bit for bit (R7), and on
// demand the text. It also keeps the verdict: the first rule that was broken ends the run.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include "lib/base/random.hpp"
#include "lib/base/time.hpp"

namespace holdfast::sim {

class Journal {
  public:
    explicit Journal(bool verbose) : verbose_(verbose) {}

    void set_now(Instant now) { now_ = now; }
    bool verbose() const { return verbose_; }
    std::uint64_t hash() const { return hash_; }

    /// Folds one happening into the hash.
    void note(std::uint64_t what, std::span<const std::uint8_t> bytes = {}) {
        hash_ = mix64(hash_ ^ what ^ static_cast<std::uint64_t>(now_.ns));
        for (std::size_t i = 0; i < bytes.size(); ++i) hash_ = (hash_ ^ bytes[i]) * 0x100000001b3ULL;
    }
    /// A line of the log; build its text only if verbose().
    void print(const std::string& line) const {
        if (verbose_) std::printf("%12.6f  %s\n", static_cast<double>(now_.ns) / 1e9, line.c_str());
    }

    /// Records that `rule` was broken. The first one counts.
    void violate(const std::string& rule, const std::string& text) {
        if (verbose_) print("VIOLATION " + rule + ": " + text);
        if (failed()) return;
        char at[32];
        std::snprintf(at, sizeof at, "%.6f s: ", static_cast<double>(now_.ns) / 1e9);
        rule_ = rule;
        text_ = at + text;
    }
    bool failed() const { return !rule_.empty(); }
    const std::string& rule() const { return rule_; }
    const std::string& text() const { return text_; }

  private:
    bool verbose_;
    Instant now_{};
    std::uint64_t hash_ = 0;
    std::string rule_, text_;
};

}  // namespace holdfast::sim
