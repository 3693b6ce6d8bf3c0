#include "lib/table/block_buffer.hpp"

#include <algorithm>
#include <cstring>

#include "lib/base/check.hpp"

namespace holdfast {

BlockPool::BlockPool(std::uint64_t bytes) : blocks_(static_cast<std::uint32_t>(bytes / block_size)) {}

std::uint32_t BlockPool::take() {
    auto block = free_;
    if (block != none) free_ = blocks_[block].next;
    else if (untouched_ < blocks_.size()) block = untouched_++;
    else return none;
    blocks_[block].next = none;
    ++used_;
    return block;
}

void BlockPool::give_back(std::uint32_t block) {
    blocks_[block].next = free_;
    free_ = block;
    --used_;
}

void BlockBuffer::start(Position position) {
    *this = BlockBuffer{};
    base_ = begin_ = end_ = position;
}

std::size_t BlockBuffer::append(BlockPool& pool, std::span<const std::uint8_t> bytes) {
    constexpr auto size = BlockPool::block_size;
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto at = (end_ - base_) % size;
        if (first_ == BlockPool::none || (at == 0 && end_ != base_)) {
            const auto block = pool.take();
            if (block == BlockPool::none) break;
            if (first_ == BlockPool::none) base_ = end_;
            (first_ == BlockPool::none ? first_ : pool.next(last_)) = block;
            last_ = block;
        }
        const auto offset = (end_ - base_) % size;
        const auto n = std::min<std::size_t>(bytes.size() - done, size - offset);
        std::memcpy(pool.bytes(last_) + offset, bytes.data() + done, n);
        done += n;
        end_ += n;
    }
    return done;
}

void BlockBuffer::copy(BlockPool& pool, Position position, std::span<std::uint8_t> out) const {
    constexpr auto size = BlockPool::block_size;
    HF_CHECK(begin_ <= position && position + out.size() <= end_);
    auto block = first_;
    for (auto i = (position - base_) / size; i > 0; --i) block = pool.next(block);
    auto at = (position - base_) % size;
    for (std::size_t done = 0; done < out.size(); at = 0, block = pool.next(block)) {
        const auto n = std::min<std::size_t>(out.size() - done, size - at);
        std::memcpy(out.data() + done, pool.bytes(block) + at, n);
        done += n;
    }
}

void BlockBuffer::drop_until(BlockPool& pool, Position position) {
    HF_CHECK(begin_ <= position && position <= end_);
    begin_ = position;
    while (first_ != BlockPool::none && base_ + BlockPool::block_size <= begin_) {
        const auto next = pool.next(first_);
        pool.give_back(first_);
        first_ = next;
        base_ += BlockPool::block_size;
    }
    // Who holds no byte holds no block.
    if (begin_ == end_) give_back_from(pool, first_);
    if (begin_ == end_ || first_ == BlockPool::none) first_ = last_ = BlockPool::none;
}

void BlockBuffer::cut(BlockPool& pool, Position position) {
    HF_CHECK(begin_ <= position && position <= end_);
    end_ = position;
    if (begin_ == end_) return drop_until(pool, end_);
    last_ = first_;
    for (auto i = (end_ - 1 - base_) / BlockPool::block_size; i > 0; --i) last_ = pool.next(last_);
    give_back_from(pool, pool.next(last_));
    pool.next(last_) = BlockPool::none;
}

void BlockBuffer::give_back_from(BlockPool& pool, std::uint32_t block) {
    while (block != BlockPool::none) {
        const auto next = pool.next(block);
        pool.give_back(block);
        block = next;
    }
}

}  // namespace holdfast
