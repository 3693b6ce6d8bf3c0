// A lane whose both legs have agreed on ECN; stories of marks begin here.
#pragma once

#include "tests/script/flight.hpp"

namespace holdfast::script {

struct Marked : LaneStage {
    static constexpr Position mss = Flight::mss;

    explicit Marked(const LaneOptions& options = {}) : LaneStage(options) {
        client().sends(syn().ece().cwr());
        server().expects(syn().ece().cwr().not_ect());
        server().sends(syn_ack().ece());
        client().expects(syn_ack().ece().not_ect());
        client().sends(ack(1));
        server().expects(ack(1).not_ect());
    }
    static Seg segment(Position i) { return Flight::segment(i).ect(); }
    static Position start(Position i) { return Flight::start(i); }
    /// Segments [first, last] reach the server, ECT as all new data is.
    void pass(Position first, Position last) {
        for (auto i = first; i <= last; ++i) client().sends(segment(i));
        for (auto i = first; i <= last; ++i) server().expects(segment(i));
    }
    /// The round trip is known to be 10 ms, and segments 1 to n are under way.
    void fly(Position n) {
        pass(0, 0);
        at(10_ms);
        server().sends(ack(start(1)));
        client().expects(ack(start(1)));
        pass(1, n);
        at(20_ms);
    }
};

}  // namespace holdfast::script
