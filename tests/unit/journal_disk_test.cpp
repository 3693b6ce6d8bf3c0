// A journal's log in files: written by io_uring, found again, cut, full.
#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/journal_rig.hpp"

using namespace holdfast;
using namespace holdfast::journal;
using namespace holdfast::test;
namespace fs = std::filesystem;

namespace {

unsigned submissions_refused = 0;  ///< so many of io_uring_submit() are answered by -EAGAIN

}  // namespace

/// In the place of the library's: a kernel that has no memory at the moment.
extern "C" int io_uring_submit(io_uring* ring) {
    if (submissions_refused > 0) return --submissions_refused, -EAGAIN;
    static const auto real = reinterpret_cast<int (*)(io_uring*)>(dlsym(RTLD_NEXT, "io_uring_submit"));
    return real(ring);
}

TEST_CASE("journal: what is durable is found again, over many segments", "[journal]") {
    const Directory d;
    const auto log = some_log();
    {
        Rig rig(d.path);
        CHECK(rig.store.end() == 0);
        rig.append(log);
        CHECK(rig.store.durable() == 0);
        REQUIRE(rig.settle());
        CHECK(rig.all() == log.bytes);
    }
    CHECK(engine::segment_files(d.path).size() > 5);
    Rig rig(d.path);
    CHECK(rig.store.end() == log.bytes.size());
    CHECK(rig.store.repaired() == 0);
    CHECK(rig.contents.find({3, 1}) != nullptr);
    CHECK(rig.all() == log.bytes);
}

TEST_CASE("journal: a log is gone on with", "[journal]") {
    const Directory d;
    auto log = some_log(10);
    {
        Rig rig(d.path);
        rig.append(log);
        REQUIRE(rig.settle());
    }
    const auto first = log.bytes.size();
    {
        Rig rig(d.path);
        LogWriter more = log;
        more.data("more");
        REQUIRE(rig.store.append(std::span(more.bytes).subspan(first)));
        REQUIRE(rig.settle());
        log = more;
    }
    Rig rig(d.path);
    CHECK(rig.all() == log.bytes);
}

TEST_CASE("journal: a directory belongs to one process's store", "[journal]") {
    const Directory d;
    const Rig rig(d.path);
    CHECK_THROWS_WITH(Rig(d.path), Catch::Contains("is in use by another process"));
}

TEST_CASE("journal: what is truncated never was, in memory and on disk", "[journal]") {
    const Directory d;
    const auto log = some_log();
    const std::size_t record = log.bytes.size() / 2;
    std::size_t to = 0;
    while (to < record) to += *claimed_size(std::span(log.bytes).subspan(to));
    std::vector<std::uint8_t> kept(log.bytes.begin(), log.bytes.begin() + static_cast<std::ptrdiff_t>(to));
    {
        Rig rig(d.path);
        rig.append(log);
        const bool on_disk = GENERATE(true, false);
        if (on_disk) REQUIRE(rig.settle());
        else rig.step();
        rig.store.truncate(to, {1, 77});
        CHECK(rig.store.end() == to);
        CHECK(rig.all() == kept);
        LogWriter more;
        more.salt = 77;
        more.put({Kind::term, false, {}, 2, 88, {}});
        rig.append(more);
        kept.insert(kept.end(), more.bytes.begin(), more.bytes.end());
        REQUIRE(rig.settle());
    }
    Rig rig(d.path);
    CHECK(rig.all() == kept);
    CHECK(rig.contents.terms().last() == Term{2, 88});
}

TEST_CASE("journal: at its bound it takes no more", "[journal]") {
    const Directory d;
    Rig rig(d.path, 1000);
    LogWriter log;
    log.term(1).opened(3).data(std::string(500, 'x'));
    rig.append(log);
    CHECK_FALSE(rig.store.append(std::vector<std::uint8_t>(400)));
    CHECK(rig.store.status().full);
    // But for the terms of nodes, without which no standby could join.
    LogWriter terms;
    terms.salt = 77;
    for (std::uint64_t n = 2; n < 100; ++n) terms.term(n);
    rig.append(terms);
    log.bytes.insert(log.bytes.end(), terms.bytes.begin(), terms.bytes.end());
    REQUIRE(rig.settle());
    CHECK(rig.all() == log.bytes);
    std::uint64_t many = 0;
    while (rig.store.append(std::span(terms.bytes).first(record_header_size))) REQUIRE(++many < 10'000);
}

TEST_CASE("journal: a full disk loses nothing, and it goes on when there is room", "[journal]") {
    const Directory d;
    const auto log = some_log(60);
    {
        Rig rig(d.path, 1u << 30, 1u << 20);
        // What the kernel says of a file that may not grow stands for a disk without room.
        signal(SIGXFSZ, SIG_IGN);
        rlimit before{};
        REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
        rlimit tight = before;
        tight.rlim_cur = 10'000;
        REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
        rig.append(log);
        for (int i = 0; i < 200'000 && rig.store.status().error == 0; ++i) {
            rig.step();
            usleep(100);
        }
        const auto error = rig.store.status().error.load();
        const auto durable = rig.store.durable();
        // What is on the disk ends within a record, and is no damage.
        const auto there = engine::read_log(d.path, [](const Record&, LogPosition) { return true; });
        CHECK(there.end < durable);
        for (int i = 0; i < 300; ++i) rig.step();
        REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
        CHECK(error != 0);
        CHECK(durable < log.bytes.size());
        CHECK(rig.store.end() == log.bytes.size());
        REQUIRE(rig.settle());
        CHECK(rig.store.status().error == 0);
    }
    Rig rig(d.path);
    CHECK(rig.all() == log.bytes);
}

TEST_CASE("journal: a directory that can not be read is tried again", "[journal]") {
    const Directory d;
    const auto log = some_log(10);
    const fs::path elsewhere = d.path.string() + "-elsewhere";
    {
        Rig rig(d.path);
        rig.append(log);
        REQUIRE(rig.settle());
        rig.store.truncate(40, {1, 77});
        fs::rename(d.path, elsewhere);
        rig.step();
        CHECK(rig.store.status().error == ENOENT);
        fs::rename(elsewhere, d.path);
        LogWriter more;
        more.salt = 77;
        more.term(2, 78);
        rig.append(more);
        REQUIRE(rig.settle());
        CHECK(rig.store.status().error == 0);
    }
    const Rig rig(d.path);
    CHECK(rig.store.end() == 80);
    CHECK(rig.contents.terms().last() == Term{2, 78});
}

TEST_CASE("journal: what the kernel does not take at once it is handed again", "[journal]") {
    const Directory d;
    const auto log = some_log(10);
    Rig rig(d.path);
    rig.append(log);
    submissions_refused = 50;
    REQUIRE(rig.settle());
    CHECK(submissions_refused == 0);
    CHECK(rig.all() == log.bytes);
}

TEST_CASE("journal: what has left memory is fetched", "[journal]") {
    const Directory d;
    const auto log = some_log(100);
    {
        Rig rig(d.path);
        rig.append(log);
        REQUIRE(rig.settle());
    }
    Rig rig(d.path);
    std::vector<std::uint8_t> out(100);
    rig.step();
    CHECK(rig.store.read(5000, out) == 0);
    std::size_t n = 0;
    for (int i = 0; i < 5000 && n == 0; ++i) {
        usleep(100);
        rig.step();
        n = rig.store.read(5000, out);
    }
    REQUIRE(n > 0);
    CHECK(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n), log.bytes.begin() + 5000));
}
