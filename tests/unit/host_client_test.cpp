// The library that processes of gate host are written with. The test plays the appliance.
#include <array>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/host/client.hpp"
#include "tests/support/memory_link.hpp"

using namespace holdfast;
using namespace holdfast::host;

namespace {

/// What a process was told, in words.
class Log final : public Handler {
  public:
    void opened(const Opened& s) override {
        text += "opened " + std::to_string(s.committed) + " " + std::to_string(s.replied) + ". ";
    }
    void bytes(Session, std::uint64_t offset, std::span<const std::uint8_t> bytes) override {
        text += "bytes " + std::to_string(offset) + "+" + std::to_string(bytes.size()) + ". ";
    }
    void ended(Session, std::uint64_t end) override { text += "end " + std::to_string(end) + ". "; }
    void writable(Session) override { text += "writable. "; }
    void closed(Session s) override { text += "closed " + std::to_string(s.generation) + ". "; }
    void detached() override { text += "detached. "; }

    std::string take() { return std::exchange(text, {}); }
    std::string text;
};

struct Rig {
    test::Cable cable;
    test::MemoryLink process{cable, 1}, appliance{cable, 0};
    Log log;
    Client client{process, log};
    Instant now{};

    Rig() {
        cable.up = true;
        cable.frames_max = 1000;
    }
    void say(const Frame& f) { appliance.send(write(f, appliance.prepare())); }
    void poll() { client.poll(now); }
    /// What the process says next, but for signs of life.
    std::optional<Frame> heard() {
        for (;;) {
            const auto bytes = appliance.next();
            if (bytes.empty()) return std::nullopt;
            const auto frame = read(bytes);
            if (frame->kind != Kind::alive) return frame;
        }
    }
    void attach() {
        poll();
        REQUIRE(heard()->kind == Kind::hello);
        say({Kind::welcome, 0, 7, {}, 0, 4, {}});
        poll();
        REQUIRE(client.attached());
    }
    void open(Session session, std::uint64_t committed, std::uint64_t replied, std::uint64_t edge) {
        std::array<std::uint8_t, Greeting::size> bytes;
        write(Greeting{{}, {}, edge}, bytes);
        say({Kind::opened, 0, 7, session, committed, replied, bytes});
        poll();
    }
    void give(Session session, std::uint64_t offset, std::size_t size) {
        const std::vector<std::uint8_t> bytes(size, 'x');
        say({Kind::data, 0, 7, session, offset, 0, bytes});
        poll();
    }
};

constexpr Session first{1, 1};

}  // namespace

TEST_CASE("client: says hello until it is welcome, and that it is there") {
    Rig r;
    r.poll();
    CHECK(r.heard()->kind == Kind::hello);
    r.poll();
    CHECK_FALSE(r.heard());
    r.now = r.now + Client::alive_every;
    r.poll();
    CHECK(r.heard()->kind == Kind::hello);
    r.say({Kind::welcome, 0, 7, {}, 0, 4, {}});
    r.now = r.now + Client::alive_every;
    r.poll();
    CHECK(r.client.attached());
    const auto alive = read(r.appliance.next());
    CHECK(alive->kind == Kind::alive);
    CHECK(alive->attachment == 7);
}

TEST_CASE("client: a gap in what it is given makes it begin anew") {
    Rig r;
    r.attach();
    r.open(first, 100, 0, 1000);
    r.give(first, 100, 50);
    CHECK(r.log.take() == "opened 100 0. bytes 100+50. ");
    r.give(first, 151, 50);
    CHECK(r.log.take() == "detached. ");
    CHECK_FALSE(r.client.attached());
    CHECK(r.heard()->kind == Kind::hello);
}

TEST_CASE("client: what is said of another attachment or session is ignored") {
    Rig r;
    r.attach();
    r.open(first, 0, 0, 1000);
    r.log.take();
    r.say({Kind::closed, 0, 6, first, 0, 0, {}});
    r.say({Kind::closed, 0, 7, {1, 2}, 0, 0, {}});
    r.say({Kind::closed, 0, 7, {99, 1}, 0, 0, {}});
    r.say({Kind::opened, 0, 7, {99, 1}, 0, 0, {}});
    r.poll();
    CHECK(r.log.take().empty());
    r.say({Kind::opened, 0, 7, {2, 1}, 0, 0, {}});  // without a greeting
    r.say({Kind::closed, 0, 7, first, 0, 0, {}});
    r.poll();
    CHECK(r.log.take() == "closed 1. ");
}

