// A durable sink: what clients send is appended to a log, and acknowledged when it is on disk.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cores/app/application.hpp"
#include "cores/app/journal_counters.hpp"
#include "lib/journal/contents.hpp"
#include "lib/journal/store.hpp"

namespace holdfast::app {

struct JournalSettings {
    std::string service;         ///< its name, for the log
    std::uint32_t sessions = 0;  ///< slots
    std::uint64_t author = 0;    ///< of its terms: drawn anew by every start of a node
};

/// An acknowledgment says: these bytes are durable here. The journal's FIN says that of the whole stream.
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

  private:
    /// Live sessions, by slot. All bytes zero is none.
    struct Live {
        bool open = false;
        bool waiting = false;  ///< in waiting_
        bool ends = false;     ///< its end of stream is to be appended
        std::uint32_t generation = 0;
        Offset end = 0;
        Endpoint client, local;
    };
    /// `offset` of the session is durable when the log is, up to `at`.
    struct Pending {
        SessionId session;
        Offset offset = 0;
        journal::LogPosition at = 0;
        bool finish = false;
    };

    Live* live(SessionId session);
    Live& begin(const Opened& session);
    bool append(const journal::Record& r);
    bool begin_term();
    bool begin_session(SessionId session);
    std::size_t append_data(SessionId session, Offset offset, std::span<const std::uint8_t> bytes);
    void append_end(SessionId session);
    void note(SessionId session, Offset offset, bool finish);
    void wait(SessionId session);
    void wake();
    void commit_durable();

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
    std::uint64_t woken_at_ = 0;                   ///< the progress of the store then
    std::uint64_t term_number_ = 0;                ///< the highest that this journal began
    bool term_begun_ = false;
};

}  // namespace holdfast::app
