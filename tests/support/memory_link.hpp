// Both ends of the link of gate host, without shared memory: two bounded queues.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "lib/host/frame.hpp"
#include "lib/host/link.hpp"

namespace holdfast::test {

/// What a link consists of, and what a test may do to it.
struct Cable {
    using Frames = std::deque<std::vector<std::uint8_t>>;
    Frames frames[2];             ///< on their way to that end
    std::size_t frames_max = 64;  ///< in each direction
    bool up = false;

    /// The process at one end is gone, and what was on its way.
    void cut() {
        up = false;
        for (auto& f : frames) f.clear();
    }
};

class MemoryLink final : public host::Link {
  public:
    /// One of the two ends, 0 or 1. `cable` outlives it.
    MemoryLink(Cable& cable, unsigned end)
        : cable_(cable), in_(cable.frames[end]), out_(cable.frames[1 - end]) {}

    bool up() override { return cable_.up; }
    std::span<std::uint8_t> prepare() override {
        return out_.size() < cable_.frames_max ? std::span(room_) : std::span<std::uint8_t>();
    }
    void send(std::size_t size) override {
        if (cable_.up) out_.emplace_back(room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(size));
    }
    void flush() override {}
    std::span<const std::uint8_t> next() override {
        if (in_.empty()) return {};
        frame_ = std::move(in_.front());
        in_.pop_front();
        return frame_;
    }
    void drop() override {}

  private:
    Cable& cable_;
    Cable::Frames &in_, &out_;
    std::array<std::uint8_t, host::frame_max> room_{};
    std::vector<std::uint8_t> frame_;
};

}  // namespace holdfast::test
