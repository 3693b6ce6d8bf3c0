// A lane whose far end is another process of the machine (gate host), which the story plays with the library
// that processes are written with.
#pragma once

#include <map>
#include <optional>

#include "lib/host/client.hpp"
#include "tests/script/lane_stage.hpp"
#include "tests/support/memory_link.hpp"

namespace holdfast::script {

/// One life of a process. Does nothing of itself: the story looks at what it was told, and says what it does.
class PlayedProcess final : public host::Handler {
  public:
    explicit PlayedProcess(test::Cable& cable) : link_(cable, 1), client(link_, *this) {}

    /// What it was told of a session, by the session's slot.
    struct Told {
        host::Opened opened;
        std::vector<std::uint8_t> bytes;
        std::optional<std::uint64_t> end;
        unsigned times_writable = 0;
        bool closed = false;

        /// Offset behind what it got.
        std::uint64_t received() const { return opened.committed + bytes.size(); }
    };
    std::map<std::uint32_t, Told> sessions;
    unsigned times_detached = 0;

    void opened(const host::Opened& o) override { sessions[o.session.slot] = Told{o, {}, {}, 0, false}; }
    void bytes(host::Session s, std::uint64_t offset, std::span<const std::uint8_t> more) override;
    void ended(host::Session s, std::uint64_t end) override;
    void writable(host::Session s) override { ++sessions[s.slot].times_writable; }
    void closed(host::Session s) override { sessions[s.slot].closed = true; }
    void detached() override { ++times_detached; }

  private:
    test::MemoryLink link_;

  public:
    host::Client client;
};

class HostStage : public LaneStage {
  public:
    explicit HostStage(const LaneOptions& options = {.gate = Gate::host})
        : HostStage(options, std::make_shared<Wire>()) {}

    /// A process attaches, the one before being gone.
    void start_process();
    /// It is gone, from one moment to the next.
    void kill_process();
    PlayedProcess& process() { return *process_; }
    /// What it was told of the main session.
    PlayedProcess::Told& told(std::uint32_t slot = 0) { return process_->sessions.at(slot); }
    host::Session session(std::uint32_t slot = 0) { return told(slot).opened.session; }
    /// Process and lane run until nothing moves any more.
    void run();
    /// Time goes by, and the process runs all the while.
    void run_for(Duration span);

    void confirm(std::uint64_t offset, std::uint32_t slot = 0);
    void confirm_end();
    /// The next `n` bytes of the story's server; how many had room with the process.
    std::size_t reply(std::size_t n);
    void finish();
    void expect_host_count(std::string_view counter, std::uint64_t expected, Where where = Where::current()) {
        expect_application_count(counter, expected, where);
    }
    test::Cable& cable() { return wire_->cable; }

  private:
    struct Wire {
        test::Cable cable;
        test::MemoryLink appliance{cable, 0};
    };
    HostStage(const LaneOptions& options, const std::shared_ptr<Wire>& wire)
        : LaneStage(options, {}, [wire](const ServiceConfig&) -> host::Link& { return wire->appliance; }),
          wire_(wire) {}

    std::shared_ptr<Wire> wire_;
    std::unique_ptr<PlayedProcess> process_;
};

}  // namespace holdfast::script
