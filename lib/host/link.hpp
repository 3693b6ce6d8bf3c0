// What carries frames between the appliance and a process: two rings of a piece of shared memory, or what a
// test has in their place. Used by one thread.
#pragma once

#include <cstdint>
#include <span>

namespace holdfast::host {

class Link {
  public:
    virtual ~Link() = default;

    /// Whether there is another end. What was sent to one that is gone is lost.
    virtual bool up() = 0;
    /// Room of frame_max bytes for the next frame to send; empty while there is none. Nothing is sent before
    /// send().
    virtual std::span<std::uint8_t> prepare() = 0;
    /// The first `size` bytes of what prepare() gave are a frame.
    virtual void send(std::size_t size) = 0;
    /// What was sent and not yet handed on goes now, as far as the other end has room.
    virtual void flush() = 0;
    /// The next frame that has come, as its sender left it; empty when there is none. There until the next
    /// call.
    virtual std::span<const std::uint8_t> next() = 0;
    /// Forgets frames that have not left yet.
    virtual void drop() = 0;
};

}  // namespace holdfast::host
