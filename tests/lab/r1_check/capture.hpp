// What one pcap holds: the TCP connections that passed an endpoint's device, packet by packet.
#pragma once

#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::r1 {

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;
constexpr std::size_t kFingerprint = 512;  ///< bytes from the start of a stream that tell sessions apart

/// One end of a connection.
struct Endpoint {
    std::array<std::uint8_t, 16> address{};  ///< IPv4 as ::ffff:a.b.c.d
    std::uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
};

/// Who stands at the device that was captured: the client opens its leg, the server is called.
enum class Side { client, server };

struct Packet {
    std::int64_t time_ns = 0;
    std::size_t index = 0;  ///< in its capture file
    std::uint32_t seq = 0, ack = 0;
    std::uint32_t length = 0;  ///< sequence space: payload, SYN and FIN
    std::uint8_t flags = 0;
    std::uint8_t sacks = 0;  ///< SACK blocks, from Leg::sacks[first_sack] on
    std::size_t first_sack = 0;
    bool from_endpoint = false;  ///< left the client or the server; otherwise it came from the proxy
    bool acknowledges() const { return (flags & kAck) && !(flags & kRst); }
};

/// The start of a stream, as far as captured packets show it.
class Fingerprint {
  public:
    void note(std::int64_t offset, const std::uint8_t* bytes, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::int64_t at = offset + static_cast<std::int64_t>(i);
            if (at < 0 || at >= static_cast<std::int64_t>(kFingerprint)) continue;
            bytes_[static_cast<std::size_t>(at)] = static_cast<std::int16_t>(bytes[i]);
        }
    }
    /// How many bytes both know and agree on; nothing if they differ anywhere.
    std::optional<std::size_t> agreement(const Fingerprint& other) const {
        std::size_t same = 0;
        for (std::size_t i = 0; i < kFingerprint; ++i) {
            if (bytes_[i] < 0 || other.bytes_[i] < 0) continue;
            if (bytes_[i] != other.bytes_[i]) return std::nullopt;
            ++same;
        }
        return same;
    }

  private:
    std::array<std::int16_t, kFingerprint> bytes_ = [] {
        std::array<std::int16_t, kFingerprint> unknown{};
        unknown.fill(-1);
        return unknown;
    }();
};

/// One TCP connection as it passed one endpoint's device.
struct Leg {
    Endpoint endpoint, proxy;
    std::optional<std::uint32_t> endpoint_isn, proxy_isn;
    std::int64_t opened_ns = 0;
    std::optional<std::int64_t> syn_ack_ns;
    std::vector<Packet> packets;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> sacks;  ///< blocks that the proxy reported
    Fingerprint from_endpoint, to_endpoint;

    bool acknowledged_by_proxy() const {
        return std::any_of(packets.begin(), packets.end(),
                           [](const Packet& each) { return !each.from_endpoint && each.acknowledges(); });
    }
};

/// An endpoint as ADDRESS:PORT.
std::string name(const Endpoint& end);

/// All connections of one capture, in the order in which they opened.
class Capture {
  public:
    /// Reads the file; throws std::runtime_error if it is no capture of an Ethernet device.
    Capture(const std::string& path, Side side);

    const std::vector<std::unique_ptr<Leg>>& legs() const { return legs_; }
    /// Packets of connections that opened before the capture began.
    std::size_t orphans() const { return orphans_; }

  private:
    void take(const pcap_pkthdr& header, const std::uint8_t* frame, std::size_t index);
    Leg* find(const Endpoint& source, const Endpoint& target, const Packet& packet);

    Side side_;
    std::vector<std::unique_ptr<Leg>> legs_;
    std::map<std::pair<Endpoint, Endpoint>, Leg*> newest_;  ///< by (opener, called)
    std::size_t orphans_ = 0;
};

/// tcpdump's last words about a capture, kept in a file beside it: how many packets it lost, if it says so.
std::optional<std::uint64_t> dropped(const std::string& capture);

/// Writes a copy of a capture in which packet `victim` acknowledges one byte more.
void write_corrupt(const std::string& from, const std::string& to, std::size_t victim);

}  // namespace holdfast::r1
