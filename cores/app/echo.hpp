// The small example: every byte goes back to whoever sent it.
#pragma once

#include "cores/app/application.hpp"

namespace holdfast::app {

/// Commits what it has replied, so what is acknowledged will be echoed, whichever node does it. It keeps
/// nothing of its own: the reply to the byte at an offset stands at the same offset.
class Echo final : public Application {
  public:
    explicit Echo(Channel& channel) : channel_(channel) {}

    void opened(const Opened&) override {}
    void resumed(const Resumed&) override {}
    std::size_t receive(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) override {
        const auto taken = channel_.reply(session, bytes);
        channel_.commit(session, offset + taken);
        return taken;
    }
    void end_of_stream(SessionId session, Offset) override { channel_.finish(session); }
    void writable(SessionId) override {}
    void closed(SessionId) override {}
    void advance(Instant) override {}
    Instant next_deadline() const override { return Instant::never(); }

  private:
    Channel& channel_;
};

}  // namespace holdfast::app
