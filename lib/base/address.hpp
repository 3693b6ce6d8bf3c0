// Network addresses as values, in network byte order.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

/// An Ethernet address.
struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
    // Compared for every frame: as integers, not by a call of memcmp.
    friend bool operator==(const MacAddress& a, const MacAddress& b) {
        return a.as_integer() == b.as_integer();
    }
    bool is_zero() const { return as_integer() == 0; }
    std::uint64_t as_integer() const {
        std::uint32_t head;
        std::uint16_t tail;
        std::memcpy(&head, bytes.data(), 4);
        std::memcpy(&tail, &bytes[4], 2);
        return head | std::uint64_t{tail} << 32;
    }
    constexpr bool is_multicast() const { return (bytes[0] & 1) != 0; }
    static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
    /// Reads "02:00:5e:00:01:0a"; nullopt when it is anything else.
    static std::optional<MacAddress> parse(std::string_view text);
    std::string to_string() const;
};

/// An IPv4 or IPv6 address in 16 bytes; IPv4 stands as ::ffff:a.b.c.d, so both families share one key type.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};

    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
    friend bool operator==(const IpAddress& a, const IpAddress& b) {
        return a.half(0) == b.half(0) && a.half(1) == b.half(1);
    }
    /// One half of the address as it stands in memory.
    std::uint64_t half(unsigned i) const {
        std::uint64_t v;
        std::memcpy(&v, &bytes[8 * i], 8);
        return v;
    }

    /// From an IPv4 address in network byte order, as it stands in a header.
    static IpAddress from_v4(std::uint32_t be) {
        IpAddress a;
        a.bytes[10] = a.bytes[11] = 0xff;
        std::memcpy(&a.bytes[12], &be, 4);
        return a;
    }
    /// The IPv4 address in network byte order; only for is_v4().
    std::uint32_t v4() const {
        std::uint32_t be;
        std::memcpy(&be, &bytes[12], 4);
        return be;
    }
    bool is_v4() const {
        static_assert(std::endian::native == std::endian::little);
        return half(0) == 0 && static_cast<std::uint32_t>(half(1)) == 0xffff0000;
    }
    /// No address at all: "::". 0.0.0.0 is an address here, see is_any().
    bool is_unspecified() const { return half(0) == 0 && half(1) == 0; }
    /// "0.0.0.0" or "::": what stands where a host has no address yet.
    bool is_any() const { return is_unspecified() || (is_v4() && v4() == 0); }
    bool is_multicast() const { return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff; }
    bool is_loopback_v6() const { return half(0) == 0 && half(1) == std::uint64_t{1} << 56; }
    /// fe80::/10 (RFC 4291 section 2.5.6)
    bool is_link_local_v6() const { return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }
    /// Reads "10.0.0.1" or "fe80::1"; nullopt when it is anything else.
    static std::optional<IpAddress> parse(std::string_view text);
    std::string to_string() const;
};

/// An address with a TCP port in host byte order.
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;

    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
    /// Reads "10.0.0.1:80" or "[fe80::1]:80".
    static std::optional<Endpoint> parse(std::string_view text);
    std::string to_string() const;
};

/// An address and the length of its network prefix.
struct Prefix {
    IpAddress address;
    /// In bits of the family's own notation: 0..32 or 0..128.
    std::uint8_t length = 0;

    friend auto operator<=>(const Prefix&, const Prefix&) = default;
    /// Reads "10.0.0.1/24".
    static std::optional<Prefix> parse(std::string_view text);
    /// True when `other` lies in the same network.
    bool contains(const IpAddress& other) const;
    std::string to_string() const;
};

/// The neighbour that leads to a network.
struct Route {
    Prefix to;
    IpAddress via;

    friend bool operator==(const Route&, const Route&) = default;
};

}  // namespace holdfast
