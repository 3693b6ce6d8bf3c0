// Typed, bounded single-producer single-consumer rings over rte_ring. Refusals are counted by the producer.
#pragma once

#include <rte_errno.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace holdfast {

/// A SPSC ring of T; T is copied as plain bytes. One thread pushes, one thread pops.
template <class T>
class Ring {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0);

  public:
    /// `name` must be unique in the process; `size` a power of two, of which size-1 entries are usable;
    /// `socket` a NUMA node or SOCKET_ID_ANY.
    /// Throws std::runtime_error when DPDK refuses.
    Ring(const std::string& name, std::uint32_t size, int socket)
        : ring_(rte_ring_create_elem(name.c_str(), sizeof(T), size, socket, RING_F_SP_ENQ | RING_F_SC_DEQ)) {
        if (ring_ == nullptr)
            throw std::runtime_error("ring " + name + ": " + rte_strerror(rte_errno) +
                                     " (names must be unique, sizes powers of two, memory sufficient)");
    }
    ~Ring() { rte_ring_free(ring_); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    /// False when full; the refusal is counted.
    bool push(const T& item) {
        if (rte_ring_sp_enqueue_elem(ring_, const_cast<T*>(&item), sizeof(T)) == 0) return true;
        ++refusals_;
        return false;
    }
    /// Pops up to out.size() items; returns how many.
    std::uint32_t pop(std::span<T> out) {
        return rte_ring_sc_dequeue_burst_elem(ring_, out.data(), sizeof(T), static_cast<unsigned>(out.size()),
                                              nullptr);
    }
    bool pop(T& out) { return rte_ring_sc_dequeue_elem(ring_, &out, sizeof(T)) == 0; }
    std::uint32_t free_count() const { return ring_->capacity - count(); }
    /// Exact for the side that asks about its own end. Both tails belong to different threads: rte_ring_count
    /// would read them as plain variables.
    std::uint32_t count() const {
        const auto produced = __atomic_load_n(&ring_->prod.tail, __ATOMIC_ACQUIRE);
        const auto consumed = __atomic_load_n(&ring_->cons.tail, __ATOMIC_ACQUIRE);
        const auto n = (produced - consumed) & ring_->mask;
        return n > ring_->capacity ? ring_->capacity : n;
    }
    /// Pushes refused so far; read by the producer's core only.
    std::uint64_t refusals() const { return refusals_; }

  private:
    rte_ring* ring_;
    std::uint64_t refusals_ = 0;
};

}  // namespace holdfast
