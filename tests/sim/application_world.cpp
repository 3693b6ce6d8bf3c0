#include "tests/sim/application_world.hpp"

#include <algorithm>

#include "tests/sim/disk.hpp"
#include "tests/sim/process.hpp"

namespace holdfast::sim {
namespace {

constexpr Duration boot_limit = seconds(20), traffic_limit = seconds(120), drain_limit = seconds(20),
                   comes_back_after = milliseconds(400);

}  // namespace

ApplicationCase application_case(std::uint64_t number) {
    return {number / ApplicationCase::kills_per_seed, number % ApplicationCase::kills_per_seed};
}

Outcome run_application_case(const ApplicationCase& c, bool verbose) {
    ApplicationWorld undisturbed(c.seed, {}, false, false);
    auto outcome = undisturbed.run();
    if (!outcome.passed()) {
        outcome.text += " (nobody was killed)";
        return outcome;
    }
    const KillPoint at{c.unit(), undisturbed.counted(c.unit()) * c.kill / ApplicationCase::kills_per_seed,
                       c.way()};
    outcome = ApplicationWorld(c.seed, at, c.twice(), verbose).run();
    if (!outcome.passed())
        outcome.text += std::string(" (killed at ") +
                        (at.unit == KillPoint::Unit::events ? "event " : "news ") + std::to_string(at.count) +
                        ")";
    return outcome;
}

ApplicationWorld::ApplicationWorld(std::uint64_t seed, std::optional<KillPoint> kill, bool twice,
                                   bool verbose)
    : ApplicationWorld(draw_application_options(seed), kill, twice, verbose) {}

ApplicationWorld::ApplicationWorld(ApplicationOptions options, std::optional<KillPoint> kill, bool twice,
                                   bool verbose)
    : Pair(options.site, verbose),
      options_(std::move(options)),
      twice_(twice),
      kill_(kill),
      backing_(make_backing()) {
    for (std::size_t i = 0; backing_ && i < 2; ++i) backing_->equip(i, options_.machines[i]);
    Random random(mix64(options_.seed ^ 0x3a));
    attach_machines(options_, random);
    for (std::size_t i = 0; backing_ && i < 2; ++i) backing_->attach(i, *machines_[i]);
    attach_host(client_, client_switch_, 1, options_.client_access);
    attach_host(server_, server_switch_, 1, options_.server_access);
}

/// Nodes stand on what is behind them.
ApplicationWorld::~ApplicationWorld() {
    for (auto& machine : machines_) machine.reset();
}

std::unique_ptr<Backing> ApplicationWorld::make_backing() {
    for (const auto& c : options_.conversations)
        clients_[{options_.site.client_host(), c.client_port}] = {c.client.out, c.client.script.bytes(), 0,
                                                                  false};
    BackingParts parts{scheduler_, journal_, clients_, options_.seed, options_.outages};
    switch (options_.service) {
        case Service::journal: return std::make_unique<Disks>(std::move(parts));
        case Service::process: return std::make_unique<Processes>(std::move(parts));
        default: return nullptr;
    }
}

Outcome ApplicationWorld::run() {
    for (auto& machine : machines_) machine->start();
    if (run_until([this] { return pair_ready(); }, boot_limit, "boot")) {
        traffic_from_ = scheduler_.events();
        for (const auto& c : options_.conversations)
            scheduler_.at(scheduler_.now() + c.begins, *this, c.number);
        if (backing_) backing_->begin();
        if (run_until([this] { return all_complete(); }, traffic_limit, "traffic")) {
            events_of_traffic_ = scheduler_.events() - traffic_from_;
            judge_stall();
            if (run_until([this] { return drained(); }, drain_limit, "drain") && backing_)
                backing_->judge_end();
        }
    }
    for (auto& machine : machines_) {
        if (!machine->alive()) continue;
        if (journal_.verbose()) machine->print_counters();
        if (!journal_.failed()) machine->kill();
    }
    conclude(outcome_);
    outcome_.takeovers = static_cast<unsigned>(kills_);
    return outcome_;
}

/// A core that stalls for longer than detection takes costs the node its role.
void ApplicationWorld::judge_stall() {
    if (stalled_ == nullptr || scheduler_.now() - stalled_at_ < comes_back_after) return;
    if (speaker_checker_.speaker() == stalled_)
        journal_.violate("detection",
                         "node " + stalled_->name() + " is active though its application core stalled");
}

bool ApplicationWorld::all_complete() const {
    const auto& talkers = client_.talkers();
    return talkers.size() == options_.conversations.size() &&
           std::all_of(talkers.begin(), talkers.end(), [](const auto& t) { return t->complete(); });
}

bool ApplicationWorld::drained() const {
    return std::all_of(machines_.begin(), machines_.end(),
                       [](const auto& machine) { return machine->alive() && is_empty(*machine); });
}

bool ApplicationWorld::kill_is_due() const {
    if (!kill_ || traffic_from_ == 0 || events_of_traffic_ > 0) return false;
    if (kills_ > 0) return kills_ == 1 && scheduler_.events() >= again_at_;
    return kill_->count <=
           (kill_->unit == KillPoint::Unit::events ? scheduler_.events() - traffic_from_ : news_);
}

void ApplicationWorld::consider_kill() {
    if (!kill_is_due() || !pair_ready()) return;
    auto& victim = *machines_[machines_[0]->is_active() ? 0 : 1];
    if (journal_.verbose()) journal_.print("KILL of node " + victim.name());
    ++kills_;
    constexpr std::size_t node_core = 2, application_core = 3;
    switch (kill_->way) {
        case KillPoint::Way::at_once: victim.kill(); break;
        case KillPoint::Way::in_burst: victim.kill_in_burst(node_core); break;
        case KillPoint::Way::stall:
            victim.stall(application_core, scheduler_.now() + comes_back_after);
            stalled_ = &victim;
            stalled_at_ = scheduler_.now();
            return;
    }
    scheduler_.at(scheduler_.now() + comes_back_after, *this, 100 + (machines_[0].get() == &victim ? 0 : 1));
}

void ApplicationWorld::wake(std::uint64_t token, const Frame&) {
    if (token >= 100) {
        auto& machine = *machines_[token - 100];
        if (machine.alive()) machine.kill();  // its last burst never came
        machine.start();
        // consider_kill() waits until the pair is whole.
        if (twice_ && kills_ == 1) again_at_ = scheduler_.events() + kill_->count % 2000;
        return;
    }
    const auto& c = options_.conversations[token];
    client_.connect(c.client_port, options_.site.virtual_address(), c.client);
}

void ApplicationWorld::node_sends(Machine& machine, Side side, const Segment& segment) {
    if (side != Side::client) return;
    if (journal_.verbose()) journal_.print(machine.name() + " -> " + describe(segment, {}, {}));
    judge_reply(machine, segment);
}

void ApplicationWorld::machine_dies(Machine& machine) {
    if (!backing_) return;
    backing_->machine_died(number(machine));
    if (traffic_from_ == 0 || events_of_traffic_ > 0) return;
    backing_->judge_survivor(1 - number(machine));
}

/// R3: what stands at an offset stays the same, whoever says it. Numbers and times never begin anew or go
/// back; a client is never told less, but by a probe.
void ApplicationWorld::judge_reply(const Machine& speaker, const Segment& s) {
    auto& said = said_[s.to.port];
    const auto violate = [&](const std::string& rule, const std::string& text) {
        journal_.violate(rule, "to port " + std::to_string(s.to.port) + ": " + text);
    };
    if (s.has(flag::rst)) {
        // Who has left TIME-WAIT may be told that nobody knows it any more.
        const auto& talkers = client_.talkers();
        const bool over = std::any_of(talkers.begin(), talkers.end(), [&](const auto& t) {
            return t->socket().local() == s.to && t->complete();
        });
        if (!over) violate("survival", "a RST");
        return;
    }
    if (s.has(flag::syn)) {
        if (said.iss && !(*said.iss == s.seq)) violate("isn", "the initial sequence number changed");
        said.iss = s.seq;
    }
    if (!said.iss) return violate("isn", "a segment before the SYN-ACK");
    if (const auto& ts = s.options.timestamps) {
        if (said.timestamp && static_cast<std::int32_t>(ts->value - *said.timestamp) < 0)
            violate("timestamp", "TSval goes back");
        said.timestamp = ts->value;
    }
    const auto begin = to_position(*said.iss, s.seq, said.bytes.empty() ? 1 : said.bytes.rbegin()->first);
    bool news = s.has(flag::ack) && (!said.ack || *said.ack < s.ack);
    if (news) {
        said.ack = s.ack;
        judge_acknowledgment(speaker, s);
    }
    for (std::size_t i = 0; i < s.payload.size(); ++i) {
        const auto [place, is_new] = said.bytes.try_emplace(begin + i, s.payload[i]);
        news = news || is_new;
        if (!is_new && place->second != s.payload[i])
            return violate("R3", "the byte at " + std::to_string(begin + i) + " is another one than before");
    }
    news_ += news ? 1 : 0;
}

/// Its number is one that the client was not told before.
void ApplicationWorld::judge_acknowledgment(const Machine& speaker, const Segment& s) {
    const auto& plan =
        std::find_if(options_.conversations.begin(), options_.conversations.end(), [&](const auto& c) {
            return c.client_port == s.to.port;
        })->client;
    auto& told = clients_.at(s.to);
    // The SYN has the number before the first byte, the FIN the one behind the last.
    const auto numbers = to_position(plan.socket.isn, s.ack, told.acknowledged);
    told.acknowledged = std::min(numbers == 0 ? 0 : numbers - 1, told.bytes);
    told.end_acknowledged = numbers > told.bytes + 1;
    if (backing_) backing_->judge_acknowledgment(number(speaker), s.to, told);
}

std::string ApplicationWorld::unsettled() const {
    std::string text;
    for (const auto& t : client_.talkers())
        if (!t->complete())
            text += " [" + t->plan().label + " " + std::string(name(t->socket().state())) + ", " +
                    std::string(name(t->socket().ending())) + ", has " +
                    std::to_string(t->socket().received()) + " of " + std::to_string(t->plan().expected) +
                    ", " + std::to_string(t->socket().una()) + " acknowledged]";
    return text + describe_nodes();
}

}  // namespace holdfast::sim
