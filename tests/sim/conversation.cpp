#include "tests/sim/conversation.hpp"

#include <algorithm>
#include <bit>

namespace holdfast::sim {
namespace {

/// Log-uniform in [1, limit].
std::uint64_t draw_size(Random& random, std::uint64_t limit) {
    const auto magnitude = random.below(static_cast<std::uint64_t>(std::bit_width(limit)));
    return std::min(limit, (std::uint64_t{1} << magnitude) + random.below(std::uint64_t{1} << magnitude));
}

Duration draw_time(Random& random, Duration limit) {
    return nanoseconds(static_cast<std::int64_t>(draw_size(random, static_cast<std::uint64_t>(limit.ns))));
}

/// Writes the two scripts together; `say` lines keep the sums that the other side waits for.
class Dialogue {
  public:
    Dialogue(Random& random, const ConversationLimits& limits) : random_(random), limits_(limits) {}

    enum Who { client = 0, server = 1 };
    void say(Who who, std::uint64_t bytes) {
        add(who, {Step::Kind::write, bytes, {}});
        said_[who] += bytes;
    }
    void hear(Who who) { add(who, {Step::Kind::await, said_[1 - who], {}}); }
    void pause(Who who, Duration limit) { add(who, {Step::Kind::sleep, 0, draw_time(random_, limit)}); }
    void close(Who who) { add(who, {Step::Kind::shutdown, 0, {}}); }
    void hear_end(Who who) { add(who, {Step::Kind::await_end, 0, {}}); }
    void abort(Who who) { add(who, {Step::Kind::abort, 0, {}}); }
    /// `first` closes, the other answers with its own FIN.
    void part(Who first) {
        close(first);
        hear_end(first);
        hear_end(static_cast<Who>(1 - first));
        close(static_cast<Who>(1 - first));
    }
    /// Half of the transfers are large.
    std::uint64_t size() {
        const auto most = limits_.bytes;
        return random_.below(2) == 0 ? draw_size(random_, most) : most / 4 + random_.below(most * 3 / 4);
    }
    void exchange(unsigned rounds, Duration think) {
        const auto most = std::min<std::uint64_t>(limits_.bytes / (rounds + 1) + 1, 8192);
        for (; rounds > 0; --rounds) {
            say(client, draw_size(random_, most));
            hear(server);
            say(server, draw_size(random_, most));
            hear(client);
            if (think.ns > 0) pause(client, think);
        }
    }

    Script scripts[2];

  private:
    void add(Who who, const Step& step) { scripts[who].steps.push_back(step); }

