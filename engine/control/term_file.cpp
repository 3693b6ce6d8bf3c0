#include "engine/control/term_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>

#include "engine/boot/start_refused.hpp"

namespace holdfast::engine {
namespace {

/// Flushes and closes; false when anything failed.
bool sync_and_close(int fd) {
    const bool synced = fsync(fd) == 0;
    const int error = errno;
    close(fd);
    errno = error;
    return synced;
}

}  // namespace

std::uint64_t load_term(const std::filesystem::path& directory) {
    const auto path = directory / "term";
    std::ifstream file(path);
    if (!file) return 0;
    std::uint64_t term = 0;
    if (!(file >> term))
        throw StartRefused(path.string() +
                           " is damaged; if the other node is running remove it, the term comes back "
                           "from there; else write the last known term into it");
    return term;
}

bool store_term(const std::filesystem::path& directory, std::uint64_t term) {
    const auto path = directory / "term", fresh = directory / "term.new";
    const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    const std::string text = std::to_string(term) + "\n";
    const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!sync_and_close(fd) || !written) return false;
    if (rename(fresh.c_str(), path.c_str()) != 0) return false;
    const int dir = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir >= 0 && sync_and_close(dir);
}

}  // namespace holdfast::engine
