#include "cores/app/reply_buffer.hpp"

#include <algorithm>
#include <cstring>

#include "lib/base/check.hpp"

namespace holdfast::app {

ReplyPool::ReplyPool(std::uint64_t bytes) : blocks_(static_cast<std::uint32_t>(bytes / block_size)) {}

std::uint32_t ReplyPool::take() {
    auto block = free_;
    if (block != none) free_ = blocks_[block].next;
    else if (untouched_ < blocks_.size()) block = untouched_++;
    else return none;
    blocks_[block].next = none;
    ++used_;
    return block;
}

void ReplyPool::give_back(std::uint32_t block) {
    blocks_[block].next = free_;
    free_ = block;
    --used_;
}

void ReplyBuffer::start(Position position) {
    *this = ReplyBuffer{};
    base_ = begin_ = end_ = position;
}

std::size_t ReplyBuffer::append(ReplyPool& pool, std::span<const std::uint8_t> bytes) {
    constexpr auto size = ReplyPool::block_size;
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto at = (end_ - base_) % size;
        if (first_ == ReplyPool::none || (at == 0 && end_ != base_)) {
            const auto block = pool.take();
            if (block == ReplyPool::none) break;
            if (first_ == ReplyPool::none) base_ = end_;
            (first_ == ReplyPool::none ? first_ : pool.next(last_)) = block;
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

void ReplyBuffer::copy(ReplyPool& pool, Position position, std::span<std::uint8_t> out) const {
    constexpr auto size = ReplyPool::block_size;
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

void ReplyBuffer::drop_until(ReplyPool& pool, Position position) {
    HF_CHECK(begin_ <= position && position <= end_);
    begin_ = position;
    while (first_ != ReplyPool::none && base_ + ReplyPool::block_size <= begin_) {
        const auto next = pool.next(first_);
        pool.give_back(first_);
        first_ = next;
        base_ += ReplyPool::block_size;
    }
    // Who waits for his next reply holds no block.
    if (begin_ == end_) give_back_from(pool, first_);
    if (begin_ == end_ || first_ == ReplyPool::none) first_ = last_ = ReplyPool::none;
}

void ReplyBuffer::cut(ReplyPool& pool, Position position) {
    HF_CHECK(begin_ <= position && position <= end_);
    end_ = position;
    if (begin_ == end_) return drop_until(pool, end_);
    last_ = first_;
    for (auto i = (end_ - 1 - base_) / ReplyPool::block_size; i > 0; --i) last_ = pool.next(last_);
    give_back_from(pool, pool.next(last_));
    pool.next(last_) = ReplyPool::none;
}

void ReplyBuffer::give_back_from(ReplyPool& pool, std::uint32_t block) {
    while (block != ReplyPool::none) {
        const auto next = pool.next(block);
        pool.give_back(block);
        block = next;
    }
}

}  // namespace holdfast::app
