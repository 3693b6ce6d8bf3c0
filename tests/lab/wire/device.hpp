// One end of the wire: every frame a device receives, by a ring shared with the kernel, and frames sent out
// of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "impairment.hpp"
#include "lib/base/time.hpp"

namespace holdfast::lossy {

/// A file descriptor that is closed with its owner.
class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    void reset(int fd = -1);

  private:
    int fd_;
};

/// A frame in the kernel's ring. The kernel takes an outer VLAN tag out of the bytes and says it apart.
struct Arrival {
    Bytes bytes;
    std::optional<std::uint32_t> tag;  ///< protocol << 16 | priority and identifier
    std::int64_t realtime_ns;          ///< when the kernel saw it
    bool whole;                        ///< false: longer than the device's MTU allows, and cut off
    bool unfinished;                   ///< its checksum was left to a device that is not there
};

class Device {
  public:
    /// Throws std::system_error that names the device.
    explicit Device(std::string name);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    /// Gives up to `max` frames to `take(const Arrival&)`, oldest first; how many there were.
    template <typename Take>
    std::size_t receive(std::size_t max, Take&& take) {
        std::size_t n = 0;
        Arrival arrival;
        for (; n < max && front(arrival); ++n) {
            take(arrival);
            pop_front();
        }
        return n;
    }

    /// Sends frames (at most kBurst) at once; how many of them the kernel took. One that it refused is
    /// skipped.
    std::size_t send(std::span<const Bytes> frames);

    /// Frames the kernel dropped at this device since the last call.
    std::uint64_t take_missed();

    /// To be called when poll says that something is wrong: throws if the device is gone.
    void check_alive();

    int descriptor() const { return socket_.get(); }
    std::size_t frame_bytes_max() const { return frame_bytes_max_; }
    const std::string& name() const { return name_; }

    static constexpr std::size_t kBurst = 64;

  private:
    bool front(Arrival& arrival) const;
    void pop_front();
    void map_ring();
    [[noreturn]] void fail(const char* what) const;

    std::string name_;
    Descriptor socket_;
    std::size_t frame_bytes_max_ = 0;
    std::byte* ring_ = nullptr;
    std::size_t slot_bytes_ = 0, slots_ = 0, next_ = 0;
};

}  // namespace holdfast::lossy
