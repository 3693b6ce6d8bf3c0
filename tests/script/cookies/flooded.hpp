// A lane under a flood as small as can be: with limits.half_open = 1 one client that stays half-open is one
// too many.
#pragma once

#include "cores/tcp/syn_cookie.hpp"
#include "tests/script/lane_stage.hpp"

namespace holdfast::script {

inline LaneOptions bound_of(std::uint32_t half_open, bool standby = false) {
    LaneOptions o;
    o.limits.half_open = half_open;
    o.standby_connected = standby;
    return o;
}

/// The server accepts, and the client's window grows from what the cookie granted to what the server grants.
/// Bytes of the client's that waited go out at once.
inline void accept(Conversation& c) {
    c.server.sends(syn_ack());
    c.client.expects(ack(1).window(64000));
}

class FloodedStage : public LaneStage {
  public:
    /// Its backend has been met once: what it accepts is known, and is what Linux accepts.
    explicit FloodedStage(bool standby = false) : LaneStage(bound_of(1, standby)) {
        establish();
        flood();
    }

    /// Somebody sends a SYN and nothing more.
    void flood() {
        flooder = &another();
        pass_syn(*flooder);
    }
    /// The flood is over.
    void calm_down() {
        flooder->client.sends(rst(1));
        flooder->server.takes();
    }
    /// A client that got its cookie.
    Conversation& given_cookie(const Offer& offer = {}) {
        auto& c = another();
        c.client.offer = offer;
        c.client.sends(syn());
        c.client.expects(syn_ack());
        return c;
    }
    /// Both legs are open; the client has said nothing yet.
    Conversation& established_by_cookie() {
        auto& c = given_cookie();
        c.client.sends(ack(1));
        c.server.expects(syn());
        accept(c);
        c.server.expects(ack(1));
        return c;
    }

    Conversation* flooder = nullptr;
};

/// The same client and the same server, met by another node.
inline void move_to(LaneStage& node, Conversation& to, const Conversation& from) {
    node.at(Duration{});
    to.client.set_local(from.client.local());
    to.client.set_isn(from.client.isn());
    to.client.offer = from.client.offer;
    to.client.knowledge() = from.client.knows();
    to.server.set_local(from.server.local());
    to.server.set_isn(from.server.isn());
    to.server.offer = from.server.offer;
    to.server.knowledge() = from.server.knows();
    to.server_bound = from.server_bound;
}

}  // namespace holdfast::script
