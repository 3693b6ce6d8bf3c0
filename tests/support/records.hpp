// Records of the mirror with a value of its own in every field: what is swapped or forgotten is seen.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/session/record.hpp"

namespace holdfast::test {

using Bytes = std::vector<std::uint8_t>;

inline SessionRecord session_record() {
    SessionRecord r;
    r.id = {0x01020304, 0x11121314};
    r.term = 0x2122232425262728;
    r.service = 0x3132;
    r.backend = 0x4142;
    r.gates = 1;
    r.sack = true;
    r.timestamps = true;
    r.window_scaling = true;
    r.scale_client = 7;
    r.scale_server = 9;
    r.scale_to_client = 7;
    r.cookie = true;
    r.ecn[0] = r.ecn[1] = true;
    r.syn_window = 0x5152;
    r.leg[0] = {*Endpoint::parse("198.51.100.1:80"),
                *Endpoint::parse("192.0.2.7:40000"),
                {0xfffffff0},
                {0xffffff00},
                0x61626364,
                1460,
                1448};
    r.leg[1] = {*Endpoint::parse("203.0.113.5:2048"),
                *Endpoint::parse("[2001:db8::9]:8080"),
                {0x71727374},
                {0x81828384},
                0x91929394,
                8960,
                1400};
    r.opened_at = Instant{0x0102030405060708};
    return r;
}

inline ProgressRecord progress_record() {
    ProgressRecord p;
    p.id = {0x01020304, 0x11121314};
    p.side = Side::server;
    p.last_byte = 0xa5;
    p.has_last_byte = true;
    p.established = true;
    p.fin_received = true;
    p.fin_sent = true;
    p.version = 0x21222324;
    p.una = 0x3132333435363738;
    p.ack = 0x4142434445464748;
    p.ts_recent = 0x51525354;
    p.last_active = Instant{0x6162636465666768};
    return p;
}

/// CRC-32C bit by bit, seeded with ones and not inverted at the end: the reference for the mirror's framing.
inline std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const auto b : bytes) {
        crc ^= b;
        for (int i = 0; i < 8; ++i) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    }
    return crc;
}

}  // namespace holdfast::test
