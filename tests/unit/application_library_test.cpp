// Applications from shared libraries: what is loaded works, what does not fit is named with its mend.
#include "engine/application/library.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

using namespace holdfast;

namespace {

/// Has room for everything.
class FakeChannel final : public app::Channel {
  public:
    std::string replies;
    app::Offset committed = 0;
    bool finished = false;

    void commit(SessionId, app::Offset offset) override { committed = offset; }
    std::size_t reply(SessionId, std::span<const std::uint8_t> bytes) override {
        replies.append(bytes.begin(), bytes.end());
        return bytes.size();
    }
    std::size_t room(SessionId) const override { return 1 << 20; }
    app::Offset replied(SessionId) const override { return replies.size(); }
    void finish(SessionId) override { finished = true; }
    void abort(SessionId) override {}
    bool store(std::span<const std::uint8_t>) override { return false; }
    void retry(SessionId) override {}
    void deliver(SessionId, app::Offset) override {}
    void commit_end(SessionId) override {}
};

std::string refusal(const std::string& path) {
    try {
        engine::load_application(path);
    } catch (const std::runtime_error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("application library: the template answers in upper case, and commits what it answered") {
    FakeChannel channel;
    const std::unique_ptr<app::Application> upper(engine::load_application(HF_UPPER)(channel));
    const std::string said = "Holdfast, 12 sessions\n";
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(said.data()), said.size());
    upper->opened({});
    CHECK(upper->receive({}, 0, bytes) == said.size());
    CHECK(channel.replies == "HOLDFAST, 12 SESSIONS\n");
    CHECK(channel.committed == said.size());
    upper->end_of_stream({}, said.size());
    CHECK(channel.finished);
}

TEST_CASE(
    "application library: a file that is none, of another interface, or without an application is refused") {
    CHECK_THAT(refusal("/nowhere/libx.so"), Catch::Contains("application library /nowhere/libx.so: ") &&
                                                Catch::Contains("name a file that exists"));
    CHECK_THAT(refusal(HF_WRONG_ABI), Catch::Contains("is of interface 0, this program of 1; build it with"));
    CHECK_THAT(refusal(HF_NO_APPLICATION),
               Catch::Contains("exports no holdfast_application_abi; end it with"));
}
