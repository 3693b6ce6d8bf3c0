#include "lib/config/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace holdfast {
namespace {

constexpr std::size_t key_size_min = 32, key_size_max = 4096;

/// Reads up to key_size_max bytes of the open file; nothing on an error.
std::vector<std::uint8_t> read_all(int fd) {
    std::vector<std::uint8_t> bytes(key_size_max);
    std::size_t size = 0;
    ssize_t n;
    while (size < bytes.size() && (n = read(fd, bytes.data() + size, bytes.size() - size)) > 0)
        size += static_cast<std::size_t>(n);
    bytes.resize(size);
    return bytes;
}

/// What is wrong with the open key file, or nothing; fills `key`.
std::string check_key(int fd, const std::string& path, std::vector<std::uint8_t>& key) {
    const std::string make = "make one with: head -c 32 /dev/urandom > " + path + " && chmod 600 " + path;
    struct stat st {};
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return path + " is no regular file; name a file";
    if ((st.st_mode & 077) != 0) return path + " is readable by others than its owner; chmod 600 " + path;
    key = read_all(fd);
    if (key.size() < key_size_min)
        return path + " holds " + std::to_string(key.size()) + " bytes, fewer than 32; " + make;
    return {};
}

}  // namespace

void read_key_file(Config& config, Problems& problems) {
    const std::string& path = config.guard.key_file;
    // Without waiting: it may be a pipe that nobody writes to, which check_key() refuses.
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        problems.add("guard.key_file", path + ": " + std::strerror(errno) +
                                           "; make one with: head -c 32 /dev/urandom > " + path +
                                           " && chmod 600 " + path + ", and copy it to the other node");
        return;
    }
    if (auto problem = check_key(fd, path, config.key); !problem.empty())
        problems.add("guard.key_file", problem);
    close(fd);
}

}  // namespace holdfast
