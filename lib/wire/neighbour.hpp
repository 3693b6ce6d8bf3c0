// Neighbour discovery for IPv6 (RFC 4861): solicitations and advertisements, from bytes to values and back;
// and the reports by which switches learn who listens to which group (RFC 3810).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/address.hpp"
#include "lib/wire/frame.hpp"

namespace holdfast::wire {

/// A neighbour solicitation or advertisement.
struct NeighbourMessage {
    bool advertisement = false;
    bool solicited = false;  ///< advertisement: it answers a solicitation
    bool override = false;   ///< advertisement: it replaces an address that is known
    IpAddress target;
    MacAddress link_address;  ///< zero = the option is missing
};

/// All nodes of the link: ff02::1.
IpAddress all_nodes();
/// The group in which the owner of `address` listens for solicitations (RFC 4291 section 2.7.1).
IpAddress solicited_node(const IpAddress& address);
/// The Ethernet address of an IPv6 multicast group (RFC 2464 section 7).
MacAddress multicast_mac(const IpAddress& group);

/// True when the sum of the ICMPv6 message in a frame of kind icmpv6 is right (RFC 4443 section 2.3).
bool icmpv6_sum_right(const std::uint8_t* message, const Frame& frame);

/// Reads the message of a frame of kind icmpv6 whose sum is right; nullopt when it is no solicitation or
/// advertisement, or fails one of the checks of RFC 4861 sections 7.1.1 and 7.1.2.
std::optional<NeighbourMessage> parse_neighbour(const std::uint8_t* message, const Frame& frame);

/// Most bytes that write_neighbour() writes.
inline constexpr std::size_t neighbour_packet_max = ipv6_size + 24 + 8;

/// Writes IPv6 header and message at `out`; returns their size in bytes.
std::size_t write_neighbour(std::uint8_t* out, const NeighbourMessage& message, const IpAddress& source,
                            const IpAddress& destination);

/// Groups that one report may name.
inline constexpr std::size_t report_groups_max = 48;
/// Most bytes that write_group_report() writes.
inline constexpr std::size_t report_packet_max = ipv6_size + 8 + 8 + 20 * report_groups_max;

/// Where reports go: all routers that speak MLDv2, ff02::16.
IpAddress all_mld_routers();
/// Whether the message of a frame of kind icmpv6 asks who listens.
bool is_group_query(const std::uint8_t* message, const Frame& frame);

/// Writes an IPv6 packet at `out` that reports listening to `groups` (at most report_groups_max), from every
/// source; its own source is unspecified (RFC 3590). `joined`: since now. Returns its size in bytes.
std::size_t write_group_report(std::uint8_t* out, std::span<const IpAddress> groups, bool joined);

}  // namespace holdfast::wire
