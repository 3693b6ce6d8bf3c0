// What counts as a duplicate ACK where there is no SACK (RFC 5681 section 2).
#include "tests/script/flight.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("recovery: ACKs that come with data are no duplicates (RFC 5681)", "[retransmit]") {
    Flight lane(4, false);
    for (Position p = 1; p < 401; p += 100) {
        lane.server().sends(data(p, p + 100).ack(lane.start(1)));
        lane.client().expects(data(p, p + 100));
    }
    lane.server().expects_nothing();
    lane.ignore_rest();
}
