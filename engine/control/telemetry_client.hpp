// The other end of DPDK's telemetry socket.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace holdfast::engine {

/// The text names what failed and how to mend it.
class TelemetryError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Finds the telemetry socket of the one DPDK process below `runtime_directory` (empty: where DPDK puts it by
/// default). Throws TelemetryError when there is none, or more than one.
std::string find_telemetry_socket(std::string runtime_directory);

class TelemetryClient {
  public:
    /// Connects to the socket at `path`. Throws TelemetryError.
    explicit TelemetryClient(std::string path);
    ~TelemetryClient();
    TelemetryClient(const TelemetryClient&) = delete;
    TelemetryClient& operator=(const TelemetryClient&) = delete;

    /// The answer to `command` ("/holdfast/status"), `params` after a comma where not empty. Throws
    /// TelemetryError when there is none.
    nlohmann::json ask(const std::string& command, const std::string& params = {});

    /// All pages of a paged command as one array; the key of each row becomes its member `key`.
    nlohmann::json ask_all(const std::string& command, const std::string& key);

  private:
    std::string receive();

    std::string path_;
    int fd_ = -1;
};

}  // namespace holdfast::engine
