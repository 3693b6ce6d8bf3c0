// An application whose words nobody can tell beforehand: every life of a node says other ones. So a reply
// that a client has seen and that was not stored can not come out the same by chance.
#pragma once

#include <algorithm>
#include <array>

#include "cores/app/application.hpp"
#include "lib/base/random.hpp"

namespace holdfast::sim {

/// Answers each byte by one of its own, and commits what it has answered.
class Scribe final : public app::Application {
  public:
    Scribe(std::uint64_t key, app::Channel& channel) : key_(key), channel_(channel) {}

    void opened(const app::Opened&) override {}
    void resumed(const app::Resumed&) override {}
    std::size_t receive(SessionId session, app::Offset offset, std::span<const std::uint8_t> bytes) override {
        std::array<std::uint8_t, 2048> words;
        const auto n = std::min(bytes.size(), words.size());
        for (std::size_t i = 0; i < n; ++i)
            words[i] = static_cast<std::uint8_t>(mix64(key_ ^ mix64(offset + i + bytes[i])));
        const auto taken = channel_.reply(session, {words.data(), n});
        channel_.commit(session, offset + taken);
        return taken;
    }
    void end_of_stream(SessionId session, app::Offset) override { channel_.finish(session); }
    void writable(SessionId) override {}
    void closed(SessionId) override {}
    void advance(Instant) override {}
    Instant next_deadline() const override { return Instant::never(); }

  private:
    std::uint64_t key_;
    app::Channel& channel_;
};

}  // namespace holdfast::sim
