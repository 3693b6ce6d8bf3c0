#include "tests/sim/header_server.hpp"

#include <algorithm>

namespace holdfast::sim {

std::string proxy_header(const Endpoint& client, const Endpoint& service) {
    const bool v4 = client.address.is_v4();
    std::string h("\r\n\r\n\0\r\nQUIT\n\x21", 13);
    h += v4 ? '\x11' : '\x21';
    h += '\0';
    h += v4 ? '\x0c' : '\x24';
    for (const auto* e : {&client, &service})
        h.append(reinterpret_cast<const char*>(e->address.bytes.data()) + (v4 ? 12 : 0), v4 ? 4 : 16);
    for (const auto* e : {&client, &service}) {
        h += static_cast<char>(e->port >> 8);
        h += static_cast<char>(e->port & 0xff);
    }
    return h;
}

bool HeaderServer::take(Segment& s) {
    const std::pair key{s.to, s.from};
    if (s.has(flag::syn)) {
        auto& c = connections_[key];
        if (c.expected.empty() || !(c.isn == s.seq)) c = {s.seq, header_(s.from), 0};
        s.seq = s.seq + c.size();
        return false;
    }
    const auto it = connections_.find(key);
    if (it == connections_.end() || s.has(flag::rst)) return false;
    const bool brought = read(it->second, s);
    // What comes before the header is complete waits; this server has no room for it.
    auto& c = it->second;
    if (c.have < c.size() && (!s.payload.empty() || s.has(flag::fin))) {
        s.seq = c.isn + c.size() + 1;
        s.payload = {};
        s.ecn = ecn::none;
        s.flags = static_cast<std::uint8_t>(s.flags & ~flag::fin);
    }
    return brought;
}

bool HeaderServer::read(Connection& c, Segment& s) {
    const auto at = s.seq - (c.isn + 1);
    if (at < 0 || at >= static_cast<std::int32_t>(c.size()) || s.payload.empty()) return false;
    const auto begin = static_cast<std::uint32_t>(at);
    const auto size = std::min<std::uint32_t>(static_cast<std::uint32_t>(s.payload.size()), c.size() - begin);
    for (std::uint32_t i = 0; i < size; ++i)
        if (s.payload[i] != static_cast<std::uint8_t>(c.expected[begin + i]))
            journal_.violate(
                "R3", s.from.to_string() + ": wrong byte of the header at " + std::to_string(begin + i));
    if (begin <= c.have) c.have = std::max(c.have, begin + size);
    s.seq = s.seq + size;
    s.payload = s.payload.subspan(size);
    // A piece from the middle: the rest of the segment is a pure ACK of the client's.
    if (s.payload.empty()) s.seq = c.isn + c.size() + 1;
    return true;
}

void HeaderServer::put(Segment& s) const {
    const auto it = connections_.find({s.from, s.to});
    if (it == connections_.end() || !s.has(flag::ack) || s.has(flag::rst)) return;
    const auto& c = it->second;
    if (c.have < c.size()) s.ack = c.isn + c.have + 1;
}

}  // namespace holdfast::sim
