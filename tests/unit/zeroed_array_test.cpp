// Tables that cost only what is used of them.
#include "lib/table/zeroed_array.hpp"

#include <catch2/catch.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <vector>

using namespace holdfast;

namespace {

struct alignas(64) Line {
    std::uint64_t words[8];
};

/// Pages of [begin, end) that are in memory.
std::size_t resident_pages(const void* begin, const void* end) {
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto first = reinterpret_cast<std::uintptr_t>(begin) / page * page;
    const auto last = (reinterpret_cast<std::uintptr_t>(end) + page - 1) / page * page;
    std::vector<unsigned char> pages((last - first) / page);
    REQUIRE(mincore(reinterpret_cast<void*>(first), last - first, pages.data()) == 0);
    std::size_t n = 0;
    for (const auto p : pages) n += p & 1;
    return n;
}

}  // namespace

TEST_CASE("zeroed array: all of it is zero, aligned, and counts to its end", "[table]") {
    ZeroedArray<Line> lines(100);
    CHECK(lines.size() == 100);
    CHECK(lines.end() - lines.begin() == 100);
    CHECK(reinterpret_cast<std::uintptr_t>(lines.begin()) % alignof(Line) == 0);
    for (const auto& line : lines)
        for (const auto word : line.words) CHECK(word == 0);
}

TEST_CASE("zeroed array: what is not written is not in memory", "[table]") {
    ZeroedArray<Line> lines(1u << 20);  // 64 MiB
    CHECK(resident_pages(lines.begin(), lines.end()) <= 2);
    for (std::uint32_t i = 0; i < 640; ++i) lines[i].words[0] = i;
    CHECK(resident_pages(lines.begin(), lines.end()) <= 13);
    CHECK(lines[639].words[0] == 639);
}

TEST_CASE("zeroed array: it can be moved", "[table]") {
    ZeroedArray<int> a(4);
    a[3] = 7;
    const auto b = std::move(a);
    CHECK(b[3] == 7);
}
