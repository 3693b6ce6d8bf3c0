// A durable, replicated sink: what clients send is appended to a log, and acknowledged when it is on disk,
// and with gate standby in the standby's log, too. One class, its work split by noun:
//
//     journal.cpp           sessions: bytes in, commits
//     journal_replica.cpp   two logs become one: what is shipped, what a standby makes of it
//     journal_cut.cpp       what a standby has and the active has not
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cores/app/application.hpp"
#include "cores/app/journal_counters.hpp"
#include "lib/journal/contents.hpp"
#include "lib/journal/record_reader.hpp"
#include "lib/journal/store.hpp"

namespace holdfast::app {

struct JournalSettings {
    std::string service;           ///< its name, for the log
    std::uint32_t sessions = 0;    ///< slots
    bool standby_durable = false;  ///< a standby confirms what is on its disk, not what is in its memory
    std::uint64_t author = 0;      ///< of its terms: drawn anew by every start of a node
    bool degrade = false;          ///< without a standby the active acknowledges all the same
};

/// An acknowledgment says: these bytes are durable here; that of a FIN, that the end of the stream is known
/// here for good, too. The journal's own FIN follows it.
///
/// `contents` is what `store` held when it was opened. Both outlive the journal, which alone uses them.
class Journal final : public Application {
  public:
    Journal(Channel& channel, journal::Store& store, journal::Contents& contents, JournalCounters& counters,
            JournalSettings settings);

    void opened(const Opened& session) override;
    void resumed(const Resumed& session) override;
    std::size_t receive(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) override;
    void end_of_stream(SessionId session, Offset end) override;
    void writable(SessionId) override {}
    void closed(SessionId session) override;
    void advance(Instant now) override;
    Instant next_deadline() const override;

    bool confirms_end() const override { return true; }
    void activated(std::uint64_t term) override;
    std::size_t describe(std::span<std::uint8_t> out) override;
    void standby_joined(std::span<const std::uint8_t> described) override;
    void standby_left() override;
    bool caught_up() const override { return caught_up_; }
    bool stored(std::span<const std::uint8_t> piece) override;
    std::uint64_t unsettled() const override;

  private:
    /// Live sessions, by slot. All bytes zero is none.
    struct Live {
        bool open = false;
        bool waiting = false;  ///< in waiting_
        bool ends = false;     ///< its end of stream is to be appended
        std::uint32_t generation = 0;
        Offset end = 0;
        std::uint16_t party_size = 0;
        std::array<std::uint8_t, journal::party_max> party;  ///< who it is, for its first record
    };
    /// `offset` of the session is durable when the log is, up to `at`.
    struct Pending {
        SessionId session;
        Offset offset = 0;
        journal::LogPosition at = 0;
        bool finish = false;
    };

    /// A standby: pieces that are not confirmed yet, with the end of the log behind them.
    struct Unsettled {
        journal::LogPosition end = 0;
        std::uint64_t pieces = 0;
    };

    // journal.cpp
    static std::span<const std::uint8_t> party_of(const Live& l) {
        return std::span(l.party).first(l.party_size);
    }
    Live* live(SessionId session);
    Live& begin(const Opened& session);
    bool append(const journal::Record& r);
    void contradicted(SessionId session);
    bool begin_term();
    bool begin_session(SessionId session);
    std::size_t append_data(SessionId session, Offset offset, std::span<const std::uint8_t> bytes);
    void append_end(SessionId session);
    void note(SessionId session, Offset offset, bool finish);
    void wait(SessionId session);
    void wake();
    void commit_durable();
    bool is_safe(journal::LogPosition at) const;

    // journal_replica.cpp
    void ship();
    bool take_piece(std::span<const std::uint8_t> piece);
    bool take_bytes(std::span<const std::uint8_t> bytes);
    void tell_following();
    bool was_told_to_nobody() const;
    // journal_cut.cpp
    bool follow_from(journal::LogPosition to, bool told_to_nobody);
    bool has_sessions_from(journal::LogPosition to);
    bool take_back(journal::LogPosition to);
    void read_again();
    void finish_reading();
    void note_unsettled();
    void drop_settled();

    Channel& channel_;
    journal::Store& store_;
    journal::Contents& contents_;
    JournalCounters& counters_;
    JournalSettings s_;
    ZeroedArray<Live> live_;
    std::vector<std::uint8_t> record_;  ///< being written
    std::vector<Pending> pending_;      ///< a ring
    std::size_t pending_head_ = 0, pending_count_ = 0;
    std::vector<std::uint32_t> waiting_, waking_;  ///< slots, for room
    static constexpr std::uint64_t no_progress = ~std::uint64_t{0};
    std::uint64_t woken_at_ = 0;  ///< the progress of the store then
    std::size_t to_wake_ = 0;     ///< of those that waited then; the first of waiting_
    std::uint64_t term_ = 0;      ///< the node's, as active
    bool term_begun_ = false, followed_ = false;
    bool inherits_all_ = false;  ///< what was acknowledged before this term is in the log
    Instant now_{};

    // As active.
    bool joined_ = false, following_told_ = false, caught_up_ = false;
    journal::LogPosition shipped_ = 0, committed_ = 0;
    journal::LogPosition their_end_ = 0;  ///< the standby's log, when it joined
    journal::Term their_term_;

    // As standby.
    bool complete_ = false;  ///< the log has all that the active has acknowledged
    journal::RecordReader reader_;
    journal::LogPosition known_to_ = all_known;  ///< the contents know of sessions below, where not of all
    static constexpr journal::LogPosition all_known = ~journal::LogPosition{0};
    std::vector<std::uint8_t> partial_;  ///< the beginning of a record
    std::vector<Unsettled> unsettled_;   ///< a ring
    std::size_t unsettled_head_ = 0, unsettled_count_ = 0;
    std::uint64_t unsettled_pieces_ = 0;
};

}  // namespace holdfast::app
