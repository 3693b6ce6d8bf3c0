#include "tests/sim/world.hpp"

#include <algorithm>

namespace holdfast::sim {
namespace {

constexpr Duration boot_limit = seconds(20), safety_limit = seconds(60), liveness_limit = seconds(180),
                   drain_limit = seconds(10);

}  // namespace

World::World(const Options& options, bool verbose)
    : Pair(options.site, verbose),
      options_(options),
      random_(mix64(options.seed ^ 0xf417)),
      tracks_(options_.conversations.size()),
      wire_checker_(scheduler_, journal_, options, tracks_, machines_),
      protection_(options_.conversations.size()) {
    for (std::size_t i = 0; i < tracks_.size(); ++i) tracks_[i].plan = &options_.conversations[i];
    attach_machines(options_, random_);
    attach_end(client_, client_switch_, Side::client, options_.client_access);
    attach_end(server_, server_switch_, Side::server, options_.server_access);
    if (options_.headers)
        server_.want_headers([this](const Endpoint& remote) {
            const Track* track = wire_checker_.find_by_snat(remote);
            const auto port = track == nullptr ? std::uint16_t{0} : track->plan->client_port;
            return proxy_header({options_.site.client_host(), port}, options_.site.virtual_address());
        });
    server_.listen(80, [this](const Endpoint& remote) -> std::optional<TalkerPlan> {
        const Track* track = wire_checker_.find_by_snat(remote);
        return track == nullptr ? std::nullopt : std::optional(track->plan->server);
    });
}

World::~World() = default;

void World::attach_end(Host& host, Switch& to, Side side, const WireOptions (&access)[2]) {
    const auto wires = attach_host(host, to, random_.next(), access);
    if (!options_.loss_pattern || options_.loss_pattern->leg != side) return;
    for (Wire* wire : {wires.from_station, wires.to_station})
        wire->set_filter([this](const Bytes& frame) { return pattern_loses(frame); });
}

bool World::pattern_loses(const Bytes& frame) {
    std::string fault;
    if (!pattern_frames_ || !read_segment(frame, fault)) return false;
    const auto i = (*pattern_frames_)++;
    return i < 32 && (options_.loss_pattern->bits >> i & 1) != 0;
}

void World::begin_pattern(Moment moment) {
    if (options_.loss_pattern && options_.loss_pattern->moment == moment && !pattern_frames_)
        pattern_frames_ = 0;
}

void World::schedule(Token token, std::uint64_t argument, Duration in) {
    scheduler_.at(scheduler_.now() + in, *this, static_cast<std::uint64_t>(token) << 32 | argument);
}

Outcome World::run() {
    if (boot()) {
        safety();
        liveness();
        drain();
    }
    for (auto& machine : machines_) {
        if (!journal_.verbose() || !machine->alive()) continue;
        machine->take_events();
        machine->print_counters();
    }
    conclude(outcome_);
    outcome_.acks_checked = wire_checker_.acks_checked();
    outcome_.peak_withheld = wire_checker_.peak_withheld();
    return outcome_;
}

bool World::boot() {
    schedule(Token::start_machine, 0, {});
    schedule(Token::start_machine, 1, options_.second_boots_after);
    return run_until([this] { return pair_ready(); }, boot_limit, "boot");
}

void World::safety() {
    traffic_at_ = scheduler_.now();
    for (std::size_t i = 0; i < tracks_.size(); ++i)
        schedule(Token::start_conversation, i, tracks_[i].plan->begins);
    arm_next_fault();
    run_until([this] { return faults_over(); }, safety_limit, "safety");
}

bool World::faults_over() const {
    if (next_fault_ < options_.faults.size() || pending_repairs_ > 0) return false;
    return std::all_of(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.begun(); });
}

void World::liveness() {
    if (journal_.failed()) return;
    if (journal_.verbose()) journal_.print("liveness phase: the network is healed");
    healed_at_ = scheduler_.now();
    client_switch_.heal();
    server_switch_.heal();
    for (auto& wire : mirror_wires_) wire->heal();
    run_until([this] { return all_settled(); }, liveness_limit, "liveness");
    if (!journal_.failed()) judge_ends();
}

bool World::all_settled() const {
    return std::all_of(tracks_.begin(), tracks_.end(), [this](const Track& t) { return settled(t); });
}

/// Complete, or over in a way that a rule allows.
bool World::settled(const Track& track) const {
    if (track.complete()) return true;
    // Who lost its session without a record may wait for an answer until its own timers end; that proves
    // nothing.
    if (!track.excuse.empty()) return true;
    // An answer to a cookie that was lost is not repeated by a client that waits for the server to speak
    // first (RFC 4987 section 3.6).
    const auto waited = scheduler_.now() - healed_at_;
    if (waited > seconds(10) && track.only_cookie() && track.leg[0].talker->socket().sent_end() == 1)
        return true;
    return track.over();
}

