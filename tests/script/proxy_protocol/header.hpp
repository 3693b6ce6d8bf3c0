// The header as a server must get it, and a server's end whose positions are the client's.
#pragma once

#include <string>

#include "tests/script/lane_stage.hpp"

namespace holdfast::script {

/// Written from the text of the PROXY protocol, without the product's code.
inline std::string expected_header(unsigned version, const Endpoint& client, const Endpoint& service) {
    const bool v4 = client.address.is_v4();
    if (version == 1)
        return "PROXY TCP" + std::string(v4 ? "4 " : "6 ") + client.address.to_string() + " " +
               service.address.to_string() + " " + std::to_string(client.port) + " " +
               std::to_string(service.port) + "\r\n";
    std::string h("\r\n\r\n\0\r\nQUIT\n\x21", 13);
    h += v4 ? '\x11' : '\x21';
    h += std::string(1, '\0') + std::string(1, v4 ? '\x0c' : '\x24');
    for (const auto* e : {&client, &service})
        h.append(reinterpret_cast<const char*>(e->address.bytes.data()) + (v4 ? 12 : 0), v4 ? 4 : 16);
    for (const auto* e : {&client, &service}) {
        h += static_cast<char>(e->port >> 8);
        h += static_cast<char>(e->port & 0xff);
    }
    return h;
}

/// The next segment to `server` is the header, alone, and right below the client's bytes.
inline Seen expect_header(Peer& server, const std::string& header, Where where = Where::current()) {
    const auto s = server.takes(where);
    expect(std::string(s.raw.payload.begin(), s.raw.payload.end()) == header, "the header", where);
    expect(s.end == 1, "it ends where the client's bytes begin", where);
    return s;
}

}  // namespace holdfast::script
