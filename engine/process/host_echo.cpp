// The small example of a process that serves a service with gate host: every byte goes back to whoever sent
// it.
//
//     host_echo SOCKET
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <vector>

#include "engine/process/attachment.hpp"

using namespace holdfast;

namespace {

std::atomic<bool> stop{false};

/// The reply to the byte at an offset stands at the same offset: what was replied in an earlier life is not
/// said again.
class Echo final : public host::Handler {
  public:
    explicit Echo(host::Link& link) : client(link, *this) {}

    void opened(const host::Opened& s) override {
        sessions_[s.session.slot] = {s.replied, s.committed, {}, false};
    }
    void bytes(host::Session session, std::uint64_t offset, std::span<const std::uint8_t> bytes) override {
        auto& s = sessions_[session.slot];
        const auto known = s.replied > offset ? std::min<std::uint64_t>(s.replied - offset, bytes.size()) : 0;
        s.waiting.insert(s.waiting.end(), bytes.begin() + static_cast<std::ptrdiff_t>(known), bytes.end());
        s.received = offset + bytes.size();
        go_on(session);
    }
    void ended(host::Session session, std::uint64_t) override {
        sessions_[session.slot].ended = true;
        go_on(session);
    }
    void writable(host::Session session) override { go_on(session); }
    void closed(host::Session session) override { sessions_.erase(session.slot); }
    void detached() override { sessions_.clear(); }

    host::Client client;

  private:
    struct State {
        std::uint64_t replied = 0, received = 0;
        std::vector<std::uint8_t> waiting;  ///< for room
        bool ended = false;
    };

    /// Replies what has room, and confirms what it has replied.
    void go_on(host::Session session) {
        auto& s = sessions_[session.slot];
        const auto n = client.reply(session, s.waiting);
        s.replied += n;
        s.waiting.erase(s.waiting.begin(), s.waiting.begin() + static_cast<std::ptrdiff_t>(n));
        client.confirm(session, std::min(s.received, s.replied));
        if (!s.ended || !s.waiting.empty()) return;
        client.confirm_end(session);
        client.finish(session);
    }

    std::map<std::uint32_t, State> sessions_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
        return 2;
    }
    for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { stop = true; });
    try {
        engine::Attachment attachment(argv[1]);
        Echo echo(attachment.link());
        attachment.run(echo.client, stop, [] {});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
    return 0;
}
