// A pool of real mbufs for one test, which must have all of them back when it ends (R6).
#pragma once

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "lib/packet/packet.hpp"

namespace holdfast::test {

class MbufPool {
  public:
    /// `room`: bytes of an mbuf, headroom included.
    explicit MbufPool(unsigned size = 1023, std::uint16_t room = packet_data_room) : size_(size) {
        static unsigned number = 0;
        const auto name = "test_pool_" + std::to_string(number++);
        pool_ = rte_pktmbuf_pool_create(name.c_str(), size, 0, packet_private_size, room, SOCKET_ID_ANY);
        if (pool_ == nullptr) throw std::runtime_error("pool " + name + ": " + rte_strerror(rte_errno));
    }
    /// Aborts the test program when mbufs are missing: a leak makes every later verdict worthless.
    ~MbufPool() {
        HF_CHECK(in_use() == 0 && exact_in_use_ == 0);
        rte_mempool_free(pool_);
    }
    MbufPool(const MbufPool&) = delete;
    MbufPool& operator=(const MbufPool&) = delete;

    rte_mempool* get() const { return pool_; }
    unsigned size() const { return size_; }
    unsigned in_use() const { return rte_mempool_in_use_count(pool_); }

    /// From now on a received frame lies in memory of its own that ends with it, as with drivers that bring
    /// their own buffers: the address sanitizer sees what is read or written behind it.
    void end_exactly() { exact_ = true; }

    /// An mbuf that holds `frame` as a driver would have received it; nullptr when the pool is empty.
    rte_mbuf* receive(std::span<const std::uint8_t> frame) {
        rte_mbuf* m = rte_pktmbuf_alloc(pool_);
        if (m == nullptr) return nullptr;
        if (exact_) attach_exact_buffer(m, frame.size());
        auto* to = rte_pktmbuf_append(m, static_cast<std::uint16_t>(frame.size()));
        std::copy(frame.begin(), frame.end(), reinterpret_cast<std::uint8_t*>(to));
        return m;
    }

  private:
    struct ExactBuffer {
        unsigned& in_use;
        std::vector<std::uint8_t> bytes;
        rte_mbuf_ext_shared_info shared{};
    };
    void attach_exact_buffer(rte_mbuf* m, std::size_t frame_size) {
        const auto size = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + frame_size);
        auto* buffer = new ExactBuffer{exact_in_use_, std::vector<std::uint8_t>(size)};
        ++exact_in_use_;
        buffer->shared.free_cb = [](void*, void* opaque) {
            auto* freed = static_cast<ExactBuffer*>(opaque);
            --freed->in_use;
            delete freed;
        };
        buffer->shared.fcb_opaque = buffer;
        rte_mbuf_ext_refcnt_set(&buffer->shared, 1);
        rte_pktmbuf_attach_extbuf(m, buffer->bytes.data(), RTE_BAD_IOVA, size, &buffer->shared);
        m->data_off = RTE_PKTMBUF_HEADROOM;
    }

    unsigned size_;
    rte_mempool* pool_;
    bool exact_ = false;
    unsigned exact_in_use_ = 0;
};

}  // namespace holdfast::test
