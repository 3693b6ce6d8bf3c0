// An application whose words nobody can tell beforehand: every life of a node says other ones. So a reply
// that a client has seen and that was not stored can not come out the same by chance.
#pragma once

#include <algorithm>
#include <array>

#include "cores/app/application.hpp"
#include "lib/base/random.hpp"

namespace holdfast::sim {

/// Answers each byte by one of its own, and commits what it has answered.
class Scribe : public app::Application {
  public:
    Scribe(std::uint64_t key, app::Channel& channel) : channel_(channel), key_(key) {}

    void opened(const app::Opened&) override {}
    void resumed(const app::Resumed&) override {}
    std::size_t receive(SessionId session, app::Offset offset, std::span<const std::uint8_t> bytes) override {
        return answer(session, offset, bytes.first(std::min(bytes.size(), answer_max)));
    }
    void end_of_stream(SessionId session, app::Offset) override { channel_.finish(session); }
    void writable(SessionId) override {}
    void closed(SessionId) override {}
    void advance(Instant) override {}
    Instant next_deadline() const override { return Instant::never(); }

  protected:
    static constexpr std::size_t answer_max = 2048;  ///< bytes at once

    /// Returns how many bytes were answered.
    std::size_t answer(SessionId session, app::Offset offset, std::span<const std::uint8_t> bytes) {
        std::array<std::uint8_t, answer_max> words;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            words[i] = static_cast<std::uint8_t>(mix64(key_ ^ mix64(offset + i + bytes[i])));
        const auto taken = channel_.reply(session, {words.data(), bytes.size()});
        channel_.commit(session, offset + taken);
        return taken;
    }

    app::Channel& channel_;

  private:
    std::uint64_t key_;
};

}  // namespace holdfast::sim
