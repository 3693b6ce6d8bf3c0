// The queue in front of a port: first in, first out, bounded, and it frees what is left in it.
#include <catch2/catch.hpp>

#include <array>

#include "lib/packet/burst.hpp"
#include "tests/support/mbuf_pool.hpp"

using namespace holdfast;
using test::MbufPool;

TEST_CASE("frame queue: gives frames back in order, round its end", "[packet]") {
    MbufPool pool;
    FrameQueue queue(4);
    std::array<rte_mbuf*, 8> out;
    for (int round = 0; round < 10; ++round) {
        rte_mbuf* in[3];
        for (auto& m : in) REQUIRE(queue.push(m = rte_pktmbuf_alloc(pool.get())));
        REQUIRE(queue.pop({out.data(), 2}) == 2);
        REQUIRE(queue.pop({out.data() + 2, 6}) == 1);
        for (int i = 0; i < 3; ++i) {
            CHECK(out[static_cast<std::size_t>(i)] == in[i]);
            rte_pktmbuf_free(in[i]);
        }
        CHECK(queue.empty());
    }
}

TEST_CASE("frame queue: full it leaves the frame to the caller", "[packet]") {
    MbufPool pool;
    FrameQueue queue(2);
    auto* third = rte_pktmbuf_alloc(pool.get());
    CHECK(queue.push(rte_pktmbuf_alloc(pool.get())));
    CHECK(queue.push(rte_pktmbuf_alloc(pool.get())));
    CHECK(queue.room() == 0);
    CHECK_FALSE(queue.push(third));
    rte_pktmbuf_free(third);
    CHECK(queue.clear() == 2);
    CHECK(queue.room() == 2);
    CHECK(pool.in_use() == 0);
}

TEST_CASE("frame queue: a capacity that is no power of two is rounded up", "[packet]") {
    CHECK(FrameQueue(5).room() == 8);
    CHECK(FrameQueue(1).room() == 1);
}

TEST_CASE("packet: an owned mbuf goes back once, wherever it was moved to", "[packet]") {
    MbufPool pool;
    PacketPool packets(pool.get());
    {
        auto a = packets.allocate();
        auto b = packets.allocate();
        CHECK(pool.in_use() == 2);
        a = std::move(b);
        CHECK(pool.in_use() == 1);
        CHECK_FALSE(b);
        rte_pktmbuf_free(a.release());
    }
    CHECK(pool.in_use() == 0);
}

TEST_CASE("packet: an empty pool gives an empty handle", "[packet]") {
    MbufPool pool(1);
    PacketPool packets(pool.get());
    const auto only = packets.allocate();
    CHECK(only);
    CHECK_FALSE(packets.allocate());
}
