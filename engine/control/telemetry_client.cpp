#include "engine/control/telemetry_client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t answer_size_max = 32 * 1024;  // DPDK sends 16 KiB at most
constexpr timeval answer_timeout{2, 0};

/// Where DPDK puts its runtime files, by the rules of eal_create_runtime_dir().
std::string default_runtime_directory() {
    if (const char* directory = std::getenv("RUNTIME_DIRECTORY")) return directory;
    if (getuid() == 0) return "/var/run";
    const char* directory = std::getenv("XDG_RUNTIME_DIR");
    return directory != nullptr ? directory : "/tmp";
}

/// A row's number, for putting pages' rows (which JSON orders as text) back into order.
unsigned long long row_number(const json& row, const std::string& key) {
    return row[key].get<unsigned long long>();
}

}  // namespace

std::string find_telemetry_socket(std::string runtime_directory) {
    if (runtime_directory.empty()) runtime_directory = default_runtime_directory();
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& prefix : fs::directory_iterator(fs::path(runtime_directory) / "dpdk", error))
        for (const auto& file : fs::directory_iterator(prefix.path(), error))
            if (file.path().filename().string().starts_with("dpdk_telemetry.v2"))
                found.push_back(file.path());
    if (found.empty())
        throw TelemetryError(
            "no telemetry socket below " + runtime_directory +
            "/dpdk: is the node running, and without --no-telemetry? If its runtime directory is "
            "elsewhere give --runtime DIR or --socket PATH");
    if (found.size() == 1) return found.front();
    std::string list;
    for (const auto& path : found) list += "\n  " + path;
    throw TelemetryError("several DPDK processes run; choose one with --socket:" + list);
}

TelemetryClient::TelemetryClient(std::string path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path)
        throw TelemetryError(path_ + ": the path is too long for a socket");
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    fd_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &answer_timeout, sizeof answer_timeout);
    if (fd_ < 0 || connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const std::string reason = std::strerror(errno);
        if (fd_ >= 0) close(fd_);
        throw TelemetryError(path_ + ": " + reason +
                             ": is the node running? start it, or give --runtime DIR or --socket PATH");
    }
    try {
        receive();  // DPDK introduces itself first
    } catch (const TelemetryError&) {
        close(fd_);
        throw;
    }
}

TelemetryClient::~TelemetryClient() { close(fd_); }

std::string TelemetryClient::receive() {
    std::string text(answer_size_max, '\0');
    const ssize_t n = recv(fd_, text.data(), text.size(), 0);
    if (n <= 0)
        throw TelemetryError(path_ + ": no answer (" + (n == 0 ? "connection closed" : std::strerror(errno)) +
                             "): the node is stopping or stopped; see its log");
    text.resize(static_cast<std::size_t>(n));
    return text;
}

json TelemetryClient::ask(const std::string& command, const std::string& params) {
    const std::string request = params.empty() ? command : command + "," + params;
    if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0)
        throw TelemetryError(path_ + ": " + std::strerror(errno) + ": the node stopped; see its log");
    const json answer = json::parse(receive(), nullptr, false);
    if (!answer.is_object() || !answer.contains(command) || answer[command].is_null())
        throw TelemetryError(path_ + ": no answer to " + command +
                             ": the process is starting, stopping, or no holdfast node");
    return answer[command];
}

json TelemetryClient::ask_all(const std::string& command, const std::string& key) {
    json all = json::array();
    std::uint64_t next = 0;
    do {
        const json page = ask(command, std::to_string(next));
        // DPDK prints an empty dictionary inside another one as an empty array.
        if (page["rows"].is_object())
            for (const auto& [number, row] : page["rows"].items()) {
                all.push_back(row);
                all.back()[key] = std::stoull(number);
            }
        next = page["next"];
    } while (next != 0);
    std::sort(all.begin(), all.end(),
              [&](const json& a, const json& b) { return row_number(a, key) < row_number(b, key); });
    return all;
}

}  // namespace holdfast::engine
