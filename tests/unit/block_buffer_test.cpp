// Bytes of streams in blocks of a pool that they share.
#include "lib/table/block_buffer.hpp"

#include <catch2/catch.hpp>

#include <vector>

#include "lib/base/random.hpp"

using namespace holdfast;

namespace {

std::uint8_t byte_at(Position p) { return static_cast<std::uint8_t>(p * 7 + p / 256); }

std::vector<std::uint8_t> bytes(Position begin, std::size_t n) {
    std::vector<std::uint8_t> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = byte_at(begin + i);
    return out;
}

bool holds_true_bytes(const BlockBuffer& b, BlockPool& pool) {
    std::vector<std::uint8_t> out(b.end() - b.begin());
    b.copy(pool, b.begin(), out);
    return out == bytes(b.begin(), out.size());
}

}  // namespace

TEST_CASE("blocks: what was appended is there until it is dropped, over block borders", "[table]") {
    BlockPool pool(4 * BlockPool::block_size);
    BlockBuffer b;
    b.start(1);
    CHECK(b.append(pool, bytes(1, 1500)) == 1500);
    CHECK(pool.free_count() == 2);
    b.drop_until(pool, 1024);
    CHECK(pool.free_count() == 2);
    b.drop_until(pool, 1025);
    CHECK(pool.free_count() == 3);
    CHECK(b.append(pool, bytes(1501, 600)) == 600);
    CHECK(b.end() == 2101);
    CHECK(holds_true_bytes(b, pool));
    b.clear(pool);
    CHECK(pool.free_count() == 4);
}

TEST_CASE("blocks: who holds nothing holds no block", "[table]") {
    BlockPool pool(2 * BlockPool::block_size);
    BlockBuffer b;
    b.start(77);
    b.append(pool, bytes(77, 10));
    CHECK(pool.free_count() == 1);
    b.drop_until(pool, 87);
    CHECK(pool.free_count() == 2);
    CHECK(b.append(pool, bytes(87, 1024)) == 1024);
    CHECK(pool.free_count() == 1);
    CHECK(holds_true_bytes(b, pool));
}

TEST_CASE("blocks: a pool that is used up takes what fits", "[table]") {
    BlockPool pool(2 * BlockPool::block_size);
    BlockBuffer a, b;
    a.start(1);
    b.start(1);
    CHECK(a.append(pool, bytes(1, 100)) == 100);
    CHECK(b.append(pool, bytes(1, 3000)) == 1024);
    CHECK(pool.free_count() == 0);
    CHECK(a.append(pool, bytes(101, 3000)) == 924);
    CHECK(holds_true_bytes(a, pool));
    CHECK(holds_true_bytes(b, pool));
}

TEST_CASE("blocks: the end can be cut off", "[table]") {
    BlockPool pool(8 * BlockPool::block_size);
    const Position cut = GENERATE(1u, 500u, 1024u, 1025u, 2049u, 3000u, 3001u);
    BlockBuffer b;
    b.start(1);
    b.append(pool, bytes(1, 3000));
    b.cut(pool, cut);
    CHECK(b.end() == cut);
    CHECK(holds_true_bytes(b, pool));
    CHECK(b.append(pool, bytes(cut, 2000)) == 2000);
    CHECK(holds_true_bytes(b, pool));
    b.clear(pool);
    CHECK(pool.free_count() == 8);
}

TEST_CASE("blocks: many buffers in any order keep their own bytes", "[table]") {
    BlockPool pool(64 * BlockPool::block_size);
    std::vector<BlockBuffer> buffers(7);
    for (auto& b : buffers) b.start(1);
    Random random(5);
    for (int i = 0; i < 5000; ++i) {
        auto& b = buffers[random.below(buffers.size())];
        if (random.below(2) == 0) b.append(pool, bytes(b.end(), random.below(3000)));
        else b.drop_until(pool, b.begin() + random.below(b.end() - b.begin() + 1));
        if (random.below(10) == 0) b.cut(pool, b.begin() + random.below(b.end() - b.begin() + 1));
        REQUIRE(holds_true_bytes(b, pool));
    }
    for (auto& b : buffers) b.clear(pool);
    CHECK(pool.free_count() == 64);
}
