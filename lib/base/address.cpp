#include "lib/base/address.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>

namespace holdfast {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
    MacAddress mac;
    if (text.size() != 17) return std::nullopt;
    for (std::size_t i = 0; i < 6; ++i) {
        const auto part = text.substr(i * 3, 2);
        const auto [end, error] = std::from_chars(part.data(), part.data() + 2, mac.bytes[i], 16);
        if (error != std::errc{} || end != part.data() + 2) return std::nullopt;
        if (i < 5 && text[i * 3 + 2] != ':') return std::nullopt;
    }
    return mac;
}

std::string MacAddress::to_string() const {
    char text[18];
    std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2], bytes[3],
                  bytes[4], bytes[5]);
    return text;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string copy(text);
    in_addr v4{};
    if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) return from_v4(v4.s_addr);
    IpAddress a;
    if (inet_pton(AF_INET6, copy.c_str(), a.bytes.data()) == 1) return a;
    return std::nullopt;
}

std::string IpAddress::to_string() const {
    char text[INET6_ADDRSTRLEN];
    if (is_v4()) inet_ntop(AF_INET, &bytes[12], text, sizeof text);
    else inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    return text;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    Endpoint e;
    // Without brackets nobody knows where an IPv6 address ends.
    if (!address || address->is_v4() == brackets || !read_number(text.substr(colon + 1), e.port) ||
        e.port == 0)
        return std::nullopt;
    e.address = *address;
    return e;
}

std::string Endpoint::to_string() const {
    const auto host = address.to_string();
    return (address.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.rfind('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto address = IpAddress::parse(text.substr(0, slash));
    Prefix p;
    if (!address || !read_number(text.substr(slash + 1), p.length)) return std::nullopt;
    if (p.length > (address->is_v4() ? 32 : 128)) return std::nullopt;
    p.address = *address;
    return p;
}

bool Prefix::contains(const IpAddress& other) const {
    if (address.is_v4() != other.is_v4()) return false;
    unsigned bits = address.is_v4() ? 96u + length : length;
    for (std::size_t i = 0; i < 16 && bits > 0; ++i) {
        const unsigned n = bits < 8 ? bits : 8;
        const auto mask = static_cast<std::uint8_t>(0xff << (8 - n));
        if ((address.bytes[i] & mask) != (other.bytes[i] & mask)) return false;
        bits -= n;
    }
    return true;
}

std::string Prefix::to_string() const { return address.to_string() + "/" + std::to_string(length); }

}  // namespace holdfast
