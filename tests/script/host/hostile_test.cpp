// Gate host: a process that says what it should not. It harms its own sessions at most, and those by what it
// may do.
#include "tests/script/host_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

using host::Kind;

/// A process that says frames of the story's making.
class Liar : public HostStage {
  public:
    explicit Liar(const LaneOptions& options = {.gate = Gate::host})
        : HostStage(options), process_(cable(), 1) {
        cable().up = true;
        say({Kind::hello, 0, 0, {}, host::protocol_version, 0, {}});
        attachment = host::read(process_.next())->attachment;
        establish_application();
        client().sends(data(1, 1001));
        const auto opened = host::read(process_.next());
        session = opened->session;
    }

    void say(const host::Frame& f) {
        process_.send(host::write(f, process_.prepare()));
        settle();
    }
    void say_raw(const std::vector<std::uint8_t>& bytes) {
        cable().frames[0].push_back(bytes);
        settle();
    }
    host::Frame answer(std::uint64_t offset, std::uint64_t confirmed,
                       std::span<const std::uint8_t> bytes = {}) {
        return {Kind::answer, 0, attachment, session, offset, confirmed, bytes};
    }

    std::uint32_t attachment = 0;
    host::Session session;

  private:
    test::MemoryLink process_;
};

}  // namespace

STORY("host: hellos by the dozen attach a process once", "[host]") {
    Liar lane;
    const auto hello = host::Frame{Kind::hello, 0, 0, {}, host::protocol_version, 0, {}};
    std::vector<std::uint8_t> bytes(host::frame_max);
    bytes.resize(host::write(hello, bytes));
    for (int i = 0; i < 50; ++i) lane.cable().frames[0].push_back(bytes);
    lane.settle();
    lane.expect_host_count("attached", 2);
    lane.expect_host_count("lost_again", 1);
    lane.expect_host_count("hellos_again", 49);
}

STORY("host: a confirmation of bytes that were not sent is refused", "[host]") {
    Liar lane;
    lane.say(lane.answer(0, 1001));
    lane.expect_host_count("confirms_refused", 1);
    lane.say(lane.answer(0, ~std::uint64_t{0}));
    lane.expect_host_count("confirms_refused", 2);
    auto end = lane.answer(0, 1000);
    end.flags = host::flag::end;
    lane.say(end);
    lane.expect_host_count("confirms_refused", 3);
    lane.client().expects(ack(1001));
    lane.say(lane.answer(0, 10));
    lane.client().expects_nothing();
}

STORY("host: frames of another attachment, session or slot change nothing", "[host]") {
    Liar lane;
    auto f = lane.answer(0, 1000);
    ++f.attachment;
    lane.say(f);
    f = lane.answer(0, 1000);
    ++f.session.generation;
    lane.say(f);
    f = lane.answer(0, 1000);
    f.session.slot = 1;
    lane.say(f);
    f.session.slot = ~0u;
    lane.say(f);
    f.kind = Kind::abort;
    lane.say(f);
    lane.expect_host_count("frames_stale", 5);
    lane.client().expects_nothing();
    lane.say(lane.answer(0, 1000));
    lane.client().expects(ack(1001));
}

STORY("host: what is no frame, or none that a process sends, is counted and dropped", "[host]") {
    Liar lane;
    lane.say_raw({1, 2, 3});
    lane.say_raw(std::vector<std::uint8_t>(host::header_size, 0xff));
    lane.say_raw(std::vector<std::uint8_t>(host::header_size, 0));
    std::vector<std::uint8_t> longer_than_it_is(host::header_size);
    host::write(lane.answer(0, 1000), longer_than_it_is);
    longer_than_it_is[2] = 1;
    lane.say_raw(longer_than_it_is);
    auto f = lane.answer(0, 1000);
    f.kind = Kind::welcome;
    lane.say(f);
    f.kind = Kind::data;
    lane.say(f);
    lane.expect_host_count("frames_malformed", 6);
    lane.client().expects_nothing();
}

STORY("host: replies behind a gap wait, and those said twice are taken once", "[host]") {
    Liar lane;
    std::vector<std::uint8_t> bytes(200);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = lane.server().byte_at(1 + i);
    const std::span all(bytes);
    lane.say(lane.answer(100, 1000, all.subspan(100)));
    lane.expect_host_count("frames_gap", 1);
    lane.client().expects_nothing();
    lane.say(lane.answer(0, 0, all.first(100)));
    lane.client().expects(data(1, 101).ack(1));
    lane.say(lane.answer(50, 1000, all.subspan(50)));
    lane.client().expects(data(101, 201).ack(1001));
    // Bytes that were said are what they are (R3).
    const std::vector<std::uint8_t> others(200, 0xee);
    lane.say(lane.answer(0, 1000, others));
    lane.client().sends(ack(201));
    lane.after(2000_ms);
    lane.client().expects_nothing();
}

STORY("host: a confirmation waits for the replies that it belongs to", "[host]") {
    Liar lane({.gate = Gate::host, .limits = {64, 2u << 20, 1023, 256, 1024, 1u << 12}});
    std::vector<std::uint8_t> bytes(5000);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = lane.server().byte_at(1 + i);
    const auto say_from = [&](std::size_t offset) {
        for (; offset < bytes.size(); offset += 1000)
            lane.say(lane.answer(
                offset, offset + 1000 >= bytes.size() ? 1000 : 0,
                std::span(bytes).subspan(offset, std::min<std::size_t>(1000, bytes.size() - offset))));
    };
    say_from(0);
    for (Position at = 1; at < 4097;) {
        const auto seen = lane.client().takes();
        expect_equal(seen.ack, 1, "the ACK");
        at = seen.end;
    }
    lane.client().sends(ack(4097));
    say_from(4096);
    lane.client().expects(data(4097, 5001).ack(1001));
    lane.client().sends(ack(5001));
}

STORY("host: an end of replies is an end", "[host]") {
    Liar lane;
    auto f = lane.answer(0, 1000);
    f.flags = host::flag::finished;
    lane.say(f);
    lane.client().expects(fin(1).ack(1001));
    lane.client().sends(ack(2));
    const std::vector<std::uint8_t> more(10, 1);
    lane.say(lane.answer(0, 1000, more));
    lane.client().expects_nothing();
    lane.client().sends(data(1001, 1101).ack(2));
    lane.say(lane.answer(0, 1100));
    lane.client().expects(ack(1101));
}
