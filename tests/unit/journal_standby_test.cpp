// One journal as a standby, and as the active of one: what it confirms, what it cuts and keeps apart, and
// what it says of that. The test plays the other node.
#include <catch2/catch.hpp>

#include "tests/support/journal_pair.hpp"

using namespace holdfast;
using namespace holdfast::test;

namespace {

/// What an active says to a standby: 1 and 3 follow, 2 bytes, 4 complete.
std::vector<std::uint8_t> piece_of(std::uint8_t kind, std::uint64_t at,
                                   std::span<const std::uint8_t> bytes = {}) {
    std::vector<std::uint8_t> out(9);
    out[0] = kind;
    for (unsigned i = 0; i < 8; ++i) out[1 + i] = static_cast<std::uint8_t>(at >> 8 * i);
    out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
}

/// A node that has started on a log, and reached an active.
struct Follower {
    explicit Follower(const LogWriter& log) : node(1) {
        node.store_.log = log.bytes;
        node.store_.cut();
        node.start(1);
        join();
    }
    void join() {
        std::array<std::uint8_t, journal::Description::size_max> said;
        node.journal->describe(said);
    }
    PairNode node;
};

}  // namespace

TEST_CASE("journal: a standby whose disk is slow confirms late, and what it can not keep it refuses",
          "[journal]") {
    PairNode node(1);
    node.store_.buffer = 4000;
    node.standby_durable = GENERATE(false, true);
    node.start(1);
    LogWriter log;
    log.term(1).opened(3);
    for (int i = 0; i < 8; ++i) log.data(std::string(500, 'x'));
    std::array<std::uint8_t, journal::Description::size_max> said;
    node.journal->describe(said);
    const auto piece = [&](std::size_t from, std::size_t size) {
        return node.journal->stored(piece_of(2, from, std::span(log.bytes).subspan(from, size)));
    };
    REQUIRE(piece(0, 1000));
    REQUIRE(piece(1000, 1000));
    CHECK(node.journal->unsettled() == (node.standby_durable ? 2 : 0));
    REQUIRE(piece(2000, 1000));
    REQUIRE(piece(3000, 700));
    CHECK(node.journal->unsettled() == (node.standby_durable ? 4 : 2));
    CHECK_FALSE(piece(3700, 800));
    node.store_.flush();
    node.journal->advance(Instant{} + seconds(1));
    CHECK(node.journal->unsettled() == 0);
}

TEST_CASE("journal: after a partition a standby knows of its sessions what the common log holds",
          "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello ").opened(4).data("x");
    const auto to = log.bytes.size();
    SECTION("others had their slots") { log.opened(3, 2).data("y").end(); }
    SECTION("its node had begun anew") { log.term(2, 78, true).opened(5).data("z"); }
    Follower f(log);
    auto& node = f.node;
    CHECK_FALSE(node.journal->stored(piece_of(3, to)));
    CHECK(node.store_.end() == to);
    CHECK(node.store_.aside.empty());
    CHECK_FALSE(node.journal->stored(piece_of(2, to)));
    f.join();
    CHECK_FALSE(node.journal->stored(piece_of(3, to)));
    node.journal->advance(Instant{} + seconds(1));
    f.join();
    CHECK(node.journal->stored(piece_of(3, to)));
    REQUIRE(node.contents.find({3, 1}) != nullptr);
    CHECK(node.contents.find({3, 1})->offset == 6);
    CHECK(node.contents.find({4, 1})->offset == 1);
    CHECK(node.contents.find({5, 1}) == nullptr);
    CHECK(node.contents.terms().last() == journal::Term{1, 77});
    CHECK(node.counters.get(app::JournalCounter::read_again) == 2);
}

TEST_CASE("journal: a standby that becomes active while it reads its log again has read all of it",
          "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello ");
    const auto to = log.bytes.size();
    log.opened(3, 2).data("y");
    Follower f(log);
    CHECK_FALSE(f.node.journal->stored(piece_of(3, to)));
    f.node.journal->activated(2);
    REQUIRE(f.node.contents.find({3, 1}) != nullptr);
    CHECK(f.node.contents.find({3, 1})->offset == 6);
}

