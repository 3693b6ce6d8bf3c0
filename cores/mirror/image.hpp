// What a standby holds of its active: one entry per slot, newest generation and version win.
#pragma once

#include <optional>

#include "cores/mirror/codec.hpp"
#include "lib/table/zeroed_array.hpp"

namespace holdfast::mirror {

/// Decides what a record changes; the records themselves go to the protocol cores.
class Image {
  public:
    explicit Image(std::uint32_t slots) : entries_(slots) {}

    /// Forgets everything: the sessions belonged to another table.
    void clear();
    /// A new snapshot begins: what it does not name is stale when it ends (mark and sweep).
    void begin_snapshot() { ++mark_; }
    /// Next session at or after `slot` that the snapshot did not name, forgotten by this call; `slot` moves
    /// on. nullopt when the sweep is done.
    std::optional<SessionId> sweep(std::uint32_t& slot);
    /// Verdicts on a record: whether it is news.
    enum class Verdict : std::uint8_t { news, stale, out_of_range };
    Verdict opened(const SessionRecord& r);
    Verdict progress(const ProgressRecord& p);
    Verdict closed(SessionId id);

    /// Progress that came before its session's Opened; valid after opened() said news.
    std::optional<ProgressRecord> early_progress(SessionId id, Side side) const;
    std::uint32_t sessions() const { return sessions_; }
    bool holds(SessionId id) const;

  private:
    /// A ProgressRecord without what its place says already.
    struct Known {
        std::uint32_t generation = 0, version = 0;
        Position una = 0, ack = 0;
        std::uint32_t ts_recent = 0, last_active_s = 0;
        std::uint8_t last_byte = 0;
        bool has_last_byte : 1 = false, established : 1 = false, fin_received : 1 = false,
                             fin_sent : 1 = false;
    };
    struct Entry {
        std::uint32_t generation = 0;
        std::uint32_t mark = 0;
        bool present = false;
        bool written = false;  ///< since the image was empty
        Known progress[2];
    };
    ZeroedArray<Entry> entries_;  ///< only a standby's is ever written
    std::uint32_t sessions_ = 0;
    std::uint32_t mark_ = 1;
};

}  // namespace holdfast::mirror
