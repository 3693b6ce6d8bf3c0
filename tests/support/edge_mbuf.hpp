// An mbuf whose frame ends where the process' memory ends: one byte read past it is a crash, in every build.
#pragma once

#include <rte_mbuf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>

namespace holdfast::test {

/// Room of one page in front of a page that nobody may touch.
class EdgeBuffer {
  public:
    EdgeBuffer() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        auto* p = mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) throw std::runtime_error("no memory for an edge buffer");
        base_ = static_cast<std::uint8_t*>(p);
        mprotect(base_ + page_, page_, PROT_NONE);
    }
    ~EdgeBuffer() { munmap(base_, 2 * page_); }
    EdgeBuffer(const EdgeBuffer&) = delete;
    EdgeBuffer& operator=(const EdgeBuffer&) = delete;

    /// `bytes` (at most a page), so that they end at the edge.
    std::span<const std::uint8_t> place(std::span<const std::uint8_t> bytes) {
        auto* at = base_ + page_ - bytes.size();
        if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        return {at, bytes.size()};
    }
    /// An mbuf of no pool around them; valid until the next call.
    rte_mbuf* mbuf(std::span<const std::uint8_t> frame) {
        const auto placed = place(frame);
        auto& m = *mbuf_;
        m = rte_mbuf{};
        m.buf_addr = const_cast<std::uint8_t*>(placed.data());
        m.buf_len = m.data_len = static_cast<std::uint16_t>(frame.size());
        m.pkt_len = static_cast<std::uint32_t>(frame.size());
        m.nb_segs = 1;
        return &m;
    }

  private:
    std::size_t page_;
    std::uint8_t* base_;
    std::unique_ptr<rte_mbuf> mbuf_ = std::make_unique<rte_mbuf>();
};

}  // namespace holdfast::test
