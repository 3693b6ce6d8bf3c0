// An application that echoes, and crashes at the word "crash FILE" when it can remove that file: once, though
// the word comes again to the other node. For tests/lab/application_crash.py.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "cores/app/echo.hpp"
#include "cores/app/library.hpp"

namespace {

using namespace holdfast;

class Crasher final : public app::Application {
  public:
    explicit Crasher(app::Channel& channel) : echo_(channel) {}

    void opened(const app::Opened& o) override { echo_.opened(o); }
    void resumed(const app::Resumed& r) override { echo_.resumed(r); }
    std::size_t receive(SessionId session, app::Offset offset, std::span<const std::uint8_t> bytes) override {
        const std::string word(bytes.begin(), bytes.end()), command = "crash ";
        if (word.starts_with(command) && ::unlink(word.c_str() + command.size()) == 0) std::abort();
        return echo_.receive(session, offset, bytes);
    }
    void end_of_stream(SessionId session, app::Offset end) override { echo_.end_of_stream(session, end); }
    void writable(SessionId session) override { echo_.writable(session); }
    void closed(SessionId session) override { echo_.closed(session); }
    void advance(Instant now) override { echo_.advance(now); }
    Instant next_deadline() const override { return echo_.next_deadline(); }

  private:
    app::Echo echo_;
};

}  // namespace

HOLDFAST_APPLICATION(Crasher)
