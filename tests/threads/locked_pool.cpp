#include "tests/threads/locked_pool.hpp"

#include <rte_errno.h>
#include <rte_mbuf.h>

#include <mutex>
#include <stdexcept>
#include <vector>

#include "lib/packet/packet.hpp"

namespace holdfast::threads {
namespace {

struct Store {
    std::mutex mutex;
    std::vector<void*> objects;
};

Store& store_of(const rte_mempool* pool) { return *static_cast<Store*>(pool->pool_data); }

int allocate(rte_mempool* pool) {
    auto store = std::make_unique<Store>();
    store->objects.reserve(pool->size);
    pool->pool_data = store.release();
    return 0;
}

void release(rte_mempool* pool) { delete &store_of(pool); }

int put(rte_mempool* pool, void* const* objects, unsigned n) {
    auto& store = store_of(pool);
    const std::lock_guard lock(store.mutex);
    store.objects.insert(store.objects.end(), objects, objects + n);
    return 0;
}

int get(rte_mempool* pool, void** objects, unsigned n) {
    auto& store = store_of(pool);
    const std::lock_guard lock(store.mutex);
    if (store.objects.size() < n) return -ENOBUFS;
    for (unsigned i = 0; i < n; ++i, store.objects.pop_back()) objects[i] = store.objects.back();
    return 0;
}

unsigned count(const rte_mempool* pool) {
    auto& store = store_of(pool);
    const std::lock_guard lock(store.mutex);
    return static_cast<unsigned>(store.objects.size());
}

rte_mempool_ops locked_ops() {
    rte_mempool_ops ops{};
    std::snprintf(ops.name, sizeof ops.name, "locked");
    ops.alloc = allocate;
    ops.free = release;
    ops.enqueue = put;
    ops.dequeue = get;
    ops.get_count = count;
    return ops;
}

}  // namespace

Pool make_locked_pool(const std::string& name, std::uint32_t mbufs) {
    static const int registered = [] {
        const auto ops = locked_ops();
        return rte_mempool_register_ops(&ops);
    }();
    if (registered < 0) throw std::runtime_error("mempool operations: not registered");
    const auto element = static_cast<unsigned>(sizeof(rte_mbuf)) + packet_private_size + packet_data_room;
    Pool pool(rte_mempool_create_empty(name.c_str(), mbufs, element, 0, sizeof(rte_pktmbuf_pool_private),
                                       SOCKET_ID_ANY, 0));
    if (!pool) throw std::runtime_error("pool " + name + ": " + rte_strerror(rte_errno));
    rte_pktmbuf_pool_private sizes{};
    sizes.mbuf_data_room_size = packet_data_room;
    sizes.mbuf_priv_size = packet_private_size;
    rte_pktmbuf_pool_init(pool.get(), &sizes);
    if (rte_mempool_set_ops_byname(pool.get(), "locked", nullptr) != 0 ||
        rte_mempool_populate_default(pool.get()) < 0)
        throw std::runtime_error("pool " + name + ": no memory");
    rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
    return pool;
}

}  // namespace holdfast::threads
