// A sound configuration, and what the loader says of changes to it.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "lib/config/loader.hpp"

namespace holdfast::test {

/// A sound configuration; the tests count on its line numbers.
inline constexpr const char* sound = R"([node]
id = 0
name = "a"
state_dir = "/run/holdfast-a"

[port.client]
device = "net_af_xdp0"          # ethdev name or PCI address
address = "10.77.1.2/24"        # the node's own address
# gateway = "10.77.1.254"
virtual_mac = "02:48:46:00:01:00"
mtu = 1500

[port.server]
device = "net_af_xdp1"
address = "10.77.2.2/24"
virtual_mac = "02:48:46:00:02:00"
mtu = 1500
snat = ["10.77.2.100"]

[port.mirror]
device = "net_af_xdp2"          # or net_memif0
address = "10.77.3.2/24"
mtu = 1500

[mirror]
peer = "10.77.3.3"
tcp_port = 7070
store_wait_ms = 50
progress_every_ms = 50

[[service]]
name = "web"
address = "10.77.1.100:80"
backends = ["10.77.2.20:80"]
gate = ["peer"]                  # or ["none"]

[guard]
key_file = "/run/holdfast-a/key"
heartbeat_ms = 20
lease_ms = 150
lease_margin_ms = 50
boot_wait_ms = 1000
reference = ["10.77.2.20"]
on_isolation = "serve"

[tcp]
rto_min_ms = 20
time_wait_ms = 60000
# window_probe_min_ms, window_probe_max_ms, idle_probe_ms, syn_retries, data_retries, rto_max_ms, rto_initial_ms, hold_sack

[limits]
sessions = 16384
session_bytes = 2097152
mbufs = 32768
ring = 4096

[idle]
policy = "adaptive"              # busy | adaptive | interrupt
sleep_max_us = 1000
)";

inline std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

/// A key file that lives as long as the test.
struct KeyFile {
    explicit KeyFile(std::size_t size = 32, mode_t mode = 0600) {
        int fd = mkstemp(path.data());
        REQUIRE(fd >= 0);
        const std::string bytes(size, 'k');
        REQUIRE(write(fd, bytes.data(), size) == static_cast<ssize_t>(size));
        fchmod(fd, mode);
        close(fd);
    }
    ~KeyFile() { unlink(path.c_str()); }
    std::string path = "/tmp/holdfast-key-XXXXXX";
};

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

/// The sound configuration with a key file that exists.
inline std::string example(const KeyFile& key) { return replaced(sound, "/run/holdfast-a/key", key.path); }

/// What the loader says of a text, one problem a line; "" when it accepts it.
inline std::string said_of(const std::string& text) {
    try {
        parse_config(text, "c.toml");
    } catch (const ConfigError& e) {
        return e.what();
    }
    return "";
}

/// What it says of the sound configuration after `from` became `to`.
inline std::string said(const std::string& from, const std::string& to) {
    const KeyFile key;
    return said_of(replaced(example(key), from, to));
}

}  // namespace holdfast::test
