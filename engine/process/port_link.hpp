// Frames of gate host over an ethdev port, of whatever driver: memif, or vhost-user and virtio_user. Both
// ends use it.
#pragma once

#include <rte_ethdev.h>

#include <array>
#include <cstdint>

#include "lib/host/link.hpp"

namespace holdfast::engine {

class PortLink final : public host::Link {
  public:
    /// A port with one queue each way that is configured and outlives the link; `pool` has room of frame_max
    /// bytes in each mbuf.
    PortLink(std::uint16_t port, rte_mempool* pool) : port_(port), pool_(pool) {}
    ~PortLink() override;
    PortLink(const PortLink&) = delete;
    PortLink& operator=(const PortLink&) = delete;

    bool up() override;
    std::span<std::uint8_t> prepare() override;
    void send(std::size_t size) override;
    void flush() override;
    std::span<const std::uint8_t> next() override;
    void drop() override;
    /// Gives back every mbuf.
    void release();

  private:
    static constexpr std::uint16_t burst = 32;
    struct Burst {
        std::array<rte_mbuf*, burst> frames{};
        std::uint16_t first = 0, count = 0;  ///< those that are left
    };
    static void free_all(Burst& b);

    std::uint16_t port_;
    rte_mempool* pool_;
    rte_mbuf* prepared_ = nullptr;  ///< given by prepare(), not sent
    rte_mbuf* read_ = nullptr;      ///< given by next()
    Burst out_, in_;
};

}  // namespace holdfast::engine
