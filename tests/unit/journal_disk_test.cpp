// A journal's log in files: written by io_uring, found again, cut, full.
#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "engine/journal/disk_store.hpp"
#include "tests/support/journal_log.hpp"

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

namespace {

class Directory {
  public:
    Directory() {
        std::string name = (fs::temp_directory_path() / "holdfast-journal-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { fs::remove_all(path); }
    fs::path path;
};

/// A store with small limits, and the contents of its log when it was opened.
struct Rig {
    explicit Rig(const fs::path& directory, std::uint64_t max = 1u << 30, std::uint64_t segment = 4096)
        : store({directory, max, segment, 1u << 20},
                [this](const Record& r, LogPosition at) { return contents.add(r, at); }) {}

    void append(const LogWriter& log) {
        for (std::size_t at = 0; at < log.bytes.size();) {
            const auto size = *claimed_size(std::span(log.bytes).subspan(at));
            REQUIRE(store.append(std::span(log.bytes).subspan(at, size)));
            at += size;
        }
    }
    /// False when it does not become durable in some seconds.
    bool settle() {
        for (int i = 0; i < 50000 && store.durable() < store.end(); ++i) {
            step();
            usleep(100);
        }
        return store.durable() == store.end();
    }
    void step() {
        now = now + milliseconds(1);
        store.advance(now);
    }
    std::vector<std::uint8_t> all() {
        std::vector<std::uint8_t> out(store.end());
        for (std::size_t n = 0; n < out.size();) {
            const auto m = store.read_now(n, std::span(out).subspan(n));
            REQUIRE(m != 0);
            n += m;
        }
        return out;
    }

    Contents contents{16};
    engine::DiskStore store;
    Instant now{};
};

LogWriter some_log(int records = 100) {
    LogWriter log;
    log.term(1).opened(3);
    for (int i = 0; i < records; ++i) log.data(std::string(static_cast<std::size_t>(i * 7 % 1500), 'x'));
    return log;
}

fs::path last_segment(const fs::path& directory) { return engine::segment_files(directory).back().path; }

}  // namespace

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

TEST_CASE("journal: a torn tail is cut off when the log is opened", "[journal]") {
    const Directory d;
    const auto log = some_log(10);
    {
        Rig rig(d.path);
        rig.append(log);
        REQUIRE(rig.settle());
    }
    const auto file = last_segment(d.path);
    std::ofstream(file, std::ios::app | std::ios::binary) << "HFrj torn";
    {
        Rig rig(d.path);
        CHECK(rig.store.repaired() == 9);
        CHECK(rig.store.end() == log.bytes.size());
    }
    Rig rig(d.path);
    CHECK(rig.store.repaired() == 0);
}

TEST_CASE("journal: a segment whose header never got to the disk is none", "[journal]") {
    const Directory d;
    const auto log = some_log(10);
    {
        Rig rig(d.path);
        rig.append(log);
        REQUIRE(rig.settle());
    }
    std::ofstream(engine::segment_path(d.path, log.bytes.size()), std::ios::binary) << "HF";
    {
        Rig rig(d.path);
        CHECK(rig.store.end() == log.bytes.size());
        LogWriter more = log;
        more.data(std::string(4000, 'y'));
        REQUIRE(rig.store.append(std::span(more.bytes).subspan(log.bytes.size())));
        REQUIRE(rig.settle());
    }
    Rig rig(d.path);
    CHECK(rig.store.end() > log.bytes.size());
}

TEST_CASE("journal: damage and a missing segment are named and refused", "[journal]") {
    const Directory d;
    {
        Rig rig(d.path);
        rig.append(some_log());
        REQUIRE(rig.settle());
    }
    const auto files = engine::segment_files(d.path);
    SECTION("damage") {
        std::fstream file(files[1].path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(segment_header_size) + 600);
        file << "!";
    }
    SECTION("a missing segment") { fs::remove(files[1].path); }
    try {
        const Rig rig(d.path);
        FAIL("it was opened");
    } catch (const engine::StartRefused& e) {
        INFO(e.what());
        const std::string text = e.what();
        CHECK(text.find(".seg: ") != std::string::npos);
        CHECK(text.find(" the log is sound") != std::string::npos);
        CHECK(text.find("loses the whole log") != std::string::npos);
    }
}

TEST_CASE("journal: a hole in the last batch is cut off, one below it is refused", "[journal]") {
    const Directory d;
    LogWriter log;
    log.term(1).opened(3).data(std::string(1000, 'x'));
    const auto durable = log.bytes.size();
    {
        Rig rig(d.path);
        rig.append(log);
        REQUIRE(rig.settle());
        LogWriter batch = log;
        batch.data(std::string(600, 'y')).data("sound again");
        batch.bytes.erase(batch.bytes.begin(), batch.bytes.begin() + static_cast<std::ptrdiff_t>(durable));
        rig.append(batch);
        REQUIRE(rig.settle());
    }
    const auto make_hole = [&](std::size_t at) {
        std::fstream file(last_segment(d.path), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(segment_header_size + at));
        file << std::string(100, '\0');
    };
    SECTION("in the last batch") {
        make_hole(durable + 200);
        {
            const Rig rig(d.path);
            CHECK(rig.store.end() == durable);
            CHECK(rig.store.repaired() > 600);
        }
        // What was repaired is known to be durable.
        make_hole(durable - 100);
        CHECK_THROWS_WITH(Rig(d.path), Catch::Contains("is damaged"));
    }
    SECTION("below") {
        make_hole(durable - 200);
        CHECK_THROWS_WITH(Rig(d.path), Catch::Contains("is damaged"));
    }
}

TEST_CASE("journal: what is cut at a join is kept, as the tool reads it", "[journal]") {
    const Directory d;
    const auto log = some_log();
    const bool on_disk = GENERATE(true, false);
    const std::size_t part = GENERATE(3, 2, 1);  // of four
    std::size_t to = 0;
    while (to < log.bytes.size() * part / 4) to += *claimed_size(std::span(log.bytes).subspan(to));
    std::vector<std::uint8_t> kept;
    {
        Rig rig(d.path);
        rig.append(log);
        if (on_disk) REQUIRE(rig.settle());
        else rig.step();
        REQUIRE(rig.store.set_aside(to, {1, 77}));
        CHECK(rig.store.status().asides == 1);
        CHECK(rig.store.status().aside_bytes == log.bytes.size() - to);
        rig.store.truncate(to, {1, 77});
        REQUIRE(rig.settle());
        rig.step();
    }
    const auto read = [&](const std::string& name) {
        kept.clear();
        const auto piece = engine::read_log(d.path / name, [&](const Record& r, LogPosition) {
            std::vector<std::uint8_t> bytes(record_max);
            bytes.resize(encode(r, 77, bytes));
            kept.insert(kept.end(), bytes.begin(), bytes.end());
            return true;
        });
        CHECK(piece.begin == to);
        CHECK(piece.end == log.bytes.size());
    };
    read("cut-1-" + std::to_string(to));
    CHECK(std::equal(kept.begin(), kept.end(), log.bytes.begin() + static_cast<std::ptrdiff_t>(to),
                     log.bytes.end()));
    // Another one of that name takes nothing's place.
    Rig rig(d.path);
    CHECK(rig.store.end() == to);
    LogWriter again = log;
    again.bytes.erase(again.bytes.begin(), again.bytes.begin() + static_cast<std::ptrdiff_t>(to));
    rig.append(again);
    REQUIRE(rig.store.set_aside(to, {1, 77}));
    read("cut-1-" + std::to_string(to) + "-2");
}

TEST_CASE("journal: what is set aside is bounded", "[journal]") {
    const Directory d;
    Rig rig(d.path, 12'000, 1u << 20);
    LogWriter log;
    log.term(1).opened(3);
    const auto to = log.bytes.size();
    log.data(std::string(5000, 'x'));
    rig.append(log);
    REQUIRE(rig.store.set_aside(to, {1, 77}));
    CHECK_FALSE(rig.store.set_aside(to, {1, 77}));
    CHECK(rig.store.status().aside_full);
    CHECK(rig.store.end() == log.bytes.size());
}

TEST_CASE("journal: a mark of what was cut does not make damage of what follows", "[journal]") {
    const Directory d;
    LogWriter log;
    log.term(1).opened(3);
    const auto to = log.bytes.size();
    log.data(std::string(3000, 'x'));
    {
        Rig rig(d.path);
        rig.append(log);
        REQUIRE(rig.settle());
        log.data("y");
        REQUIRE(rig.store.append(std::span(log.bytes).last(41)));
        REQUIRE(rig.settle());  // with a mark behind 3,000 bytes
        rig.store.truncate(to, {1, 77});
        for (int i = 0; i < 10; ++i) rig.step();
    }
    const Rig rig(d.path);
    CHECK(rig.store.end() == to);
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
