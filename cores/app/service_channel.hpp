// The channel of one service's application: it reaches its own sessions and no other.
#pragma once

#include "cores/app/app_sessions.hpp"

namespace holdfast::app {

class AppSessions::ServiceChannel final : public Channel {
  public:
    ServiceChannel(AppSessions& all, std::uint16_t service) : all_(all), service_(service) {}

    void commit(SessionId session, Offset offset) override;
    std::size_t reply(SessionId session, std::span<const std::uint8_t> bytes) override;
    std::size_t room(SessionId session) const override;
    Offset replied(SessionId session) const override;
    void finish(SessionId session) override;
    void abort(SessionId session) override;
    bool store(std::span<const std::uint8_t> record) override;
    void retry(SessionId session) override;
    void deliver(SessionId session, Offset from) override;
    void commit_end(SessionId session) override;

  private:
    AppSession* find(SessionId session) const;

    AppSessions& all_;
    std::uint16_t service_;
};

}  // namespace holdfast::app
