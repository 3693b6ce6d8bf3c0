#include "lib/table/flow_table.hpp"

#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include <stdexcept>

namespace holdfast {

FlowTable::FlowTable(const std::string& name, std::uint32_t capacity, int socket) {
    rte_hash_parameters parameters{};
    parameters.name = name.c_str();
    parameters.entries = capacity < 64 ? 64 : capacity;
    parameters.key_len = sizeof(FlowKey);
    parameters.hash_func = rte_hash_crc;
    parameters.socket_id = socket;
    // The extendable table makes `capacity` a promise: no insertion fails for want of a bucket.
    parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE;
    hash_ = rte_hash_create(&parameters);
    if (hash_ == nullptr)
        throw std::runtime_error("flow table " + name + ": " + rte_strerror(rte_errno) +
                                 " (lower limits.sessions or give more memory with -m)");
}

FlowTable::~FlowTable() { rte_hash_free(hash_); }

bool FlowTable::insert(const FlowKey& key, std::uint32_t slot) {
    ++version_;
    return rte_hash_add_key_data(hash_, &key, reinterpret_cast<void*>(static_cast<std::uintptr_t>(slot))) ==
           0;
}

void FlowTable::erase(const FlowKey& key) {
    ++version_;
    rte_hash_del_key(hash_, &key);
}

std::uint32_t FlowTable::place_of(const FlowKey& key) const {
    const auto place = rte_hash_lookup(hash_, &key);
    return place < 0 ? none : static_cast<std::uint32_t>(place);
}

void FlowTable::erase_at(std::uint32_t place, std::uint32_t slot) {
    void* key = nullptr;
    if (rte_hash_get_key_with_position(hash_, static_cast<std::int32_t>(place), &key) != 0) return;
    const auto copy = *static_cast<const FlowKey*>(key);
    if (find(copy) == slot) erase(copy);
}

std::uint32_t FlowTable::find(const FlowKey& key) const {
    void* data = nullptr;
    if (rte_hash_lookup_data(hash_, &key, &data) < 0) return none;
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data));
}

void FlowTable::find_bulk(std::span<const FlowKey* const> keys, std::span<std::uint32_t> slots) const {
    void* data[RTE_HASH_LOOKUP_BULK_MAX];
    const void* raw[RTE_HASH_LOOKUP_BULK_MAX];
    std::uint64_t hits = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) raw[i] = keys[i];
    if (!keys.empty())
        rte_hash_lookup_bulk_data(hash_, raw, static_cast<std::uint32_t>(keys.size()), &hits, data);
    for (std::size_t i = 0; i < keys.size(); ++i)
        slots[i] = (hits >> i & 1) != 0
                       ? static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data[i]))
                       : none;
}

std::uint32_t FlowTable::size() const { return static_cast<std::uint32_t>(rte_hash_count(hash_)); }

}  // namespace holdfast
