#include "tests/sim/application_options.hpp"

#include <algorithm>

#include "tests/sim/ledger.hpp"
#include "tests/sim/scribe.hpp"

namespace holdfast::sim {
namespace {

constexpr unsigned clients = 3;

/// Writes, waits for answers, sometimes says more before they came, and closes.
Script draw_script(Random& random) {
    Script script;
    std::uint64_t said = 0;
    const auto rounds = random.between(1, 12);
    for (std::int64_t i = 0; i < rounds; ++i) {
        const auto size = static_cast<std::uint64_t>(random.between(1, 1 << random.between(1, 14)));
        said += size;
        script.steps.push_back({Step::Kind::write, size, {}});
        if (random.below(3) != 0) script.steps.push_back({Step::Kind::await, said, {}});
        if (random.below(4) == 0)
            script.steps.push_back({Step::Kind::sleep, 0, milliseconds(random.between(1, 300))});
    }
    script.steps.push_back({Step::Kind::shutdown, 0, {}});
    script.steps.push_back({Step::Kind::await_end, 0, {}});
    return script;
}

void draw_client(Random& random, std::uint64_t seed, unsigned number, Service service, Conversation& c) {
    c = draw_conversation(seed, number, Talk::upload, {});
    auto& plan = c.client;
    plan.script = draw_script(random);
    // A journal says nothing.
    if (service == Service::journal)
        std::erase_if(plan.script.steps, [](const Step& step) { return step.kind == Step::Kind::await; });
    plan.expected = service == Service::journal ? 0 : plan.script.bytes();
    plan.cut_allowed = false;
    plan.in = plan.out;
    plan.socket.judges_content = service == Service::echo;
    plan.socket.mss = static_cast<std::uint16_t>(plan.socket.mss - 20);
    c.begins = milliseconds(random.between(0, 30));
}

Service service_of(std::uint64_t seed) {
    if (seed >= ApplicationOptions::first_with_backing)
        return seed % 2 == 0 ? Service::journal : Service::process;
    if (seed % 2 == 0) return Service::echo;
    return seed % 4 == 1 ? Service::scribe : Service::ledger;
}

/// From a number of its own, so that all else stays as it is.
std::vector<Outage> draw_outages(std::uint64_t seed) {
    Random random(mix64(seed ^ 0x07a9e));
    std::vector<Outage> outages(random.below(16));
    for (auto& o : outages)
        o = {random.below(2), milliseconds(random.between(0, 400)),
             microseconds(random.between(1, 1 << random.between(6, 17)))};
    return outages;
}

}  // namespace

ApplicationOptions draw_application_options(std::uint64_t seed) {
    Random random(mix64(seed ^ 0xa99));
    ApplicationOptions o{plain_options(seed, {random.below(2) == 0, false}), service_of(seed), {}};
    if (seed >= ApplicationOptions::first_with_backing) o.outages = draw_outages(seed);
    for (auto& m : o.machines) {
        auto& service = m.config.services[0];
        service.backends.clear();
        service.gate = Gate::app | Gate::standby;
        service.application = ApplicationKind::echo;
        m.config.limits.reply_bytes = 1u << random.between(12, 15);
        m.config.limits.replies = 1u << 18;
        if (o.service != Service::scribe && o.service != Service::ledger) continue;
        m.application = [seed, scribe = o.service == Service::scribe, name = m.name[0]](
                            std::uint64_t life, app::Channel& channel) -> std::unique_ptr<app::Application> {
            const auto key = mix64(seed ^ life << 8 ^ static_cast<unsigned char>(name));
            if (scribe) return std::make_unique<Scribe>(key, channel);
            return std::make_unique<Ledger>(key, channel);
        };
    }
    // Both nodes are the same, or they would refuse each other.
    o.machines[1].config.limits.reply_bytes = o.machines[0].config.limits.reply_bytes;
    for (int direction = 0; direction < 2; ++direction) {
        auto& wire = o.client_access[direction];
        wire.delay = microseconds(random.between(10, 5000));
        if (seed % 3 == 2) wire.loss = 10'000;
        if (seed % 4 == 3) wire.jitter = microseconds(random.between(1, 500));
    }
    for (auto& wire : o.mirror_access) wire.delay = microseconds(random.between(5, 500));
    o.conversations.resize(clients);
    for (unsigned i = 0; i < clients; ++i) draw_client(random, seed, i, o.service, o.conversations[i]);
    return o;
}

}  // namespace holdfast::sim
