#include "lib/wire/tcp.hpp"

#include <cstring>

namespace holdfast::wire {
namespace {

enum Kind : std::uint8_t {
    end_of_list = 0,
    nop = 1,
    mss = 2,
    window_scale = 3,
    sack_permitted = 4,
    sack = 5,
    timestamps = 8
};

void take_sack(std::span<const std::uint8_t> body, TcpOptions& out) {
    for (; body.size() >= 8 && out.sack_count < out.sack.size(); body = body.subspan(8))
        out.sack[out.sack_count++] = {{load32(body.data())}, {load32(body.data() + 4)}};
}

/// One option of known length; false when that length does not fit its kind.
bool take_option(std::uint8_t kind, std::span<const std::uint8_t> body, TcpOptions& out) {
    switch (kind) {
        case mss:
            if (body.size() != 2) return false;
            out.mss = load16(body.data());
            return true;
        case window_scale:
            if (body.size() != 1) return false;
            out.window_scale = body[0];
            out.has_window_scale = true;
            return true;
        case sack_permitted:
            if (!body.empty()) return false;
            out.sack_permitted = true;
            return true;
        case sack:
            if (body.empty() || body.size() % 8 != 0) return false;
            take_sack(body, out);
            return true;
        case timestamps:
            if (body.size() != 8) return false;
            out.has_timestamps = true;
            out.ts_value = load32(body.data());
            out.ts_echo = load32(body.data() + 4);
            return true;
        default: return true;
    }
}

}  // namespace

bool parse_tcp_options(std::span<const std::uint8_t> bytes, TcpOptions& out) {
    // Established segments carry exactly NOP NOP TS: one comparison instead of a walk (RFC 7323 appendix A).
    if (bytes.size() == 12 && load32(bytes.data()) == 0x0101080a) {
        out.has_timestamps = true;
        out.ts_value = load32(bytes.data() + 4);
        out.ts_echo = load32(bytes.data() + 8);
        return true;
    }
    //= rfc9293#3.1
    //  Kinds that nobody here knows are passed over by their length; a length that can not be ends the walk.
    //= rfc9293#3.2
    //  Byte by byte: options begin where they like.
    while (!bytes.empty()) {
        const auto kind = bytes[0];
        if (kind == end_of_list) return true;
        if (kind == nop) {
            bytes = bytes.subspan(1);
            continue;
        }
        if (bytes.size() < 2 || bytes[1] < 2 || bytes[1] > bytes.size()) return false;
        if (!take_option(kind, bytes.subspan(2, bytes[1] - 2u), out)) return false;
        bytes = bytes.subspan(bytes[1]);
    }
    return true;
}

std::size_t write_tcp_header(std::uint8_t* out, const TcpHeader& h) {
    store16(out, h.source_port);
    store16(out + 2, h.destination_port);
    store32(out + 4, h.seq.value);
    store32(out + 8, h.ack.value);
    out[13] = h.flags;
    store16(out + 14, h.window);
    store32(out + 16, 0);  // checksum and urgent pointer
    const auto& o = h.options;
    auto* p = out + tcp_size;
    const auto word = [&p](std::uint32_t v) {
        store32(p, v);
        p += 4;
    };
    if (o.mss != 0) word(0x02040000u | o.mss);
    if (o.sack_permitted) word(0x01010402u);
    if (o.has_timestamps) {
        word(0x0101080au);
        word(o.ts_value);
        word(o.ts_echo);
    }
    if (o.has_window_scale) word(0x01030300u | o.window_scale);
    if (o.sack_count > 0) {
        word(0x01010500u | (2u + 8u * o.sack_count));
        for (std::size_t i = 0; i < o.sack_count; ++i) {
            word(o.sack[i].begin.value);
            word(o.sack[i].end.value);
        }
    }
    const auto size = static_cast<std::size_t>(p - out);
    out[12] = static_cast<std::uint8_t>(size / 4 << 4);
    return size;
}

}  // namespace holdfast::wire
