// mbuf pools whose every get and put TSan can see. DPDK's own pools keep their objects in a ring inside a
// library that is not instrumented: an mbuf freed by one core and taken by another would look like a race.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>

namespace holdfast::threads {

struct PoolDeleter {
    void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using Pool = std::unique_ptr<rte_mempool, PoolDeleter>;

/// A packet pool on a mutex and a vector, without caches. Throws std::runtime_error.
Pool make_locked_pool(const std::string& name, std::uint32_t mbufs);

}  // namespace holdfast::threads
