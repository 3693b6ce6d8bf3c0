#include "engine/process/port_link.hpp"

#include <algorithm>

#include "lib/host/frame.hpp"

namespace holdfast::engine {

PortLink::~PortLink() { release(); }

void PortLink::release() {
    drop();
    free_all(in_);
    rte_pktmbuf_free(prepared_);
    rte_pktmbuf_free(read_);
    prepared_ = read_ = nullptr;
}

bool PortLink::up() {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::span<std::uint8_t> PortLink::prepare() {
    if (out_.count == burst) flush();
    if (out_.count == burst) return {};
    if (prepared_ == nullptr) prepared_ = rte_pktmbuf_alloc(pool_);
    if (prepared_ == nullptr) return {};
    return {rte_pktmbuf_mtod(prepared_, std::uint8_t*), host::frame_max};
}

void PortLink::send(std::size_t size) {
    prepared_->data_len = static_cast<std::uint16_t>(size);
    prepared_->pkt_len = static_cast<std::uint32_t>(size);
    out_.frames[out_.count++] = prepared_;
    prepared_ = nullptr;
}

void PortLink::flush() {
    if (out_.count == 0) return;
    const auto sent = rte_eth_tx_burst(port_, 0, out_.frames.data(), out_.count);
    std::copy(out_.frames.begin() + sent, out_.frames.begin() + out_.count, out_.frames.begin());
    out_.count = static_cast<std::uint16_t>(out_.count - sent);
}

std::span<const std::uint8_t> PortLink::next() {
    rte_pktmbuf_free(read_);
    read_ = nullptr;
    if (in_.count == 0) {
        in_.first = 0;
        in_.count = rte_eth_rx_burst(port_, 0, in_.frames.data(), burst);
    }
    if (in_.count == 0) return {};
    read_ = in_.frames[in_.first++];
    --in_.count;
    // Of one in several pieces, which none of ours is, the first one is no whole frame.
    return {rte_pktmbuf_mtod(read_, const std::uint8_t*), read_->data_len};
}

void PortLink::drop() { free_all(out_); }

void PortLink::free_all(Burst& b) {
    rte_pktmbuf_free_bulk(&b.frames[b.first], b.count);
    b.first = b.count = 0;
}

}  // namespace holdfast::engine