/// Gate standby alone: a node that is not sure resets what the peer may have served.
bool World::was_retaken() const {
    return is_entrusted(options_.machines[0].config.services[0].gate) &&
           (machines_[0]->was_unsure() || machines_[1]->was_unsure());
}

void World::judge_ends() {
    for (auto& machine : machines_) machine->take_events();
    for (const auto& track : tracks_) judge_end(track);
}

void World::judge_end(const Track& track) {
    if (track.complete()) {
        ++outcome_.completed;
        return;
    }
    if (!track.excuse.empty() || was_retaken()) {
        ++outcome_.lost;
        if (journal_.verbose()) journal_.print(track.plan->client.label + " was lost: " + track.excuse);
        return;
    }
    const auto& client = track.leg[0].talker->socket();
    const bool never_open =
        client.ending() == Ending::refused || (client.ending() == Ending::timed_out && client.una() == 0);
    const bool starved = options_.loss_pattern && options_.loss_pattern->moment == Moment::handshake;
    // Its client may have believed that it was open.
    if (track.only_cookie()) {
        ++outcome_.refused;
        return;
    }
    if (never_open && (track.handshake_hit || options_.scarce || starved)) {
        ++outcome_.refused;
        return;
    }
    const auto tell = [](const LegTrack& leg) {
        return leg.talker == nullptr ? std::string("never began")
                                     : std::string(name(leg.talker->socket().state())) + ", " +
                                           std::string(name(leg.talker->socket().ending()));
    };
    journal_.violate("survival", track.plan->client.label + ": " + tell(track.leg[0]) + "; " +
                                     track.plan->server.label + ": " + tell(track.leg[1]));
}

/// All sessions time out, nothing is held any more, and the pools are whole when the nodes are gone (R6). A
/// FIN of which the dead node took the knowledge with it is made up for by the probes of an idle session.
void World::drain() {
    if (journal_.failed()) return;
    if (std::all_of(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.complete() || t.over(); }))
        run_until([this] { return drained(); }, drain_limit + options_.machines[0].config.tcp.idle_probe,
                  "drain");
    if (journal_.failed()) return;
    for (auto& machine : machines_)
        if (machine->alive()) machine->kill();
}

bool World::drained() const {
    return std::all_of(machines_.begin(), machines_.end(),
                       [](const auto& machine) { return !machine->alive() || is_empty(*machine); });
}

std::string World::unsettled() const {
    std::string text;
    for (const auto& track : tracks_) {
        if (settled(track)) continue;
        for (const auto& leg : track.leg)
            if (leg.talker != nullptr && !leg.talker->complete())
                text += " [" + leg.talker->plan().label + " " +
                        std::string(name(leg.talker->socket().state())) + "]";
    }
    return text + describe_nodes();
}

void World::wake(std::uint64_t token, const Frame&) {
    const auto argument = token & 0xffffffff;
    switch (static_cast<Token>(token >> 32)) {
        case Token::start_machine: restart(argument); break;
        case Token::start_conversation: {
            const auto& plan = *tracks_[argument].plan;
            client_.connect(plan.client_port, options_.site.virtual_address(), plan.client);
            break;
        }
        case Token::heal_link: set_link(argument / port_count, argument % port_count, true); [[fallthrough]];
        case Token::tick:
            if (--pending_repairs_ == 0) arm_next_fault();
            break;
        case Token::fault: consider_fault(); break;
    }
}

void World::host_sends(Host& host, const Segment& s) {
    wire_checker_.check_promises();
    wire_checker_.endpoint_sends(&host == &client_ ? Side::client : Side::server, s);
}

void World::state_changed(Host& host, Talker& talker, State before) {
    auto& track = tracks_[talker.plan().conversation];
    auto& leg = track.leg[&host == &client_ ? 0 : 1];
    if (before == State::closed) leg.talker = &talker;
    if (talker.socket().state() == State::syn_sent) begin_pattern(Moment::handshake);
    if (talker.socket().state() == State::fin_wait_1) begin_pattern(Moment::close);
    watch_trigger(track);
}

void World::node_sends(Machine& machine, Side side, const Segment& segment) {
    wire_checker_.node_sends(machine, side, segment);
}

void World::machine_receives(Machine& machine, std::size_t port, const Bytes& frame) {
    std::string fault;
    if (port == 2) return;
    if (const auto segment = read_segment(frame, fault))
        wire_checker_.node_receives(machine, port == 0 ? Side::client : Side::server, *segment);
}

void World::machine_dies(Machine& machine) {
    if (speaker_checker_.speaker() == &machine) remember_protection(machine);
    wire_checker_.forget(machine);
    machine.count_refusals(outcome_.coverage);
}

}  // namespace holdfast::sim
