// A lane whose application is a journal, on a disk that the story plays.
#pragma once

#include "cores/app/journal.hpp"
#include "tests/script/lane_stage.hpp"
#include "tests/support/memory_store.hpp"

namespace holdfast::script {

/// What outlives a node: its disk. And what its journal makes of it.
struct JournalDisk {
    test::MemoryStore store;
    journal::Contents contents{64};
    app::JournalCounters counters;

    /// The power fails, and the node reads its log anew.
    void read_again();
    /// The bytes of the stream that the log has of the client of `session`, from the records themselves.
    std::vector<std::uint8_t> stream(SessionId session) const;
    /// The kinds of its records, one letter each: (t)erm, (o)pened, (d)ata, (e)nd.
    std::string kinds() const;
};

class JournalStage : public LaneStage {
  public:
    explicit JournalStage(const LaneOptions& options = {.gate = Gate::app})
        : JournalStage(options, std::make_shared<JournalDisk>()) {}
    JournalStage(const LaneOptions& options, std::shared_ptr<JournalDisk> disk, std::uint64_t author = 7);

    JournalDisk& disk() { return *disk_; }
    std::shared_ptr<JournalDisk> shared_disk() { return disk_; }
    test::MemoryStore& store() { return disk_->store; }
    /// What was appended becomes durable.
    void flush() {
        store().flush();
        after(1_ms);
    }
    void expect_journal_count(app::JournalCounter counter, std::uint64_t expected,
                              Where where = Where::current()) {
        expect_equal(disk_->counters.get(counter), expected, "the journal's count", where);
    }

  private:
    std::shared_ptr<JournalDisk> disk_;
};

}  // namespace holdfast::script