TEST_CASE("client: a slot that is used again says that the session before is over") {
    Rig r;
    r.attach();
    r.open(first, 0, 0, 1000);
    r.open({1, 2}, 0, 0, 1000);
    CHECK(r.log.take() == "opened 0 0. closed 1. opened 0 0. ");
    r.client.confirm(first, 0);
    CHECK(r.client.reply(first, std::vector<std::uint8_t>(3)) == 0);
}

TEST_CASE("client: a confirmation leaves with the last of the replies before it") {
    Rig r;
    r.attach();
    r.open(first, 0, 0, 1 << 20);
    r.give(first, 0, 50);
    CHECK(r.client.reply(first, std::vector<std::uint8_t>(payload_max + 10)) == payload_max + 10);
    r.client.confirm(first, 50);
    r.client.confirm(first, 51);  // was not given
    r.poll();
    const auto one = *r.heard();
    CHECK(one.offset == 0);
    CHECK(one.bytes.size() == payload_max);
    CHECK(one.second == 0);
    const auto two = *r.heard();
    CHECK(two.offset == payload_max);
    CHECK(two.bytes.size() == 10);
    CHECK(two.second == 50);
    CHECK_FALSE(r.heard());
}

TEST_CASE("client: replies beyond the room are said up to one frame, and again when there is some") {
    Rig r;
    r.attach();
    r.open(first, 0, 0, 100);
    r.client.reply(first, std::vector<std::uint8_t>(5 * payload_max));
    r.poll();
    CHECK(r.heard()->offset == 0);
    CHECK_FALSE(r.heard());
    r.client.finish(first);
    r.poll();
    CHECK_FALSE(r.heard());
    r.say({Kind::state, flag::again, 7, first, 100, 100 + 2 * payload_max, {}});
    r.poll();
    CHECK(r.heard()->offset == 100);
    CHECK(r.heard()->offset == 100 + payload_max);
    CHECK(r.heard()->offset == 100 + 2 * payload_max);
    CHECK_FALSE(r.heard());
    r.say({Kind::state, 0, 7, first, 100 + 3 * payload_max, 1 << 20, {}});
    r.poll();
    CHECK(r.heard()->flags == 0);
    const auto last = *r.heard();
    CHECK(last.offset + last.bytes.size() == 5 * payload_max);
    CHECK(last.flags == flag::finished);
}

TEST_CASE(
    "client: a confirmation that finds no room comes when there is some, though no reply is left to say") {
    Rig r;
    r.attach();
    r.open(first, 0, 0, 0);
    r.give(first, 0, 50);
    r.client.reply(first, std::vector<std::uint8_t>(100));
    r.poll();
    CHECK(r.heard()->second == 0);
    r.client.confirm(first, 50);
    r.client.finish(first);
    r.poll();
    CHECK_FALSE(r.heard());
    r.say({Kind::state, 0, 7, first, 100, 1 << 20, {}});
    r.poll();
    const auto frame = r.heard();
    REQUIRE(frame);
    CHECK(frame->second == 50);
    CHECK(frame->flags == flag::finished);
}

TEST_CASE("client: it holds so much of a session's replies, and tells when there is room") {
    Rig r;
    r.attach();
    r.open(first, 0, 0, 0);
    const std::vector<std::uint8_t> much(Client::reply_bytes_max + 1);
    CHECK(r.client.reply(first, much) == Client::reply_bytes_max);
    r.log.take();
    r.say({Kind::state, 0, 7, first, Client::reply_bytes_max + 1, 0, {}});  // more than was said
    r.poll();
    CHECK(r.log.take().empty());
    r.say({Kind::state, 0, 7, first, 500, 500, {}});
    r.poll();
    CHECK(r.log.take() == "writable. ");
    CHECK(r.client.reply(first, much) == 500);
}

TEST_CASE("client: a link that goes down takes the sessions with it") {
    Rig r;
    r.attach();
    r.open(first, 0, 0, 1000);
    r.log.take();
    r.cable.cut();
    r.poll();
    CHECK(r.log.take() == "detached. ");
    r.cable.up = true;
    r.poll();
    CHECK(r.heard()->kind == Kind::hello);
    CHECK(r.client.reply(first, std::vector<std::uint8_t>(3)) == 0);
}
