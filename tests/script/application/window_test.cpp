// Flow control between a client and an application, in both directions.
#include "tests/script/application_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("window: an application that commits nothing closes its client's window", "[application]") {
    ApplicationStage lane({.gate = Gate::app, .limits = {64, 1u << 16, 1023, 256}});
    lane.establish_application();
    Position at = 1;
    for (; at + 1448 <= 65536; at += 1448) lane.client().sends(data(at, at + 1448));
    lane.client().sends(data(at, 65536));
    lane.client().expects_nothing();
    expect_equal(lane.application().taken, 65535, "bytes taken");
    lane.client().sends(probe(65536));
    lane.client().expects(ack(1).window(65408));
    expect_equal(lane.application().taken, 65535, "bytes taken");
    const auto first = lane.application().session;
    auto& other = lane.another();
    lane.establish_application(other);
    other.client.sends(data(1, 1001));
    lane.commit(1000);
    other.client.expects(ack(1001));
    lane.application().channel().commit(first, 65535);
    lane.settle();
    lane.client().expects(ack(65536));
}

STORY("window: an application that takes nothing is offered the same bytes again, with what follows",
      "[application]") {
    ApplicationStage lane;
    lane.establish_application();
    lane.application().takes = 0;
    lane.client().sends(data(1, 501));
    lane.application().takes = ~std::size_t{0};
    lane.client().sends(data(501, 1001));
    expect_equal(lane.application().taken, 1000, "bytes taken");
    for (Position p = 1; p < 1001; ++p)
        expect_equal(lane.application().bytes[p - 1], lane.client().byte_at(p), "a byte");
    lane.commit(1000);
    lane.client().expects(ack(1001));
}

STORY("window: replies are bounded, and the application is told when there is room again", "[application]") {
    ApplicationStage lane({.gate = Gate::app, .limits = {64, 2u << 20, 1023, 256, 1024, 1u << 12}});
    lane.client().default_window = 3072;
    lane.client().offer.window = 3072;
    lane.establish_application();
    expect_equal(lane.reply(5000), 4096, "bytes of reply that had room");
    lane.expect_application_count("replies_short", 1);
    lane.client().expects(data(1, 1449));
    lane.client().expects(data(1449, 2897));
    lane.client().expects(data(2897, 3073));
    lane.client().sends(ack(3073));
    lane.client().expects(data(3073, 4097));
    expect_equal(lane.application().times_writable, 1, "writable() calls");
    expect_equal(lane.reply(904), 904, "bytes of reply that had room");
    lane.client().expects(data(4097, 5001));
    lane.client().sends(ack(5001));
}

STORY("window: sessions share the room for replies, and who has none is told when there is some",
      "[application]") {
    ApplicationStage lane(
        {.gate = Gate::app | Gate::standby, .limits = {64, 2u << 20, 1023, 256, 1024, 1u << 12, 1u << 12}});
    lane.establish_application();
    const auto first = lane.application().session;
    // No standby: nothing leaves, and all of it is held.
    expect_equal(lane.reply(4096), 4096, "bytes of reply that had room");
    auto& other = lane.another();
    lane.establish_application(other);
    expect_equal(lane.reply(100), 0, "bytes of the other's that had room");
    lane.application().channel().abort(first);
    lane.settle();
    lane.client().expects(rst(1));
    expect_equal(lane.application().times_writable, 1, "writable() calls");
}
