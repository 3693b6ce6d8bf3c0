// A process that serves a service with gate host: what clients send goes to files, and is confirmed, which
// lets the appliance acknowledge it, when fdatasync() has made it durable.
//
//     host_sink SOCKET DIRECTORY
//
// A file's name is its client's address and port. Each byte is written at its offset in the stream, so bytes
// that come again, to this process or a later one, come to the same place. A client's address must not be
// used twice.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

#include "engine/process/attachment.hpp"

using namespace holdfast;

namespace {

std::atomic<bool> stop{false};

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

class Sink final : public host::Handler {
  public:
    Sink(host::Link& link, std::string directory) : client(link, *this), directory_(std::move(directory)) {}

    void opened(const host::Opened& s) override {
        const auto path = directory_ + "/" + s.client.to_string();
        const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file < 0) fail(path);
        files_[s.session.slot] = {s.session, file, s.committed, false, false};
    }
    void bytes(host::Session session, std::uint64_t offset, std::span<const std::uint8_t> bytes) override {
        auto& f = files_.at(session.slot);
        while (!bytes.empty()) {
            const auto n = pwrite(f.file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (n < 0) fail("a write");
            offset += static_cast<std::uint64_t>(n);
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        }
        f.received = offset;
        f.dirty = true;
    }
    void ended(host::Session session, std::uint64_t) override {
        auto& f = files_.at(session.slot);
        f.ended = f.dirty = true;
    }
    void closed(host::Session session) override {
        close(files_.at(session.slot).file);
        files_.erase(session.slot);
    }
    void detached() override {
        for (const auto& [slot, f] : files_) close(f.file);
        files_.clear();
    }

    /// Makes durable what was written since the last time, and says so.
    void sync() {
        for (auto& [slot, f] : files_) {
            if (!f.dirty) continue;
            f.dirty = false;
            if (fdatasync(f.file) != 0) fail("fdatasync");
            client.confirm(f.session, f.received);
            if (!f.ended) continue;
            client.confirm_end(f.session);
            client.finish(f.session);
        }
    }

    host::Client client;

  private:
    struct File {
        host::Session session;
        int file = -1;
        std::uint64_t received = 0;
        bool dirty = false, ended = false;
    };
    std::string directory_;
    std::map<std::uint32_t, File> files_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s SOCKET DIRECTORY\n", argv[0]);
        return 2;
    }
    for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { stop = true; });
    try {
        engine::Attachment attachment(argv[1]);
        Sink sink(attachment.link(), argv[2]);
        attachment.run(sink.client, stop, [&sink] { sink.sync(); });
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
    return 0;
}
