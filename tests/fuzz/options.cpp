// parse_tcp_options and write_tcp_header: what was read and written is read again.
//
//     u8 length of the options | the options | a header's fields
#include <cstring>

#include "lib/wire/tcp.hpp"
#include "tests/fuzz/target.hpp"

using namespace holdfast;
using wire::TcpOptions;

namespace {

void require_alike(const TcpOptions& a, const TcpOptions& b) {
    fuzz::require(a.mss == b.mss, "MSS");
    fuzz::require(a.has_window_scale == b.has_window_scale && a.window_scale == b.window_scale,
                  "window scale");
    fuzz::require(a.sack_permitted == b.sack_permitted, "SACK permitted");
    fuzz::require(a.has_timestamps == b.has_timestamps && a.ts_value == b.ts_value && a.ts_echo == b.ts_echo,
                  "timestamps");
    fuzz::require(a.sack_count == b.sack_count, "number of SACK blocks");
    for (std::size_t i = 0; i < a.sack_count; ++i) fuzz::require(a.sack[i] == b.sack[i], "SACK block");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input in(data, size);
    const fuzz::Exact bytes(in.take(in.below(64)));
    wire::TcpHeader h;
    if (!wire::parse_tcp_options(bytes.bytes(), h.options)) return 0;
    fuzz::require(h.options.sack_count <= h.options.sack.size(), "too many SACK blocks");
    const auto room = wire::tcp_options_size(h.options);
    // Who sends a header sees to it that its options fit.
    if (room > wire::tcp_options_max) return 0;

    h.source_port = in.u16();
    h.destination_port = in.u16();
    h.seq = {in.u32()};
    h.ack = {in.u32()};
    h.flags = in.u8();
    h.window = in.u16();
    fuzz::Exact out(wire::tcp_size + room);
    fuzz::require(wire::write_tcp_header(out.data(), h) == out.size(), "another size than announced");
    fuzz::require(std::size_t{out.data()[12]} / 16 * 4 == out.size(), "the data offset");
    fuzz::require(wire::load32(out.data() + 4) == h.seq.value && wire::load32(out.data() + 8) == h.ack.value,
                  "SEQ and ACK");
    fuzz::require(out.data()[13] == h.flags && wire::load16(out.data() + 14) == h.window, "flags, window");
    TcpOptions again;
    fuzz::require(wire::parse_tcp_options(out.bytes().subspan(wire::tcp_size), again),
                  "what was written is malformed");
    require_alike(h.options, again);
    return 0;
}
