// What the simulation knows of one conversation beyond its plan: both sockets, and what passed on its two
// legs.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/conversation.hpp"
#include "tests/sim/fault.hpp"
#include "tests/sim/machine.hpp"

namespace holdfast::sim {

/// One leg as the wire shows it: between the nodes and one endpoint.
struct LegTrack {
    Talker* talker = nullptr;              ///< the endpoint's
    std::optional<SeqNum> node_iss;        ///< the nodes' initial sequence number
    std::optional<Position> acknowledged;  ///< highest position the endpoint ever acknowledged
    std::array<std::optional<Position>, 2>
        heard;  ///< the same, as handed to each node since it last lost its role
    std::optional<std::uint32_t> last_timestamp;  ///< TSval of the nodes' last segment
    std::map<Position, Position>
        grants;                 ///< by position acknowledged: the lowest right edge it granted with it
    std::vector<Range> sacked;  ///< what was SACKed to the endpoint
    Position edge = 0;          ///< highest right edge offered to the endpoint
    Position ack = 0;           ///< highest position acknowledged to it
};

/// A handshake was let through: the standby is said to have stored it.
struct Promise {
    std::size_t active = 0;  ///< number of the machine that let it through
    std::uint64_t active_life = 0, standby_life = 0;
    Instant due{};  ///< by then the standby lists it; never = has been checked
};

struct Track {
    const Conversation* plan = nullptr;
    LegTrack leg[2];                     ///< by Side
    Endpoint snat;                       ///< what the server sees as its client
    std::optional<Instant> accepted_at;  ///< the server's SYN-ACK was first handed to a node
    std::optional<Promise> promise;
    bool cookie = false;         ///< the client was answered before any server was asked
    bool handshake_hit = false;  ///< a fault fell into the handshake: it may end refused
    std::string excuse;          ///< why it may break; empty: it may not

    bool begun() const { return leg[0].talker != nullptr; }
    /// Of both ends of a conversation that has begun.
    StatePair states() const {
        const auto* server = leg[1].talker;
        return {leg[0].talker->socket().state(),
                server == nullptr ? State::closed : server->socket().state()};
    }
    bool complete() const {
        return leg[0].talker != nullptr && leg[0].talker->complete() && leg[1].talker != nullptr &&
               leg[1].talker->complete();
    }
    /// The client answered a cookie, and no server's handshake was completed for it.
    bool only_cookie() const {
        return cookie && leg[0].talker->socket().una() > 0 &&
               (leg[1].talker == nullptr || leg[1].talker->socket().una() == 0);
    }
    /// Nothing more will happen.
    bool over() const {
        for (const auto& l : leg)
            if (l.talker != nullptr && !l.talker->complete() && !l.talker->broken()) return false;
        return begun();
    }
};

/// The row of the session whose client is `client`, if the node has one.
inline std::optional<protocol::SessionRow> find_row(const protocol::Node& node, const Endpoint& client) {
    for (std::uint32_t slot = 0; slot < node.session_slots(); ++slot)
        if (const auto row = node.session(slot); row && row->client == client) return row;
    return std::nullopt;
}

/// The node has a session of `client` that is not over.
inline bool has_open_row(const protocol::Node& node, const Endpoint& client) {
    const auto row = find_row(node, client);
    return row && row->mode != "closing";
}

}  // namespace holdfast::sim
