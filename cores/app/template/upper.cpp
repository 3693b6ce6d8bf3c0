// An application to copy, as a shared library: each byte is answered, letters in upper case. What its
// acknowledgment says: "the answer to these bytes will come, whichever node gives it". Built by the tree for
// its tests; elsewhere by
//
//     g++ -std=c++20 -O2 -fPIC -shared -I HOLDFAST upper.cpp -o libupper.so
//
// and named in a configuration: gate = ["app", "standby"], application_library =
// "/usr/lib/holdfast/libupper.so".
#include <algorithm>
#include <array>
#include <cctype>

#include "cores/app/library.hpp"

namespace {

using namespace holdfast;

class Upper final : public app::Application {
  public:
    explicit Upper(app::Channel& channel) : channel_(channel) {}

    // What it answers follows from the bytes alone: it keeps nothing of a session, so nothing is to be done
    // when one begins, ends or comes over from the other node.
    void opened(const app::Opened&) override {}
    void resumed(const app::Resumed&) override {}
    void closed(SessionId) override {}

    std::size_t receive(SessionId session, app::Offset offset, std::span<const std::uint8_t> bytes) override {
        std::array<std::uint8_t, 2048> answer;
        const auto n = std::min(bytes.size(), answer.size());
        std::transform(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n), answer.begin(),
                       [](std::uint8_t b) { return static_cast<std::uint8_t>(std::toupper(b)); });
        // What has no room among the replies is not taken, and comes again when the client has read some.
        const auto taken = channel_.reply(session, {answer.data(), n});
        // In the same call: the standby stores commit and answer together, or neither.
        channel_.commit(session, offset + taken);
        return taken;
    }
    void writable(SessionId) override {}
    /// The client has said all; our FIN follows the last answer.
    void end_of_stream(SessionId session, app::Offset) override { channel_.finish(session); }

    // It has nothing to do on its own.
    void advance(Instant) override {}
    Instant next_deadline() const override { return Instant::never(); }

  private:
    app::Channel& channel_;
};

}  // namespace

HOLDFAST_APPLICATION(Upper)
