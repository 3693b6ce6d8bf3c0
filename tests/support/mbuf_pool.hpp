// A pool of real mbufs for one test, which must have all of them back when it ends (R6).
#pragma once

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

#include "lib/packet/packet.hpp"

namespace holdfast::test {

class MbufPool {
  public:
    explicit MbufPool(unsigned size = 1023) : size_(size) {
        static unsigned number = 0;
        const auto name = "test_pool_" + std::to_string(number++);
        pool_ = rte_pktmbuf_pool_create(name.c_str(), size, 0, packet_private_size, packet_data_room,
                                        SOCKET_ID_ANY);
        if (pool_ == nullptr) throw std::runtime_error("pool " + name + ": " + rte_strerror(rte_errno));
    }
    /// Aborts the test program when mbufs are missing: a leak makes every later verdict worthless.
    ~MbufPool() {
        HF_CHECK(in_use() == 0);
        rte_mempool_free(pool_);
    }
    MbufPool(const MbufPool&) = delete;
    MbufPool& operator=(const MbufPool&) = delete;

    rte_mempool* get() const { return pool_; }
    unsigned size() const { return size_; }
    unsigned in_use() const { return rte_mempool_in_use_count(pool_); }

    /// An mbuf that holds `frame` as a driver would have received it.
    rte_mbuf* receive(std::span<const std::uint8_t> frame) {
        rte_mbuf* m = rte_pktmbuf_alloc(pool_);
        if (m == nullptr) return nullptr;
        std::memcpy(rte_pktmbuf_append(m, static_cast<std::uint16_t>(frame.size())), frame.data(),
                    frame.size());
        return m;
    }

  private:
    unsigned size_;
    rte_mempool* pool_;
};

}  // namespace holdfast::test
