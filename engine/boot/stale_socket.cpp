#include "engine/boot/stale_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

namespace holdfast::engine {
namespace {

/// The values of "driver,key=value,..." in all --vdev options.
std::vector<std::string> device_values(const std::vector<std::string>& options) {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < options.size(); ++i) {
        std::string device;
        if (options[i] == "--vdev" && i + 1 < options.size()) device = options[i + 1];
        else if (options[i].starts_with("--vdev=")) device = options[i].substr(7);
        std::istringstream parts(device);
        for (std::string part; std::getline(parts, part, ',');)
            if (const auto equals = part.find('='); equals != std::string::npos)
                values.push_back(part.substr(equals + 1));
    }
    return values;
}

/// True for a socket file whose listener is gone. Another type of socket (EPROTOTYPE) is a living one.
bool is_stale(const std::string& path) {
    struct stat st {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path || stat(path.c_str(), &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool refused = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                         errno == ECONNREFUSED;
    close(fd);
    return refused;
}

}  // namespace

std::vector<std::string> remove_stale_sockets(const std::vector<std::string>& eal_options) {
    std::vector<std::string> removed;
    for (const auto& value : device_values(eal_options))
        if (is_stale(value) && unlink(value.c_str()) == 0) removed.push_back(value);
    return removed;
}

}  // namespace holdfast::engine
