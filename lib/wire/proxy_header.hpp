// The header of the PROXY protocol (HAProxy's proxy-protocol.txt): tells a server who its client is.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/address.hpp"

namespace holdfast::wire {

/// The longest header: version 1 with two full IPv6 addresses.
inline constexpr std::size_t proxy_header_max = 107;

/// Writes the header of `version` (1: a line of text, 2: binary) for a connection from `client` to `service`,
/// addresses of one family. Returns its size; 0 for version 0, which is none. The same bytes each time.
std::size_t write_proxy_header(unsigned version, const Endpoint& client, const Endpoint& service,
                               std::span<std::uint8_t, proxy_header_max> out);

}  // namespace holdfast::wire
