// parse_frame and parse_arp on hostile bytes.
//
//     u8 what the port says and which checksums are made good | the frame
#include "lib/wire/frame.hpp"

#include <cstring>

#include "tests/fuzz/target.hpp"
#include "tests/support/edge_mbuf.hpp"
#include "tests/support/frame_bytes.hpp"

using namespace holdfast;
using wire::Frame;
using wire::FrameKind;

namespace {

constexpr std::size_t frame_max = 2048;

enum Option : std::uint8_t {
    seals_ip = 1,
    seals_tcp = 2,
    verified = 4,
    port_vouches_ip = 8,
    port_vouches_tcp = 16,
    port_has_no_sum = 32,
    chained = 64
};

std::uint64_t port_says(std::uint8_t options) {
    std::uint64_t flags = 0;
    if ((options & port_vouches_ip) != 0) flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    if ((options & port_vouches_tcp) != 0) flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    if ((options & port_has_no_sum) != 0) flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
    return flags;
}

/// Makes the checksums good that the input wants so, as far as its lengths allow.
void seal(fuzz::Bytes& f, std::uint8_t options) {
    using namespace holdfast::test;
    if (f.size() < at_tcp || get16(f, 12) != wire::ethertype_ipv4) return;
    if ((options & seals_ip) != 0) {
        const std::size_t header = (f[at_ip] & 15u) * 4u;
        if (header < 20 || at_ip + header > f.size()) return;
        put16(f, at_ip + 10, 0);
        put16(f, at_ip + 10, sim::fold(sim::ones_sum({&f[at_ip], header})));
    }
    const std::size_t total = get16(f, at_ip + 2);
    if ((options & seals_tcp) != 0 && total >= 40 && at_ip + total <= f.size() && f[at_ip] == 0x45)
        seal_tcp(f);
}

FrameKind parse(rte_mbuf* m, std::uint8_t options, Frame& out) {
    m->ol_flags = port_says(options);
    if ((options & chained) != 0) m->nb_segs = 2;
    return wire::parse_frame(m, (options & verified) != 0, out);
}

/// What the simulator's own reader makes of a segment that was taken: the same.
void compare(const Frame& f, const fuzz::Bytes& bytes) {
    std::string fault;
    const auto other = sim::read_segment(bytes, fault);
    if (!other) return;
    fuzz::require(other->seq == f.tcp.seq && other->ack == f.tcp.ack && other->window == f.tcp.window,
                  "two readers, two headers");
    fuzz::require(other->flags == f.tcp.flags, "two readers, two sets of flags");
    fuzz::require(other->from == Endpoint{f.source, f.tcp.source_port}, "two readers, two senders");
    fuzz::require(other->to == Endpoint{f.destination, f.tcp.destination_port}, "two readers, two receivers");
    fuzz::require(
        other->payload.data() == bytes.data() + f.payload_offset && other->payload.size() == f.payload_len,
        "two readers, two payloads");
}

void judge(const Frame& f, rte_mbuf* m, const fuzz::Bytes& bytes) {
    fuzz::require(f.kind < FrameKind::count_, "a kind that is none");
    switch (f.kind) {
        case FrameKind::tcp:
            fuzz::require(f.tcp.source_port != 0 && f.tcp.destination_port != 0, "port 0");
            fuzz::require(f.tcp.options.sack_count <= f.tcp.options.sack.size(), "too many SACK blocks");
            compare(f, bytes);
            [[fallthrough]];
        case FrameKind::icmp:
        case FrameKind::heartbeat:
            fuzz::require(f.payload_offset + std::size_t{f.payload_len} <= bytes.size(),
                          "payload past the end");
            break;
        case FrameKind::arp: {
            const auto arp = wire::parse_arp(m, f);
            fuzz::require(!arp.sender_mac.is_multicast() && !arp.sender_mac.is_zero(), "ARP from nobody");
            break;
        }
        default: break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static test::EdgeBuffer edge;
    fuzz::Input in(data, std::min(size, frame_max));
    const auto options = in.u8();
    auto bytes = in.rest();
    seal(bytes, options);

    // Where memory ends (any build sees what is read past it), and on the heap (the sanitizer sees both
    // sides).
    Frame at_edge, on_heap;
    auto* m = edge.mbuf(bytes);
    parse(m, options, at_edge);
    judge(at_edge, m, bytes);
    fuzz::Exact heap(bytes);
    m->buf_addr = heap.data();
    m->nb_segs = 1;
    parse(m, options, on_heap);
    judge(on_heap, m, bytes);
    fuzz::require(at_edge.kind == on_heap.kind && at_edge.payload_offset == on_heap.payload_offset &&
                      at_edge.payload_len == on_heap.payload_len &&
                      at_edge.payload_sum == on_heap.payload_sum,
                  "the same bytes, another frame");
    return 0;
}
