// Gate host: the process stalls, comes twice, is slow, and its sessions end.
#include "tests/script/host_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

void expect_bytes(HostStage& lane, Position from, Position until) {
    const auto& t = lane.told();
    expect_equal(t.opened.committed + 1, from, "the first position that the process was given");
    expect_equal(t.received() + 1, until, "the position behind what it was given");
    for (auto p = from; p < until; ++p) expect_equal(t.bytes[p - from], lane.client().byte_at(p), "a byte");
}

}  // namespace

STORY("host: a process that is silent is taken for dead, and gets all again when it speaks", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.run();
    lane.after(900_ms);
    lane.expect_host_count("lost_silent", 0);
    lane.after(200_ms);
    lane.expect_host_count("lost_silent", 1);
    // What it says then comes too late, and it is told so.
    lane.process().client.confirm(lane.session(), 1000);
    lane.run();
    lane.client().expects_nothing();
    lane.run_for(100_ms);
    expect_equal(lane.process().times_detached, 1, "times that it was detached");
    lane.expect_host_count("attached", 2);
    expect_bytes(lane, 1, 1001);
    lane.confirm(1000);
    lane.client().expects(ack(1001));
}

STORY("host: the window closes while nobody confirms, and opens again", "[host]") {
    HostStage lane({.gate = Gate::host, .limits = {64, 1u << 16, 1023, 256}});
    lane.establish_application();
    Position at = 1;
    for (; at + 1448 <= 65536; at += 1448) lane.client().sends(data(at, at + 1448));
    lane.client().sends(data(at, 65536));
    lane.client().expects_nothing();
    lane.client().sends(probe(65536));
    lane.client().expects(ack(1).window(65408));
    lane.start_process();
    expect_bytes(lane, 1, 65536);
    expect(!lane.told().opened.resumed, "nobody had the session before");
    lane.confirm(65535);
    lane.client().expects(ack(65536));
}

STORY("host: a process of another version is refused, and told why", "[host]") {
    HostStage lane;
    lane.cable().up = true;
    test::MemoryLink process(lane.cable(), 1);
    process.send(host::write({host::Kind::hello, 0, 0, {}, 77, 0, {}}, process.prepare()));
    lane.settle();
    lane.expect_host_count("hellos_refused", 1);
    lane.expect_host_count("attached", 0);
    const auto answer = host::read(process.next());
    expect(answer && answer->kind == host::Kind::refused, "it is refused");
    expect_equal(answer->offset, host::protocol_version, "version");
}

STORY("host: a process that attaches once more takes over from itself", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 1001));
    lane.run();
    PlayedProcess again(lane.cable());
    again.client.poll(lane.now());
    lane.settle();
    again.client.poll(lane.now());
    expect(again.client.attached(), "the second one is attached");
    lane.settle();
    while (again.client.poll(lane.now()) > 0) lane.settle();
    lane.expect_host_count("lost_again", 1);
    expect_equal(again.sessions.at(0).received(), 1000, "offset behind what it got");
    again.client.confirm(again.sessions.at(0).opened.session, 1000);
    again.client.poll(lane.now());
    lane.settle();
    lane.client().expects(ack(1001));
}

STORY("host: with room for few frames everything comes, and no session starves", "[host]") {
    HostStage lane;
    lane.cable().frames_max = 3;
    lane.start_process();
    lane.establish_application();
    auto& other = lane.another();
    lane.establish_application(other);
    for (Position p = 1; p < 20'001; p += 1000) lane.client().sends(data(p, p + 1000));
    other.client.sends(data(1, 501).fin());
    lane.run_for(20_ms);
    expect_bytes(lane, 1, 20'001);
    expect_equal(lane.told(1).bytes.size(), 500, "bytes of the other session");
    expect_equal(lane.told(1).end.value(), 500, "its end");
    lane.confirm(20'000);
    lane.client().expects(ack(20'001));
    lane.confirm(500, 1);
    other.client.expects(ack(501));
}

STORY("host: a client that does not read has room for so much reply, and the rest comes when it reads",
      "[host]") {
    HostStage lane({.gate = Gate::host, .limits = {64, 2u << 20, 1023, 256, 1024, 1u << 12}});
    lane.client().default_window = 3072;
    lane.client().offer.window = 3072;
    lane.start_process();
    lane.establish_application();
    lane.run();
    expect_equal(lane.reply(9000), 9000, "bytes of reply that had room with the process");
    lane.client().expects(data(1, 1449));
    lane.client().expects(data(1449, 2897));
    lane.client().expects(data(2897, 3073));
    for (Position at = 3073; at < 9001;) {
        lane.client().sends(ack(at));
        lane.run_for(5_ms);
        const auto end = std::min<Position>(at + 3072, 9001);
        while (at < end) at = lane.client().takes().end;
    }
    lane.client().sends(ack(9001));
    lane.finish();
    lane.client().expects(fin(9001).ack(1));
}

STORY("host: a session that ends while no process is there is not told to the next one", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.run();
    lane.kill_process();
    lane.client().sends(rst(1));
    lane.start_process();
    expect(lane.process().sessions.empty(), "it has no session");
}

STORY("host: a process ends a session by RST", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.run();
    lane.process().client.abort(lane.session());
    lane.run();
    lane.client().expects(rst(1));
    expect(lane.told().closed, "it is told that the session is over");
    lane.expect_application_count("sessions_aborted", 1);
}

STORY("host: an end that was not confirmed comes again, behind the bytes before it", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 1001).fin());
    lane.run();
    expect_equal(lane.told().end.value(), 1000, "its end");
    lane.confirm(300);
    lane.client().expects(ack(301));
    lane.start_process();
    expect_bytes(lane, 301, 1001);
    expect_equal(lane.told().end.value(), 1000, "its end");
    lane.process().client.confirm(lane.session(), 1000);
    lane.confirm_end();
    lane.client().expects(ack(1002));
}

STORY("host: a FIN waits for the process, and comes again to the next one", "[host]") {
    HostStage lane;
    lane.start_process();
    lane.establish_application();
    lane.client().sends(data(1, 101));
    lane.run();
    lane.confirm(100);
    lane.client().expects(ack(101));
    lane.kill_process();
    lane.client().sends(fin(101));
    lane.after(300_ms);
    lane.client().expects_nothing();
    lane.start_process();
    expect_equal(lane.told().opened.committed, 100, "committed");
    expect_equal(lane.told().end.value(), 100, "its end");
    lane.confirm_end();
    lane.client().expects(ack(102));
}
