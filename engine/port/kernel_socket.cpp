#include "engine/port/kernel_socket.hpp"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>

namespace holdfast::engine {

std::vector<int> sockets_of(int domain) {
    std::vector<int> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
        const int fd = std::atoi(entry.path().filename().c_str());
        int family = -1;
        socklen_t size = sizeof family;
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == domain)
            found.push_back(fd);
    }
    return found;
}

int find_packet_socket(unsigned interface) {
    for (const int fd : sockets_of(AF_PACKET)) {
        sockaddr_ll address{};
        socklen_t size = sizeof address;
        if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
            address.sll_ifindex == static_cast<int>(interface))
            return fd;
    }
    return -1;
}

}  // namespace holdfast::engine
