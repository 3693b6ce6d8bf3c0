// A journal's log in files, as it is found after a failure: torn, damaged, or cut when its node joined.
#include <fstream>

#include "tests/support/journal_rig.hpp"

using namespace holdfast;
using namespace holdfast::journal;
using namespace holdfast::test;
namespace fs = std::filesystem;

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
    std::vector<std::uint8_t> header(segment_header_size);
    SECTION("none of it") {}
    SECTION("some bytes") { header = {'H', 'F'}; }
    SECTION("as much as the disk had room for") {
        encode(SegmentHeader{log.bytes.size(), {1, 77}, log.bytes.size()}, header);
        header.resize(1000);
    }
    std::ofstream(engine::segment_path(d.path, log.bytes.size()), std::ios::binary)
        .write(reinterpret_cast<const char*>(header.data()), static_cast<std::streamsize>(header.size()));
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
