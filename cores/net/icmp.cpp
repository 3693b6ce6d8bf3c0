// ICMP and ICMPv6 (RFC 792, RFC 4443): echo is answered, errors are passed on. Neighbour discovery has a file
// of its own.
#include <algorithm>
#include <cstring>

#include "cores/net/interface.hpp"
#include "lib/wire/checksum.hpp"
#include "lib/wire/neighbour.hpp"

namespace holdfast::net {
namespace {

using wire::ethernet_size;

constexpr std::uint8_t echo_request = 8, echo_reply = 0, echo_request6 = 128, echo_reply6 = 129;
constexpr std::uint8_t discovery_first = 133, discovery_last = 137;

/// Replaces a checksum of which one byte of the summed data went from `before` to `after` (RFC 1624). The
/// byte stands first in its 16-bit word.
void adjust_sum(std::uint8_t* sum, std::uint8_t before, std::uint8_t after) {
    std::uint16_t old;
    std::memcpy(&old, sum, 2);
    const std::uint32_t changed = static_cast<std::uint16_t>(~old) +
                                  static_cast<std::uint32_t>(static_cast<std::uint16_t>(~before)) + after;
    const auto now = static_cast<std::uint16_t>(~wire::fold(changed));
    std::memcpy(sum, &now, 2);
}

}  // namespace

Heard Interface::receive_icmp(rte_mbuf* m, const wire::Frame& frame, Instant now) {
    const auto* message = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, frame.payload_offset);
    const bool v6 = frame.kind == wire::FrameKind::icmpv6;
    const bool sound = frame.payload_len >= 8 && (v6 ? wire::icmpv6_sum_right(message, frame)
                                                     : wire::sum_bytes(message, frame.payload_len) == 0xffff);
    if (sound && v6 && message[0] >= discovery_first && message[0] <= discovery_last) {
        const auto heard = receive_discovery(message, frame, now);
        rte_pktmbuf_free(m);
        return {heard, {}};
    }
    if (sound && v6 && wire::is_group_query(message, frame)) {
        // Soon, and not more often than once a second, however many ask.
        if (reports_ > 0) report_at_ = std::min(report_at_, now + seconds(1));
        rte_pktmbuf_free(m);
        return {};
    }
    const bool is_echo = sound && message[0] == (v6 ? echo_request6 : echo_request) && message[1] == 0;
    const auto asked = self_of(frame.destination);
    if (sound && asked) {
        if (const auto error = wire::read_icmp_error(message, frame)) {
            counters_.add(Counter::icmp_errors);
            rte_pktmbuf_free(m);
            return {{}, error};
        }
    }
    if (is_echo && asked && !frame.source.is_any() && !frame.source.is_multicast()) {
        answer_echo(m, frame, *asked, now);
    } else {
        counters_.add(Counter::icmp_ignored);
        rte_pktmbuf_free(m);
    }
    return {};
}

//= rfc1122#3.2.2.6
//  The answer is the request with addresses exchanged; IP options are not returned.
void Interface::answer_echo(rte_mbuf* m, const wire::Frame& frame, Self self, Instant now) {
    auto* message = rte_pktmbuf_mtod_offset(m, std::uint8_t*, frame.payload_offset);
    const bool v6 = frame.kind == wire::FrameKind::icmpv6;
    const auto reply = v6 ? echo_reply6 : echo_reply;
    adjust_sum(message + 2, message[0], reply);
    message[0] = reply;
    rte_pktmbuf_trim(m, static_cast<std::uint16_t>(m->pkt_len - frame.payload_offset - frame.payload_len));
    rte_pktmbuf_adj(m, frame.payload_offset);
    const auto size = v6 ? wire::ipv6_size : wire::ipv4_size;
    auto* ip = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(m, static_cast<std::uint16_t>(size)));
    set_offloads(m, 0);
    if (v6) {
        wire::store32(ip, 0x60000000u);
        wire::store16(ip + 4, frame.payload_len);
        ip[6] = wire::protocol::icmpv6;
        ip[7] = 64;
        std::memcpy(ip + 8, frame.destination.bytes.data(), 16);
        std::memcpy(ip + 24, frame.source.bytes.data(), 16);
    } else {
        const std::uint32_t from = frame.destination.v4(), to = frame.source.v4();
        wire::store32(ip, 0x45000000u | (frame.payload_len + static_cast<std::uint32_t>(wire::ipv4_size)));
        wire::store32(ip + 4, 0);
        wire::store32(ip + 8, 0x40010000);
        std::memcpy(ip + 12, &from, 4);
        std::memcpy(ip + 16, &to, 4);
        const auto sum = static_cast<std::uint16_t>(~wire::sum_bytes(ip, wire::ipv4_size));
        std::memcpy(ip + 10, &sum, 2);
    }
    rte_pktmbuf_prepend(m, ethernet_size);
    counters_.add(Counter::icmp_echo_answered);
    send_ip(m, frame.source, self, now);
}

}  // namespace holdfast::net