    Random& random_;
    const ConversationLimits& limits_;
    std::uint64_t said_[2] = {};
};

void write_tiny(Dialogue& d, Random& random) {
    for (auto n = random.between(5, 60); n > 0; --n) {
        const auto who = random.below(2) == 0 ? Dialogue::client : Dialogue::server;
        d.say(who, static_cast<std::uint64_t>(random.between(1, 40)));
        d.pause(who, milliseconds(8));
    }
    d.part(random.below(2) == 0 ? Dialogue::client : Dialogue::server);
}

void write_half_close(Dialogue& d, Random& random) {
    const auto first = random.below(2) == 0 ? Dialogue::client : Dialogue::server;
    const auto second = first == Dialogue::client ? Dialogue::server : Dialogue::client;
    d.say(first, d.size());
    d.close(first);
    d.hear_end(second);
    d.pause(second, seconds(1));
    for (auto n = random.between(1, 5); n > 0; --n) {
        d.say(second, d.size() / 4 + 1);
        d.pause(second, milliseconds(200));
    }
    d.close(second);
    d.hear_end(first);
}

void write_bulk(Dialogue& d, Random& random, bool up, bool down) {
    d.say(Dialogue::client, up ? d.size() : 1 + random.below(200));
    if (!up) d.hear(Dialogue::server);
    d.say(Dialogue::server, down ? d.size() : 1 + random.below(200));
    if (random.below(2) == 0) {
        d.close(Dialogue::client);
        d.close(Dialogue::server);
        d.hear_end(Dialogue::client);
        d.hear_end(Dialogue::server);
        return;
    }
    const auto first = random.below(2) == 0 ? Dialogue::client : Dialogue::server;
    d.hear(first);
    d.part(first);
}

void write_abort(Dialogue& d, Random& random) {
    d.exchange(static_cast<unsigned>(random.between(1, 4)), milliseconds(50));
    const auto who = random.below(2) == 0 ? Dialogue::client : Dialogue::server;
    d.say(who == Dialogue::client ? Dialogue::server : Dialogue::client, d.size());
    d.pause(who, milliseconds(300));
    d.abort(who);
}

void write_scripts(Dialogue& d, Random& random, Talk talk, const ConversationLimits& limits) {
    const auto first = random.below(2) == 0 ? Dialogue::client : Dialogue::server;
    const auto rounds = static_cast<unsigned>(random.between(1, 12));
    switch (talk) {
        case Talk::bulk: return write_bulk(d, random, true, true);
        case Talk::upload: return write_bulk(d, random, true, false);
        case Talk::download: return write_bulk(d, random, false, true);
        case Talk::slow_reader: {
            write_bulk(d, random, true, true);
            auto& reading = d.scripts[random.below(2)].reading;
            reading.pause_at = draw_size(random, limits.bytes / 2);
            reading.pause = draw_time(random, limits.longest_pause);
            if (random.below(2) == 0) {
                reading.chunk = static_cast<std::uint32_t>(random.between(200, 8000));
                reading.every = microseconds(random.between(100, 5000));
            }
            return;
        }
        case Talk::half_close: return write_half_close(d, random);
        case Talk::tiny: return write_tiny(d, random);
        case Talk::abort: return write_abort(d, random);
        case Talk::idle:
            d.exchange(2, {});
            d.pause(Dialogue::client, limits.longest_pause);
            d.exchange(rounds, limits.longest_pause / 4);
            return d.part(first);
        case Talk::simultaneous_close:
            d.say(Dialogue::client, d.size() / 16 + 1);
            d.say(Dialogue::server, d.size() / 16 + 1);
            d.hear(Dialogue::client);
            d.hear(Dialogue::server);
            d.close(Dialogue::client);
            return d.close(Dialogue::server);
        case Talk::greeting:
            d.say(Dialogue::server, 1 + random.below(400));
            d.hear(Dialogue::client);
            [[fallthrough]];
        case Talk::requests:
        case Talk::count_: break;
    }
    d.exchange(rounds, random.below(2) == 0 ? Duration{} : milliseconds(50));
    d.part(first);
}

std::uint32_t draw_isn(Random& random) {
    // Near the wrap in most runs.
    return random.below(4) == 0 ? static_cast<std::uint32_t>(random.next())
                                : 0u - static_cast<std::uint32_t>(random.below(100'000));
}

SocketOptions draw_socket(Random& random, const ConversationLimits& limits) {
    SocketOptions o;
    o.isn = {draw_isn(random)};
    const std::uint16_t sizes[] = {1460, 1460, 1400, 1200, 536, 300};
    o.mss = sizes[random.below(6)];
    o.sack = limits.sack && random.below(10) != 0;
    o.timestamps = limits.timestamps && random.below(10) != 0;
    if (limits.scaling && random.below(10) != 0) o.window_scale = static_cast<std::uint8_t>(random.below(10));
    else o.window_scale.reset();
    o.receive_buffer = std::max(4096u, static_cast<std::uint32_t>(draw_size(random, 262144)));
    o.timestamp_offset = draw_isn(random);
    o.nodelay = random.below(4) != 0;
    o.tail_probe = random.below(4) != 0;
    o.data_with_final_ack = random.below(8) == 0;
    o.initial_window = static_cast<unsigned>(random.between(2, 20));
    o.quick_acks = static_cast<unsigned>(random.below(3)) * 8;
    o.delayed_ack = milliseconds(random.between(1, 40));
    o.rto_min = milliseconds(random.below(3) != 0 ? 200 : random.between(20, 200));
    o.rto_initial = milliseconds(random.below(3) != 0 ? 1000 : random.between(200, 1000));
    o.time_wait = milliseconds(random.between(200, 2000));
    if (random.below(3) == 0) {
        o.keepalive_idle = milliseconds(random.between(300, 2000));
        o.keepalive_interval = milliseconds(random.between(500, 1500));
        o.keepalive_probes = static_cast<unsigned>(random.between(4, 9));
    }
    return o;
}

}  // namespace

Conversation draw_conversation(std::uint64_t seed, unsigned number, Talk talk,
                               const ConversationLimits& limits) {
    Random random(mix64(seed) + number);
    Conversation c;
    c.number = number;
    c.talk = talk;
    c.client_port = static_cast<std::uint16_t>(20000 + number);
    Dialogue dialogue(random, limits);
    write_scripts(dialogue, random, talk, limits);
    const auto label = std::to_string(number) + " " + std::string(name(talk));
    c.client = {"client " + label,           number,
                draw_socket(random, limits), dialogue.scripts[0],
                dialogue.scripts[1].bytes(), dialogue.scripts[1].aborts(),
                Stream(random.next()),       {}};
    c.server = {"server " + label,           number,
                draw_socket(random, limits), dialogue.scripts[1],
                dialogue.scripts[0].bytes(), dialogue.scripts[0].aborts(),
                Stream(random.next()),       {}};
    c.client.socket.mss = static_cast<std::uint16_t>(c.client.socket.mss - number);
    c.client.in = c.server.out;
    c.server.in = c.client.out;
    const std::uint8_t foreign[] = {0, 0, 30, 34};  // nothing, MPTCP, fast open
    c.client.socket.extra_option = foreign[random.below(4)];
    for (auto* plan : {&c.client, &c.server})
        if (plan->cut_allowed && plan->socket.keepalive_idle.ns == 0)
            plan->socket.keepalive_idle = milliseconds(500);
    return c;
}

std::string Conversation::to_string() const {
    const auto end = [](const TalkerPlan& p) {
        const auto& s = p.socket;
        std::string text = std::to_string(p.script.bytes()) + " bytes, isn " + std::to_string(s.isn.value) +
                           ", mss " + std::to_string(s.mss) + ", buffer " + std::to_string(s.receive_buffer) +
                           ", rto min " + std::to_string(s.rto_min.to_ms()) + " ms, delayed ack " +
                           std::to_string(s.delayed_ack.to_ms()) + " ms";
        text += s.window_scale ? ", scale " + std::to_string(*s.window_scale) : ", no scale";
        if (!s.sack) text += ", no SACK";
        if (!s.timestamps) text += ", no timestamps";
        if (!s.nodelay) text += ", Nagle";
        if (!s.tail_probe) text += ", no TLP";
        if (s.data_with_final_ack) text += ", data with final ACK";
        if (s.keepalive_idle.ns > 0)
            text += ", keepalive " + std::to_string(s.keepalive_idle.to_ms()) + " ms";
        return text;
    };
    return "conversation " + std::to_string(number) + ": " + std::string(name(talk)) + ", port " +
           std::to_string(client_port) + ", at " + std::to_string(begins.to_ms()) + " ms\n    client " +
           end(client) + "\n    server " + end(server);
}

}  // namespace holdfast::sim
