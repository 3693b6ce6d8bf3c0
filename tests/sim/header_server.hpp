// A server that wants a PROXY header: it stands between the wire and the sockets of a host, reads the header
// off the front of each connection, and acknowledges it. The sockets behind it count as the clients do: for
// them the connection's ISN is that of the client's first byte, the header's length above the one in the SYN.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "tests/sim/frame.hpp"
#include "tests/sim/journal.hpp"

namespace holdfast::sim {

/// The header of PROXY protocol version 2, from its text; shares nothing with the product.
std::string proxy_header(const Endpoint& client, const Endpoint& service);

class HeaderServer {
  public:
    /// `header` says what `remote` has to send first.
    HeaderServer(Journal& journal, std::function<std::string(const Endpoint& remote)> header)
        : journal_(journal), header_(std::move(header)) {}

    /// Takes the header out of a segment that arrives. True if it brought some of it: an ACK is owed.
    bool take(Segment& s);
    /// A segment that leaves: what is missing of the header is not acknowledged.
    void put(Segment& s) const;

  private:
    struct Connection {
        SeqNum isn;  ///< as it stood in the SYN
        std::string expected;
        std::uint32_t have = 0;
        std::uint32_t size() const { return static_cast<std::uint32_t>(expected.size()); }
    };
    bool read(Connection& c, Segment& s);

    Journal& journal_;
    std::function<std::string(const Endpoint&)> header_;
    std::map<std::pair<Endpoint, Endpoint>, Connection> connections_;  ///< by local and remote
};

}  // namespace holdfast::sim