TEST_CASE("journal: what may have been acknowledged is kept apart before it is cut, or nothing is cut",
          "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello ");
    const auto to = log.bytes.size();
    log.data("world");
    Follower f(log);
    auto& node = f.node;
    node.store_.aside_fails = true;
    CHECK_FALSE(node.journal->stored(piece_of(1, to)));
    CHECK(node.store_.log == log.bytes);
    CHECK(node.counters.get(app::JournalCounter::not_set_aside) == 1);
    node.store_.aside_fails = false;
    f.join();
    REQUIRE(node.journal->stored(piece_of(1, to)));
    CHECK(node.store_.end() == to);
    REQUIRE(node.store_.aside.size() == 1);
    CHECK(node.store_.aside[0].at == to);
    CHECK(std::ranges::equal(node.store_.aside[0].bytes, std::span(log.bytes).subspan(to)));
    CHECK(node.counters.get(app::JournalCounter::set_aside) == log.bytes.size() - to);
    CHECK(node.counters.get(app::JournalCounter::taken_back) == log.bytes.size() - to);
}

TEST_CASE("journal: of terms alone nobody was told anything", "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello ");
    const auto to = log.bytes.size();
    log.term(2, 78);
    Follower f(log);
    REQUIRE(f.node.journal->stored(piece_of(1, to)));
    CHECK(f.node.store_.aside.empty());
}

TEST_CASE("journal: a node that took over from an active that served alone does not say that it has all",
          "[journal]") {
    const bool degrade = GENERATE(false, true);
    const bool complete = GENERATE(false, true);
    Follower f({});
    PairNode& node = f.node;
    node.degrade = degrade;
    node.start(2);
    f.join();
    LogWriter log;
    log.term(1).opened(3).data("hello ");
    REQUIRE(node.journal->stored(piece_of(3, 0)));
    REQUIRE(node.journal->stored(piece_of(2, 0, log.bytes)));
    if (complete) REQUIRE(node.journal->stored(piece_of(4, log.bytes.size())));
    node.journal->activated(2);
    // The old active comes back, and has more.
    auto old = log;
    old.data("world");
    Follower other(old);
    std::array<std::uint8_t, journal::Description::size_max> said;
    const auto size = other.node.journal->describe(said);
    node.joined = true;
    node.journal->standby_joined({said.data(), size});
    node.journal->advance(Instant{} + seconds(1));
    REQUIRE_FALSE(node.mirror.empty());
    CHECK(node.mirror.front().state == piece_of(complete && !degrade ? 3 : 1, log.bytes.size()));
}

TEST_CASE("journal: sessions that wait are given room once for each progress, however many they are",
          "[journal]") {
    constexpr std::uint32_t many = 200;
    struct Counting final : app::Channel {
        void commit(SessionId, app::Offset) override {}
        std::size_t reply(SessionId, std::span<const std::uint8_t>) override { return 0; }
        std::size_t room(SessionId) const override { return 0; }
        app::Offset replied(SessionId) const override { return 0; }
        void finish(SessionId) override {}
        void abort(SessionId) override {}
        bool store(std::span<const std::uint8_t>) override { return false; }
        void retry(SessionId id) override {
            ++retries;
            journal->receive(id, 0, std::vector<std::uint8_t>(1000));
        }
        void deliver(SessionId, app::Offset) override {}
        void commit_end(SessionId) override {}
        app::Journal* journal = nullptr;
        unsigned retries = 0;
    } channel;
    MemoryStore store;
    store.buffer = 300;
    journal::Contents contents(many);
    app::JournalCounters counters;
    app::Journal journal(channel, store, contents, counters, {"many", many, false, 1, false});
    channel.journal = &journal;
    journal.activated(1);
    for (std::uint32_t slot = 0; slot < many; ++slot) {
        journal.opened({{slot, 1}, *Endpoint::parse("10.0.0.1:1000"), *Endpoint::parse("10.0.0.2:2000")});
        journal.receive({slot, 1}, 0, std::vector<std::uint8_t>(1000));
    }
    const auto advance = [&] {
        for (int i = 0; i < 20; ++i) journal.advance(Instant{} + milliseconds(1));
    };
    advance();
    CHECK(channel.retries == 0);
    store.flush();
    advance();
    CHECK(channel.retries == many);
    advance();
    CHECK(channel.retries == many);
}
