#include "tests/sim/self_test.hpp"

#include <memory>
#include <vector>

#include "tests/sim/conversation.hpp"
#include "tests/sim/host.hpp"

namespace holdfast::sim {
namespace {

WireOptions draw_wire(Random& random) {
    WireOptions o;
    o.delay = microseconds(random.between(5, 20'000));
    o.jitter = microseconds(random.below(2) == 0 ? 0 : random.between(0, 500));
    const std::uint32_t rates[] = {0, 0, 1'000, 10'000, 50'000};
    o.loss = rates[random.below(5)];
    o.duplication = rates[random.below(5)];
    o.reordering = rates[random.below(5)];
    o.reorder_by = microseconds(random.between(10, 20'000));
    if (random.below(3) == 0)
        o.bits_per_second = static_cast<std::uint64_t>(random.between(5, 1000)) * 1'000'000;
    return o;
}

/// Spoils segments of established connections as long as none was spoiled enough to be noticed.
class Spoiler {
  public:
    Spoiler(Tamper tamper, std::uint64_t seed) : tamper_(tamper), random_(seed) {}

    Frame operator()(const Frame& frame) {
        std::string fault;
        auto s = read_segment(*frame, fault);
        if (!s || s->has(flag::syn) || s->has(flag::rst) || random_.below(8) != 0) return frame;
        Bytes payload(s->payload.begin(), s->payload.end());
        if (tamper_ == Tamper::wrong_checksum) {
            auto bytes = std::make_shared<Bytes>(*frame);
            (*bytes)[50] ^= 1;
            return bytes;
        }
        if (!spoil(*s, payload)) return frame;
        s->payload = payload;
        return std::make_shared<Bytes>(write_segment(*s));
    }

  private:
    bool spoil(Segment& s, Bytes& payload) {
        const bool data = !payload.empty();
        switch (tamper_) {
            case Tamper::wrong_byte: return data && ((payload[random_.below(payload.size())] ^= 1), true);
            case Tamper::ack_beyond: return s.ack = s.ack + 300'000, true;
            case Tamper::foreign_echo:
                return s.options.timestamps && ((s.options.timestamps->echo += 100'000), true);
            case Tamper::ack_inside_sacked:
                if (s.options.sack_count == 0) return false;
                s.ack = s.options.sack[s.options.sack_count - 1].end + ~std::uint32_t{0};
                return true;
            case Tamper::beyond_window: return data && (s.seq = s.seq + 400'000, true);
            case Tamper::fin_moved: return s.has(flag::fin) && data && (payload.pop_back(), true);
            case Tamper::option_added: return s.options.unknown_kind = 254, true;
            case Tamper::timestamps_dropped:
                return s.options.timestamps && (s.options.timestamps.reset(), true);
            case Tamper::too_large: return data && (payload.resize(payload.size() + 1461), true);
            default: return false;
        }
    }

    Tamper tamper_;
    Random random_;
};

class DirectWorld : public Actor, public HostObserver {
  public:
    DirectWorld(std::uint64_t seed, bool verbose, Tamper tamper);
    SelfTestResult run();

  private:
    void wake(std::uint64_t number, const Frame&) override {
        const auto& c = conversations_[number];
        client_.connect(c.client_port, {server_.address(), 80}, c.client);
    }
    bool complete() const;

    Journal journal_;
    Scheduler scheduler_;
    Host client_, server_;
    Switch switch_;
    std::vector<Conversation> conversations_;
};

DirectWorld::DirectWorld(std::uint64_t seed, bool verbose, Tamper tamper)
    : journal_(verbose),
      client_(scheduler_, journal_, *this, "client", {{2, 0, 0, 0, 0, 1}}, *IpAddress::parse("10.0.0.1")),
      server_(scheduler_, journal_, *this, "server", {{2, 0, 0, 0, 0, 2}}, *IpAddress::parse("10.0.0.2")),
      switch_(scheduler_) {
    Random random(mix64(seed ^ 0x5e1f));
    for (Host* host : {&client_, &server_}) {
        const auto out = draw_wire(random), in = draw_wire(random);
        const auto wires = switch_.attach(*host, random.next(), out, in);
        host->attach(*wires.from_station);
        if (tamper != Tamper::none) wires.to_station->set_tamper(Spoiler(tamper, seed));
    }
    server_.listen(80, [this](const Endpoint& remote) -> std::optional<TalkerPlan> {
        return conversations_[remote.port - conversations_.front().client_port].server;
    });
    const auto count = static_cast<unsigned>(random.between(1, 3));
    for (unsigned i = 0; i < count; ++i) {
        const auto talk = static_cast<Talk>(random.below(static_cast<std::uint64_t>(Talk::count_)));
        conversations_.push_back(draw_conversation(random.next(), i, talk, {}));
        auto& c = conversations_.back();
        c.client.socket.extra_option = 0;  // nobody here takes it away
        c.client.socket.reneging_is_wrong = c.server.socket.reneging_is_wrong = true;
        if (verbose) journal_.print(c.to_string());
        scheduler_.at(Instant{} + milliseconds(random.between(1, 100)), *this, i);
    }
}

bool DirectWorld::complete() const {
    if (client_.talkers().size() < conversations_.size() || server_.talkers().size() < conversations_.size())
        return false;
    for (const Host* host : {&client_, &server_})
        for (const auto& talker : host->talkers())
            if (!talker->complete()) return false;
    return true;
}

SelfTestResult DirectWorld::run() {
    while (!journal_.failed() && !complete()) {
        if (!scheduler_.step() || scheduler_.now() > Instant{} + seconds(900)) {
            std::string stuck;
            for (const Host* host : {&client_, &server_})
                for (const auto& t : host->talkers())
                    if (!t->complete())
                        stuck += " [" + t->plan().label + " " + std::string(name(t->socket().state())) + " " +
                                 std::string(name(t->socket().ending())) + "]";
            journal_.violate("liveness", "not complete:" + stuck);
        }
        journal_.set_now(scheduler_.now());
    }
    return {!journal_.failed(), journal_.rule(), journal_.text(), journal_.hash(), scheduler_.events()};
}

}  // namespace

SelfTestResult run_self_test(std::uint64_t seed, bool verbose) {
    return DirectWorld(seed, verbose, Tamper::none).run();
}

unsigned runs_to_notice(Tamper tamper, unsigned limit) {
    for (unsigned n = 1; n <= limit; ++n)
        if (DirectWorld(n, false, tamper).run().rule == tamper_rows[static_cast<std::size_t>(tamper)].rule)
            return n;
    return 0;
}

}  // namespace holdfast::sim
