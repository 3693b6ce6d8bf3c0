#include "tests/sim/nic.hpp"

#include <rte_errno.h>
#include <rte_mempool.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "lib/packet/packet.hpp"

namespace holdfast::sim {
namespace {
constexpr std::size_t minimum_frame = 60, eth_size = 14;
}

Nic::Nic(Journal& journal, std::string name, const NicOptions& options, std::function<void()> woken)
    : journal_(journal), name_(std::move(name)), options_(options), woken_(std::move(woken)) {}

Nic::~Nic() {
    if (pool_ != nullptr) rte_mempool_free(pool_);
}

void Nic::start() {
    const auto name = name_ + std::to_string(lives_++);
    // A frame fits one mbuf, with its tag.
    const auto frame = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + options_.profile.mtu + eth_size + 4);
    pool_ = rte_pktmbuf_pool_create(name.c_str(), options_.mbufs, 0, packet_private_size,
                                    std::max(packet_data_room, frame), SOCKET_ID_ANY);
    if (pool_ == nullptr) throw std::runtime_error("pool " + name + ": " + rte_strerror(rte_errno));
}

void Nic::stop() {
    queue_.clear();
    reap();
    give_back();
}

void Nic::hoard() {
    while (rte_mbuf* m = rte_pktmbuf_alloc(pool_)) hoard_.push_back(m);
}

void Nic::give_back() {
    rte_pktmbuf_free_bulk(hoard_.data(), static_cast<unsigned>(hoard_.size()));
    hoard_.clear();
}

void Nic::release_memory() {
    if (const auto left = rte_mempool_in_use_count(pool_); left != 0)
        journal_.violate("R6", name_ + ": " + std::to_string(left) + " mbufs left when the node was gone");
    rte_mempool_free(pool_);
    pool_ = nullptr;
}

void Nic::frame_arrives(const Frame& frame) {
    const auto to = destination_mac(*frame);
    if (pool_ == nullptr || (to != options_.profile.mac && to != options_.virtual_mac && !to.is_multicast()))
        return;
    if (queue_.size() >= options_.receive_queue) {
        ++dropped_;
        return;
    }
    queue_.push_back(frame);
    woken_();
}

std::uint32_t Nic::receive(std::span<rte_mbuf*> out, const std::function<void(const Bytes&)>& seen) {
    std::uint32_t n = 0;
    for (; n < out.size() && !queue_.empty(); queue_.pop_front()) {
        rte_mbuf* m = rte_pktmbuf_alloc(pool_);
        if (m == nullptr) {
            ++dropped_;
            continue;
        }
        // A driver knows nothing of the private area: whoever trusts what stands there is wrong.
        std::memset(rte_mbuf_to_priv(m), 0xdb, packet_private_size);
        const auto& bytes = *queue_.front();
        seen(bytes);
        fill(m, bytes);
        if (options_.profile.rx_checksum)
            m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        out[n++] = m;
    }
    return n;
}

/// The bytes as the driver hands them over: with the port's tag, in the frame or beside it.
void Nic::fill(rte_mbuf* m, const Bytes& bytes) const {
    const bool in_frame = options_.vlan != 0 && !options_.vlan_stripped;
    const auto frame = in_frame ? tagged(bytes, options_.vlan) : bytes;
    std::memcpy(rte_pktmbuf_append(m, static_cast<std::uint16_t>(frame.size())), frame.data(), frame.size());
    if (options_.vlan == 0 || in_frame) return;
    m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    m->vlan_tci = options_.vlan;
}

/// Whether the frame carries the port's tag, and takes it off.
bool Nic::take_tag(Bytes& bytes) {
    if (vlan(bytes).value_or(0) != options_.vlan) {
        journal_.violate("vlan",
                         name_ + ": a frame without the port's tag, or with one that it must not have");
        return false;
    }
    if (options_.vlan != 0) bytes = untagged(bytes);
    return true;
}

std::size_t Nic::link_size() const { return eth_size + (options_.vlan == 0 ? 0 : 4); }

bool Nic::check(const rte_mbuf* m) {
    const char* reason = nullptr;
    if (rte_mbuf_check(m, 1, &reason) != 0) journal_.violate("mbuf", name_ + ": " + reason);
    else if (m->nb_segs > 1 && !options_.profile.multi_segs)
        journal_.violate("mbuf", name_ + ": chained mbuf on a port without MULTI_SEGS");
    else if (m->pkt_len > options_.profile.mtu + link_size())
        journal_.violate("mtu", name_ + ": frame of " + std::to_string(m->pkt_len) + " bytes");
    else if (m->pkt_len < eth_size)
        journal_.violate("mbuf", name_ + ": frame of " + std::to_string(m->pkt_len) + " bytes");
    else return true;
    return false;
}

std::uint64_t Nic::content_hash(const rte_mbuf* m) {
    std::uint64_t hash = 0;
    for (; m != nullptr; m = m->next) {
        const auto* p = rte_pktmbuf_mtod(m, const std::uint8_t*);
        for (std::uint16_t i = 0; i < m->data_len; ++i) hash = (hash ^ p[i]) * 0x100000001b3ULL;
    }
    return hash;
}

Frame Nic::transmit(rte_mbuf* m) {
    auto bytes = std::make_shared<Bytes>();
    if (!check(m)) {
        rte_pktmbuf_free(m);
        return nullptr;
    }
    bytes->reserve(m->pkt_len);
    for (const rte_mbuf* segment = m; segment != nullptr; segment = segment->next) {
        const auto* p = rte_pktmbuf_mtod(segment, const std::uint8_t*);
        bytes->insert(bytes->end(), p, p + segment->data_len);
    }
    finish_checksums(m, *bytes);
    if (!take_tag(*bytes)) {
        rte_pktmbuf_free(m);
        return nullptr;
    }
    if (bytes->size() < minimum_frame) bytes->resize(minimum_frame);
    parked_.push_back({m, options_.parked == 0 ? 0 : content_hash(m)});
    while (parked_.size() > options_.parked) release();
    out_->send(bytes);
    return bytes;
}

void Nic::release() {
    const auto [m, hash] = parked_.front();
    parked_.pop_front();
    if (hash != 0 && content_hash(m) != hash)
        journal_.violate("mbuf", name_ + ": a frame was changed while the driver held it");
    rte_pktmbuf_free(m);
}

/// What a port with checksum offload does; the stack has left the pseudo header's sum in the field.
void Nic::finish_checksums(const rte_mbuf* m, Bytes& bytes) {
    const auto patch = [&](std::size_t at, std::uint16_t v) {
        bytes[at] = static_cast<std::uint8_t>(v >> 8);
        bytes[at + 1] = static_cast<std::uint8_t>(v);
    };
    const bool ip = (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0;
    const bool tcp = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
    if ((ip && !options_.profile.tx_ip_checksum) || (tcp && !options_.profile.tx_tcp_checksum))
        return journal_.violate("mbuf", name_ + ": asks for an offload that the port lacks");
    if (!ip && !tcp) return;
    const std::size_t l3 = m->l2_len, l4 = l3 + m->l3_len;
    if (l3 != link_size() || m->l3_len < 20 || l4 + (tcp ? 20u : 0u) > bytes.size())
        return journal_.violate("mbuf", name_ + ": offload without correct header lengths");
    if (ip) {
        patch(l3 + 10, 0);
        patch(l3 + 10, fold(ones_sum({bytes.data() + l3, m->l3_len})));
    }
    if (tcp) patch(l4 + 16, fold(ones_sum({bytes.data() + l4, bytes.size() - l4})));
}

}  // namespace holdfast::sim
