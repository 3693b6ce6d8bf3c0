// What a standby holds of the bytes on their way to one side's endpoints, until they have acknowledged them.
#pragma once

#include "cores/proxy/counters.hpp"
#include "lib/config/config.hpp"
#include "lib/session/record.hpp"
#include "lib/table/block_buffer.hpp"

namespace holdfast::proxy {

/// Blocks that so many bytes take at most, wherever in a block they begin.
constexpr std::uint32_t blocks_for(std::uint64_t bytes) {
    constexpr auto size = BlockPool::block_size;
    return bytes == 0 ? 0 : static_cast<std::uint32_t>((bytes + size - 2) / size + 1);
}
/// Blocks for the bytes of one direction.
constexpr std::uint32_t payload_blocks(const LimitsConfig& limits) {
    return limits.payloads / 2 / BlockPool::block_size;
}

/// What is held of one leg. Positions as in PayloadRecord.
struct HeldPayload {
    std::uint32_t generation = 0;
    bool held = false;
    bool entrusted = false;  ///< it is held though it may be empty: its end is what was acknowledged
    bool fin = false;        ///< a FIN stands behind the bytes
    BlockBuffer bytes;
    Position una = 1, edge = 1, ack = 1, window = 1;

    /// Up to where the leg's stream is stored, its FIN counted.
    Position end() const { return bytes.end() + (fin ? 1 : 0); }
};

/// By slot. The active keeps account of it (PayloadJournal), so that what it tells has room.
class PayloadStore {
  public:
    PayloadStore(const LimitsConfig& limits, ProxyCounters& counters);

    void store(const PayloadRecord& r);
    /// What is held of the session; nullptr when that is nothing.
    HeldPayload* find(SessionId id);
    const HeldPayload* find(SessionId id) const { return const_cast<PayloadStore*>(this)->find(id); }
    /// What lies below `una` is not needed any more.
    void drop_until(HeldPayload& h, Position una);
    /// Copies the bytes from `position` on, which are all held.
    void copy(const HeldPayload& h, Position position, std::span<std::uint8_t> out) {
        h.bytes.copy(pool_, position, out);
    }
    /// Nothing of the session is needed any more.
    void forget(SessionId id) {
        if (slots_[id.slot].generation == id.generation) drop(slots_[id.slot]);
    }
    void clear();

  private:
    void drop(HeldPayload& h);

    BlockPool pool_;
    ZeroedArray<HeldPayload> slots_;
    ProxyCounters& counters_;
};

}  // namespace holdfast::proxy
