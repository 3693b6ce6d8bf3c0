// A packet socket on a device of the lab: whole frames, as they are.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace holdfast::lab {

class PacketSocket {
  public:
    /// Frames leave by `device`; those that arrive there or leave are heard only if `listens`. Throws
    /// std::runtime_error when there is no such device, or no right to it.
    PacketSocket(const std::string& device, bool listens);
    ~PacketSocket();
    PacketSocket(const PacketSocket&) = delete;
    PacketSocket& operator=(const PacketSocket&) = delete;

    int fd() const { return fd_; }
    /// Waits for room while the device has none.
    void send(std::span<const std::uint8_t> frame);
    /// The next frame that was heard, without waiting; false when there is none.
    bool receive(std::vector<std::uint8_t>& frame);

  private:
    int fd_;
};

}  // namespace holdfast::lab
