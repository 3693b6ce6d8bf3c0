// Segments as the queues of a connection hold them.
#pragma once

#include <catch2/catch.hpp>

#include "lib/packet/packet.hpp"
#include "tests/support/mbuf_pool.hpp"
#include "tests/support/true_bytes.hpp"

namespace holdfast::test {

/// The bytes [begin, end) in an mbuf, described by its meta.
inline Packet segment_of(MbufPool& pool, Position begin, Position end) {
    auto* m = rte_pktmbuf_alloc(pool.get());
    REQUIRE(m != nullptr);
    auto* to =
        reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(m, static_cast<std::uint16_t>(end - begin)));
    for (Position p = begin; p < end; ++p) to[p - begin] = byte_at(p);
    meta(m) = PacketMeta{};
    meta(m).begin = begin;
    meta(m).payload_offset = m->data_off;
    meta(m).payload_len = static_cast<std::uint16_t>(end - begin);
    return Packet(m);
}

/// True when every byte of `m` stands at its position.
inline bool bytes_are_true(const rte_mbuf* m) {
    for (Position p = meta(m).begin; p < meta(m).end(); ++p)
        if (payload(m)[p - meta(m).begin] != byte_at(p)) return false;
    return true;
}

}  // namespace holdfast::test
