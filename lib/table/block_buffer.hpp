// Bytes of streams, each without holes, in blocks of one pool that all streams share.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/seq_num.hpp"
#include "lib/table/zeroed_array.hpp"

namespace holdfast {

/// Blocks of bytes, taken and given back by number.
class BlockPool {
  public:
    static constexpr std::uint32_t block_size = 1024, none = 0xffffffff;

    /// Room for `bytes`, rounded down to whole blocks. Throws std::bad_alloc.
    explicit BlockPool(std::uint64_t bytes);

    /// none when all are taken.
    std::uint32_t take();
    void give_back(std::uint32_t block);
    std::uint32_t free_count() const { return blocks_.size() - used_; }
    std::uint8_t* bytes(std::uint32_t block) { return blocks_[block].bytes; }
    /// Of a taken block: the one behind it in its buffer; of a free one: the next free one.
    std::uint32_t& next(std::uint32_t block) { return blocks_[block].next; }

  private:
    struct Block {
        std::uint32_t next;
        std::uint8_t bytes[block_size];
    };
    ZeroedArray<Block> blocks_;
    std::uint32_t free_ = none;    ///< given back, newest first
    std::uint32_t untouched_ = 0;  ///< from here on no block was ever taken
    std::uint32_t used_ = 0;
};

/// The bytes [begin, end) of one stream. All bytes zero is not an empty one: start() makes it.
class BlockBuffer {
  public:
    /// Empty, the next byte is at `position`. What it held must have been cleared.
    void start(Position position);
    Position begin() const { return begin_; }
    Position end() const { return end_; }

    /// Returns how many bytes had room in the pool.
    std::size_t append(BlockPool& pool, std::span<const std::uint8_t> bytes);
    /// Copies `out.size()` bytes from `position` on, which are all held.
    void copy(BlockPool& pool, Position position, std::span<std::uint8_t> out) const;
    /// Forgets what lies below `position`, which lies in [begin, end].
    void drop_until(BlockPool& pool, Position position);
    /// Forgets what lies at or above `position`, which lies in [begin, end].
    void cut(BlockPool& pool, Position position);
    void clear(BlockPool& pool) { drop_until(pool, end_); }

  private:
    void give_back_from(BlockPool& pool, std::uint32_t block);

    Position base_ = 1;  ///< of the first byte of the first block
    Position begin_ = 1, end_ = 1;
    std::uint32_t first_ = BlockPool::none, last_ = BlockPool::none;
};

}  // namespace holdfast
