// A lane whose server has received nothing yet of a flight of full segments; stories of loss begin here.
#pragma once

#include "tests/script/lane_stage.hpp"

namespace holdfast::script {

/// Segments 1 to n are under way to the server; the round trip is known to be 10 ms, and that time is over.
struct Flight : LaneStage {
    static constexpr Position mss = 1448;

    explicit Flight(Position n, bool with_sack = true) {
        server().offer.sack = with_sack;
        establish();
        client().sends(data(1, 1 + mss));
        server().expects(data(1, 1 + mss));
        at(10_ms);
        server().sends(ack(1 + mss));
        client().expects(ack(1 + mss));
        for (Position i = 1; i <= n; ++i) client().sends(segment(i));
        for (Position i = 1; i <= n; ++i) server().expects(segment(i));
        at(20_ms);
    }
    static Seg segment(Position i) { return data(start(i), start(i + 1)); }
    static Position start(Position i) { return 1 + i * mss; }
    /// The server acknowledges all below segment `i`, and the client is told.
    void acknowledge(Position i) {
        server().sends(ack(start(i)));
        client().expects(ack(start(i)));
    }
    void client_sends(Position first, Position last) {
        for (auto i = first; i <= last; ++i) client().sends(segment(i));
    }
    void server_expects(Position first, Position last) {
        for (auto i = first; i <= last; ++i) server().expects(segment(i));
    }
};

}  // namespace holdfast::script
