#include "tests/threads/frame_port.hpp"

#include <cstring>
#include <memory>

#include "lib/packet/packet.hpp"

namespace holdfast::threads {
namespace {

constexpr std::size_t queue_frames = 512, minimum_frame = 60;

sim::Bytes copy_of(const rte_mbuf* m) {
    sim::Bytes bytes;
    bytes.reserve(m->pkt_len);
    for (; m != nullptr; m = m->next) {
        const auto* p = rte_pktmbuf_mtod(m, const std::uint8_t*);
        bytes.insert(bytes.end(), p, p + m->data_len);
    }
    if (bytes.size() < minimum_frame) bytes.resize(minimum_frame);
    return bytes;
}

}  // namespace

FramePort::FramePort(const sim::NicOptions& options)
    : options_(options), to_core_(queue_frames), from_core_(queue_frames) {}

FramePort::~FramePort() { stop(); }

void FramePort::frame_arrives(const sim::Frame& frame) {
    if (!pool_) return;  // the node is dead
    const auto to = sim::destination_mac(*frame);
    if (to != options_.profile.mac && to != options_.virtual_mac && !to.is_multicast()) return;
    to_core_.push(*frame);  // what finds no room is lost, as on a wire
}

std::uint32_t FramePort::deliver() {
    std::uint32_t n = 0;
    for (sim::Bytes bytes; from_core_.pop(bytes); ++n)
        out_->send(std::make_shared<sim::Bytes>(std::move(bytes)));
    return n;
}

std::uint32_t FramePort::receive(std::span<rte_mbuf*> out) {
    std::uint32_t n = 0;
    for (sim::Bytes bytes; n < out.size() && to_core_.pop(bytes);) {
        rte_mbuf* m = rte_pktmbuf_alloc(pool_.get());
        if (m == nullptr) continue;
        std::memset(rte_mbuf_to_priv(m), 0xdb, packet_private_size);
        std::memcpy(rte_pktmbuf_append(m, static_cast<std::uint16_t>(bytes.size())), bytes.data(),
                    bytes.size());
        out[n++] = m;
    }
    return n;
}

void FramePort::transmit(std::span<rte_mbuf* const> frames) {
    for (auto* m : frames) {
        from_core_.push(copy_of(m));
        park(m);
    }
}

/// Drivers give sent mbufs back late.
void FramePort::park(rte_mbuf* m) {
    parked_.push_back(m);
    for (; parked_.size() > options_.parked; parked_.pop_front()) rte_pktmbuf_free(parked_.front());
}

void FramePort::open(const std::string& name) { pool_ = make_locked_pool(name, options_.mbufs); }

void FramePort::stop() {
    for (; !parked_.empty(); parked_.pop_front()) rte_pktmbuf_free(parked_.front());
    for (sim::Bytes lost; to_core_.pop(lost) || from_core_.pop(lost);) {
    }
}

std::uint32_t FramePort::close() {
    const auto missing = rte_mempool_in_use_count(pool_.get());
    pool_.reset();
    return missing;
}

}  // namespace holdfast::threads
