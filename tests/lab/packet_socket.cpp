#include "tests/lab/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace holdfast::lab {
namespace {

constexpr std::size_t frame_max = 10'000;
constexpr int receive_buffer_bytes = 32 << 20;

}  // namespace

PacketSocket::PacketSocket(const std::string& device, bool listens)
    : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) throw std::runtime_error("no packet socket: run as root");
    const int on = 1;
    ::setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = listens ? htons(ETH_P_ALL) : 0;
    address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
    if (address.sll_ifindex == 0 ||
        ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(fd_);
        throw std::runtime_error("no device " + device);
    }
}

PacketSocket::~PacketSocket() { ::close(fd_); }

void PacketSocket::send(std::span<const std::uint8_t> frame) {
    while (::send(fd_, frame.data(), frame.size(), 0) < 0) {
        if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            throw std::runtime_error(std::strerror(errno));
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
}

bool PacketSocket::receive(std::vector<std::uint8_t>& frame) {
    frame.resize(frame_max);
    const auto n = ::recv(fd_, frame.data(), frame.size(), MSG_DONTWAIT);
    if (n < 0) return false;
    frame.resize(static_cast<std::size_t>(n));
    return true;
}

}  // namespace holdfast::lab
