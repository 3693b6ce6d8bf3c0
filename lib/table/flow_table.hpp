// Flow lookup: FlowKey -> slot, on rte_hash.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "lib/table/flow_key.hpp"

struct rte_hash;

namespace holdfast {

/// A table of at most `capacity` flows; used by one core. Never grows.
class FlowTable {
  public:
    static constexpr std::uint32_t none = 0xffffffff;

    /// `name` unique in the process, `socket` a NUMA node or -1. Throws std::runtime_error when DPDK refuses.
    FlowTable(const std::string& name, std::uint32_t capacity, int socket);
    ~FlowTable();
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    /// False when the table is full. An existing key gets the new slot.
    bool insert(const FlowKey& key, std::uint32_t slot);
    void erase(const FlowKey& key);
    /// Slot of `key`, or `none`.
    std::uint32_t find(const FlowKey& key) const;
    /// Where an entry lies, for erase_at(): four bytes instead of the key. `none` when there is none.
    std::uint32_t place_of(const FlowKey& key) const;
    /// Erases the entry at `place` if it still leads to `slot`.
    void erase_at(std::uint32_t place, std::uint32_t slot);
    /// Looks up to 32 keys at once; slots[i] = slot or `none`.
    void find_bulk(std::span<const FlowKey* const> keys, std::span<std::uint32_t> slots) const;
    std::uint32_t size() const;
    /// Changes with every insertion and erasure: what was found before still holds while it stays the same.
    std::uint32_t version() const { return version_; }

  private:
    rte_hash* hash_;
    std::uint32_t version_ = 0;
};

}  // namespace holdfast
