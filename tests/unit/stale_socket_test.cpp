#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/boot/stale_socket.hpp"

using namespace holdfast::engine;

namespace {

/// A socket file; its listener lives until close().
struct Listener {
    explicit Listener(int type) : fd(socket(AF_UNIX, type, 0)) {
        std::string name = "/tmp/holdfast-socket-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        directory = name;
        path = directory / "s";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(listen(fd, 1) == 0);
    }
    ~Listener() {
        close(fd);
        std::filesystem::remove_all(directory);
    }
    std::string device() const { return "net_memif0,role=server,socket=" + path.string() + ",id=0"; }
    int fd;
    std::filesystem::path directory, path;
};

}  // namespace

TEST_CASE("a socket whose listener died is removed, in both ways to write --vdev") {
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
        Listener one(type), two(type);
        close(one.fd);
        close(two.fd);
        CHECK(remove_stale_sockets({"--no-huge", "--vdev", one.device(), "--vdev=" + two.device()}) ==
              std::vector<std::string>{one.path, two.path});
        CHECK_FALSE(std::filesystem::exists(one.path));
    }
}

TEST_CASE("a socket with a listener stays") {
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
        const Listener one(type);
        CHECK(remove_stale_sockets({"--vdev", one.device()}).empty());
        CHECK(std::filesystem::exists(one.path));
    }
}

TEST_CASE("what is no socket stays, and what is no --vdev is not looked at") {
    Listener one(SOCK_STREAM);
    close(one.fd);
    CHECK(remove_stale_sockets({"--vdev", "net_af_xdp0,iface=/etc/passwd", "-d", one.device(), "--vdev"})
              .empty());
    CHECK(std::filesystem::exists(one.path));
}
