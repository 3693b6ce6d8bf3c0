// rte_ip_frag_table_del_expired_entries(), without which a table keeps what nobody asks for.
#define ALLOW_EXPERIMENTAL_API
#include "cores/net/fragments.hpp"

#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_ip_frag.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "lib/wire/checksum.hpp"

namespace holdfast::net {
namespace {

/// The library counts in any unit that its caller likes.
std::uint64_t ticks(Duration d) { return static_cast<std::uint64_t>(d.ns); }

/// A TCP segment's: nothing else that we understand is ever so large. Of IPv6 the fragment header stands
/// directly behind the IPv6 header, which is all that the library reads.
bool is_of_segment(const std::uint8_t* ip) {
    if (ip[0] >> 4 == 4) return ip[9] == wire::protocol::tcp;
    return ip[6] == wire::protocol::fragment && ip[wire::ipv6_size] == wire::protocol::tcp;
}

wire::Ecn ecn_of(const std::uint8_t* ip) {
    return static_cast<wire::Ecn>((ip[0] >> 4 == 4 ? ip[1] : ip[1] >> 4) & 3);
}

void set_ce(std::uint8_t* ip) { ip[1] = static_cast<std::uint8_t>(ip[1] | (ip[0] >> 4 == 4 ? 0x03 : 0x30)); }

/// The ECN field of the packet that the pieces of `chain` make. The library has cut their headers off, which
/// still stand in front of their data.
struct Marks {
    bool any_ce = false, any_not_ect = false;
};
Marks marks_of(rte_mbuf* chain) {
    Marks marks;
    for (auto* m = chain; m != nullptr; m = m->next) {
        const auto* data = rte_pktmbuf_mtod(m, const std::uint8_t*);
        const auto ecn = ecn_of(m == chain ? data + m->l2_len : data - m->l3_len);
        marks.any_ce = marks.any_ce || ecn == wire::Ecn::ce;
        marks.any_not_ect = marks.any_not_ect || ecn == wire::Ecn::not_ect;
    }
    return marks;
}

/// The checksum of what the library has made of the first fragment's header.
void seal_ipv4(std::uint8_t* ip) {
    const std::uint16_t none = 0;
    std::memcpy(ip + 10, &none, 2);
    const auto sum =
        static_cast<std::uint16_t>(~wire::sum_bytes(ip, static_cast<std::size_t>(ip[0] & 15) * 4));
    std::memcpy(ip + 10, &sum, 2);
}

}  // namespace

Fragments::Fragments(PacketPool& pool, NetCounters& counters)
    : pool_(pool),
      counters_(counters),
      table_(rte_ip_frag_table_create(packets_max, 4, packets_max, ticks(patience), SOCKET_ID_ANY)),
      dead_(std::make_unique<rte_ip_frag_death_row>()) {
    static_assert(pieces_max == RTE_LIBRTE_IP_FRAG_MAX_FRAG);
    if (table_ == nullptr)
        throw std::runtime_error(std::string("table of IP fragments: ") + rte_strerror(rte_errno));
}

Fragments::~Fragments() { rte_ip_frag_table_destroy(table_); }

/// Frees what the library is done with.
void Fragments::bury() {
    held_ -= dead_->cnt;
    counters_.add(Counter::fragments_dropped, dead_->cnt);
    rte_ip_frag_free_death_row(dead_.get(), 0);
}

rte_mbuf* Fragments::put_together(rte_mbuf* m, const wire::Frame& frame, Instant now) {
    auto* ip = rte_pktmbuf_mtod_offset(m, std::uint8_t*, frame.link_size);
    m->l2_len = frame.link_size;
    if (ip[0] >> 4 == 4) {
        m->l3_len = (ip[0] & 15u) * 4;
        return rte_ipv4_frag_reassemble_packet(table_, dead_.get(), m, ticks(now - Instant{}),
                                               reinterpret_cast<rte_ipv4_hdr*>(ip));
    }
    m->l3_len = wire::ipv6_size + sizeof(rte_ipv6_fragment_ext);
    return rte_ipv6_frag_reassemble_packet(table_, dead_.get(), m, ticks(now - Instant{}),
                                           reinterpret_cast<rte_ipv6_hdr*>(ip),
                                           reinterpret_cast<rte_ipv6_fragment_ext*>(ip + wire::ipv6_size));
}

Packet Fragments::take(Packet fragment, const wire::Frame& frame, Instant now) {
    if (!is_of_segment(rte_pktmbuf_mtod_offset(fragment.get(), const std::uint8_t*, frame.link_size))) {
        counters_.add(Counter::fragments_refused);
        return {};
    }
    ++held_;
    //= rfc5722#4
    //  Fragments that overlap are none: the library takes a packet only if its pieces fit without a rest, and
    //  else drops all of them.
    Packet chain(put_together(fragment.release(), frame, now));
    bury();
    if (held_ > 0 && sweep_at_.is_never()) sweep_at_ = now + patience;
    if (!chain) return {};
    held_ -= chain.get()->nb_segs;
    return in_one_piece(std::move(chain));
}

/// All above this takes a frame in one mbuf, and no other is needed: our MSS fits one.
Packet Fragments::in_one_piece(Packet chain) {
    //= rfc3168#5.3
    //  A mark on one piece is a mark on the whole; on pieces that no router may mark somebody made it up.
    const auto marks = marks_of(chain.get());
    if (marks.any_ce && marks.any_not_ect) {
        counters_.add(Counter::fragments_refused);
        return {};
    }
    Packet whole(rte_pktmbuf_copy(chain.get(), pool_.mempool(), 0, UINT32_MAX));
    if (!whole || whole.get()->nb_segs > 1) {
        counters_.add(whole ? Counter::fragments_refused : Counter::pool_empty);
        return {};
    }
    // The port has seen pieces only.
    whole.get()->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
    // The first fragment's header stands in front, whichever came last.
    auto* ip = rte_pktmbuf_mtod_offset(whole.get(), std::uint8_t*, chain.get()->l2_len);
    if (marks.any_ce) set_ce(ip);
    if (ip[0] >> 4 == 4) seal_ipv4(ip);
    counters_.add(Counter::fragments_reassembled);
    return whole;
}

void Fragments::advance(Instant now) {
    if (now < sweep_at_) return;
    rte_ip_frag_table_del_expired_entries(table_, dead_.get(), ticks(now - Instant{}));
    bury();
    sweep_at_ = held_ == 0 ? Instant::never() : now + seconds(1);
}

}  // namespace holdfast::net
