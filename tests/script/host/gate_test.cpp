// Gate host: another process of the machine receives the bytes, and what it confirms is acknowledged.
#include "tests/script/host_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

STORY("gate host: an ACK waits for the process's confirmation", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.run();
    expect_equal(lane.told().bytes.size(), 1000, "bytes that the process has");
    for (std::size_t i = 0; i < 1000; ++i)
        expect_equal(lane.told().bytes[i], lane.client().byte_at(i + 1), "a byte of them");
    lane.run_for(100_ms);
    lane.client().expects_nothing();
    lane.confirm(400);
    lane.client().expects(ack(401));
    lane.confirm(1000);
    lane.client().expects(ack(1001));
}

STORY("gate host: a process that dies is followed by one that gets all that was not confirmed", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.client().sends(data(1001, 2001));
    lane.run();
    lane.confirm(400);
    lane.client().expects(ack(401));
    lane.kill_process();
    lane.client().sends(data(2001, 3001));
    lane.after(400_ms);
    lane.client().expects_nothing();
    lane.expect_host_count("lost_link", 1);
    lane.start_process();
    expect(lane.told().opened.resumed, "the process is told that another one had the session");
    expect_equal(lane.told().opened.committed, 400, "committed");
    expect_equal(lane.told().received(), 3000, "offset behind what it got");
    for (std::size_t i = 0; i < 2600; ++i)
        expect_equal(lane.told().bytes[i], lane.client().byte_at(401 + i), "a byte of them");
    lane.client().expects_nothing();
    lane.confirm(3000);
    lane.client().expects(ack(3001));
    lane.expect_host_count("bytes_again", 1600);
}

STORY("gate host: replies and ends pass both ways", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 101));
    lane.run();
    lane.process().client.confirm(lane.session(), 100);
    expect_equal(lane.reply(300), 300, "bytes of reply that had room");
    lane.client().expects(data(1, 301).ack(101));
    lane.client().sends(ack(301));
    lane.client().sends(fin(101).ack(301));
    lane.run();
    expect_equal(lane.told().end.value(), 100, "end of the client's stream");
    lane.client().expects_nothing();
    lane.confirm_end();
    lane.client().expects(ack(102));
    lane.finish();
    lane.client().expects(fin(301).ack(102));
    lane.client().sends(ack(302));
    lane.run_for(61'000_ms);
    expect(lane.told().closed, "the process knows that the session is over");
    lane.expect_view(proxy::View::none);
    expect_equal(lane.held_mbufs(), 0, "mbufs held");
}
