// Messages between the node core and the protocol cores: the guard's frames on the service networks.
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/address.hpp"
#include "lib/base/time.hpp"
#include "lib/ring/ring.hpp"

namespace holdfast::protocol {

/// Payload bytes of a heartbeat frame that fit a control message.
inline constexpr std::size_t heartbeat_max = 192;

enum class ControlKind : std::uint8_t {
    send_heartbeat,   ///< node -> protocol: broadcast `bytes` under the own MAC
    query,            ///< node -> protocol: ask for `address` under the own address
    probe,            ///< node -> protocol: ask whether somebody uses `address`
    announce,         ///< node -> protocol: announce the virtual addresses
    heartbeat_heard,  ///< protocol -> node
    neighbour_heard,  ///< protocol -> node: somebody said who he is, or asked for `target`
    own_mac_heard,    ///< protocol -> node: a frame came in from our virtual MAC
};

struct Control {
    ControlKind kind{};
    std::uint8_t size = 0;
    bool is_reply = false, is_probe = false;  ///< neighbour_heard
    IpAddress address, target;                ///< neighbour_heard: sender and target
    MacAddress mac;
    std::array<std::uint8_t, 2> reserved2{};
    std::array<std::uint8_t, heartbeat_max> bytes{};
};

/// The rings of one protocol core.
struct ControlRings {
    ControlRings(const std::string& prefix, int socket)
        : to_core(prefix + "_cc", 256, socket), to_node(prefix + "_cn", 256, socket) {}
    Ring<Control> to_core, to_node;
};

}  // namespace holdfast::protocol
