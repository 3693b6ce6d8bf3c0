#include "control.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace holdfast::lossy {

Control::Control(const std::string& path)
    : listener_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool fits = path.size() < sizeof address.sun_path;
    if (fits) path.copy(address.sun_path, path.size());
    ::unlink(path.c_str());
    if (!fits || ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 4) != 0)
        throw std::system_error(fits ? errno : ENAMETOOLONG, std::system_category(), path);
}

void Control::serve(const std::function<std::string(const std::string&)>& answer) {
    if (client_.get() < 0) {
        client_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        return;
    }
    std::array<char, 1024> request;
    const ssize_t length = ::recv(client_.get(), request.data(), request.size(), 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length > 0) {
        const std::string said = answer({request.data(), static_cast<std::size_t>(length)});
        // A client that does not wait for its answer gets none.
        if (::send(client_.get(), said.data(), said.size(), MSG_NOSIGNAL) < 0) errno = 0;
    }
    client_.reset();
}

}  // namespace holdfast::lossy
