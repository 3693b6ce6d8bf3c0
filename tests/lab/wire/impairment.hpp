// One direction of the wire, in virtual time: frames go in with the time they arrived, and come out when they
// are due. Knows no socket and no clock.
//
//     receive ->  loss  ->  copy  ->  rate and its queue  ->  delay + jitter (+ reorder_by)  ->  transmit
//
// A frame's fate by chance depends on the seed and on how many frames came before it, never on the other
// settings: each kind of chance has random numbers of its own and draws once a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/base/random.hpp"
#include "lib/base/time.hpp"
#include "settings.hpp"

namespace holdfast::lossy {

using Bytes = std::span<const std::byte>;

/// What one direction may hold; nothing grows after construction.
struct Limits {
    std::size_t frame_bytes_max = 2048;
    std::size_t frames_max = 65'536;
};

class Impairment {
  public:
    Impairment(Limits limits, std::uint64_t seed);

    /// For frames that arrive from now on; those on their way keep their times, and stay ahead.
    void set(const Settings& settings);

    /// A frame, in pieces that follow each other; it is copied. `at` is when it arrived.
    void receive(std::span<const Bytes> pieces, Instant at);

    /// Fills `out` with frames that are due, oldest first; they stay valid until the next call.
    std::size_t transmit(Instant now, std::span<Bytes> out);

    /// When transmit() has something next; never() if nothing is on its way.
    Instant next_deadline() const;

    std::size_t on_the_way() const { return heap_.size(); }
    Counters& counters() { return counters_; }
    const Counters& counters() const { return counters_; }

  private:
    struct Entry {
        Instant due;
        std::uint64_t number;  ///< order of arrival
        std::uint32_t slot;
        std::uint32_t length;
    };
    static bool later_first(const Entry& a, const Entry& b);

    void seed(std::uint64_t seed);
    void admit(std::span<const Bytes> pieces, std::size_t length, Instant at, bool hold_back);
    Duration jitter_at(Instant at);
    std::byte* memory(std::uint32_t slot) { return store_.get() + slot * limits_.frame_bytes_max; }

    Limits limits_;
    Settings settings_;
    Counters counters_;
    Random loss_{0}, dup_{0}, reorder_{0}, jitter_{0};
    std::unique_ptr<std::byte[]> store_;
    std::vector<std::uint32_t>
        free_;  ///< the slot used last is used first: memory never needed is never touched
    std::vector<std::uint32_t> lent_;  ///< slots of the last transmit()
    std::vector<Entry> heap_;
    std::uint64_t next_number_ = 0, highest_sent_ = 0;
    Instant last_arrival_{}, rate_free_at_{}, last_due_{}, jitter_until_{};
    Duration jitter_now_{};
};

}  // namespace holdfast::lossy
