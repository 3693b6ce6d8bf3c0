// A journal's log in a directory of the test's own.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "engine/journal/disk_store.hpp"
#include "tests/support/journal_log.hpp"

namespace holdfast::test {

using journal::Contents;
using journal::LogPosition;
using journal::Record;

class Directory {
  public:
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "holdfast-journal-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

/// A store with small limits, and the contents of its log when it was opened.
struct Rig {
    explicit Rig(const std::filesystem::path& directory, std::uint64_t max = 1u << 30,
                 std::uint64_t segment = 4096)
        : store({directory, max, segment, 1u << 20},
                [this](const Record& r, LogPosition at) { return contents.add(r, at); }) {}

    void append(const LogWriter& log) {
        for (std::size_t at = 0; at < log.bytes.size();) {
            const auto size = *journal::claimed_size(std::span(log.bytes).subspan(at));
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

inline LogWriter some_log(int records = 100) {
    LogWriter log;
    log.term(1).opened(3);
    for (int i = 0; i < records; ++i) log.data(std::string(static_cast<std::size_t>(i * 7 % 1500), 'x'));
    return log;
}

inline std::filesystem::path last_segment(const std::filesystem::path& directory) {
    return engine::segment_files(directory).back().path;
}

}  // namespace holdfast::test
