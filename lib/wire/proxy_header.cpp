#include "lib/wire/proxy_header.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace holdfast::wire {
namespace {

std::size_t write_text(const Endpoint& client, const Endpoint& service, std::uint8_t* out) {
    const auto line = std::string("PROXY ") + (client.address.is_v4() ? "TCP4 " : "TCP6 ") +
                      client.address.to_string() + " " + service.address.to_string() + " " +
                      std::to_string(client.port) + " " + std::to_string(service.port) + "\r\n";
    std::memcpy(out, line.data(), line.size());
    return line.size();
}

std::size_t write_binary(const Endpoint& client, const Endpoint& service, std::uint8_t* out) {
    constexpr std::uint8_t signature[] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};
    constexpr std::uint8_t version_and_command = 0x21, stream_over_ipv4 = 0x11, stream_over_ipv6 = 0x21;
    const bool v4 = client.address.is_v4();
    const std::size_t address = v4 ? 4 : 16;
    const auto length = static_cast<std::uint8_t>(2 * address + 4);
    auto* at = std::copy(std::begin(signature), std::end(signature), out);
    for (const std::uint8_t byte :
         {version_and_command, v4 ? stream_over_ipv4 : stream_over_ipv6, std::uint8_t{0}, length})
        *at++ = byte;
    // An IPv4 address is the last four bytes of its IPv6 form, in the order of the wire.
    for (const auto* e : {&client, &service})
        at = std::copy(e->address.bytes.end() - static_cast<std::ptrdiff_t>(address), e->address.bytes.end(),
                       at);
    for (const auto* e : {&client, &service}) {
        *at++ = static_cast<std::uint8_t>(e->port >> 8);
        *at++ = static_cast<std::uint8_t>(e->port);
    }
    return static_cast<std::size_t>(at - out);
}

}  // namespace

std::size_t write_proxy_header(unsigned version, const Endpoint& client, const Endpoint& service,
                               std::span<std::uint8_t, proxy_header_max> out) {
    if (version == 0) return 0;
    return version == 1 ? write_text(client, service, out.data()) : write_binary(client, service, out.data());
}

}  // namespace holdfast::wire
