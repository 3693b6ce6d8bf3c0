// A lane whose far end is an application that the story plays.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "tests/script/lane_stage.hpp"

namespace holdfast::script {

/// Does nothing of itself: the story looks at what it was told, and says what it does. Its replies are what
/// the story's server would say.
class PlayedApplication final : public app::Application {
  public:
    explicit PlayedApplication(app::Channel& channel) : channel_(channel) {}

    // ---- what stories say and see ----
    std::size_t takes = ~std::size_t{0};  ///< so much of each piece of bytes
    bool commits = false;                 ///< whatever it takes, at once
    SessionId session;                    ///< the newest
    unsigned sessions_opened = 0, sessions_closed = 0, times_writable = 0;
    app::Offset taken = 0;  ///< of the newest session
    bool ended = false;     ///< end_of_stream() was called
    std::optional<app::Resumed> resumption;
    std::vector<std::uint8_t> bytes;  ///< what it took
    bool caught = true;               ///< caught_up()
    bool holds = true;                ///< what stored() says
    std::uint64_t unsettled_records = 0;
    std::vector<std::string> states;          ///< what it was given as standby
    std::optional<std::string> joined;        ///< what the standby's instance holds
    std::uint64_t term = 0;                   ///< of activated()
    std::string description = "what I hold";  ///< as standby

    app::Channel& channel() { return channel_; }

    void opened(const app::Opened& o) override {
        session = o.session;
        taken = 0;
        ++sessions_opened;
    }
    void resumed(const app::Resumed& r) override {
        session = r.opened.session;
        resumption = r;
        taken = r.committed;
    }
    std::size_t receive(SessionId id, app::Offset offset, std::span<const std::uint8_t> more) override;
    void end_of_stream(SessionId, app::Offset) override { ended = true; }
    void writable(SessionId) override { ++times_writable; }
    void closed(SessionId) override { ++sessions_closed; }
    void advance(Instant) override {}
    Instant next_deadline() const override { return Instant::never(); }
    void activated(std::uint64_t t) override { term = t; }
    std::size_t describe(std::span<std::uint8_t> out) override {
        std::copy(description.begin(), description.end(), out.begin());
        return description.size();
    }
    void standby_joined(std::span<const std::uint8_t> d) override {
        joined = std::string(d.begin(), d.end());
    }
    void standby_left() override { joined.reset(); }
    bool caught_up() const override { return caught; }
    bool stored(std::span<const std::uint8_t> record) override {
        if (holds) states.emplace_back(record.begin(), record.end());
        return holds;
    }
    std::uint64_t unsettled() const override { return unsettled_records; }

  private:
    app::Channel& channel_;
};

class ApplicationStage : public LaneStage {
  public:
    explicit ApplicationStage(const LaneOptions& options = {.gate = Gate::app})
        : ApplicationStage(options, std::make_shared<PlayedApplication*>()) {}

    PlayedApplication& application() { return **application_; }
    void commit(app::Offset offset) {
        application().channel().commit(application().session, offset);
        settle();
    }
    /// The next `n` bytes of the story's server; how many had room.
    std::size_t reply(std::size_t n);
    /// A state record of this text.
    bool store(std::string_view text) {
        const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
        const bool stored = application().channel().store(bytes);
        settle();
        return stored;
    }
    void finish() {
        application().channel().finish(application().session);
        settle();
    }

  private:
    ApplicationStage(const LaneOptions& options, std::shared_ptr<PlayedApplication*> application);
    std::shared_ptr<PlayedApplication*> application_;
};

}  // namespace holdfast::script
