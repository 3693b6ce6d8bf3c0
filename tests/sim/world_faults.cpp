// How a run's faults happen, and what they entitle a conversation to.
#include <algorithm>

#include "tests/sim/world.hpp"

namespace holdfast::sim {
namespace {

constexpr Duration look_again = milliseconds(2);
/// A standby younger than this may lack what its former life had stored, and the active not know it yet.
constexpr Duration young = seconds(2);
constexpr Duration ready_limit = seconds(15);

}  // namespace

Machine* World::active() const {
    for (const auto& machine : machines_)
        if (machine->is_active() && !machine->paused()) return machine.get();
    return nullptr;
}

/// The other node runs, has lost its disk and has not heard of the present term yet: were this one gone now,
/// nobody would remember the term.
bool World::only_one_knows_term(const Machine& machine) const {
    const Machine& peer = *machines_[1 - number(machine)];
    return peer.alive() && peer.has_lost_term() && peer.status().term < machine.status().term;
}

/// The next fault's trigger begins to count.
void World::arm_next_fault() {
    fault_armed_ = next_fault_ < options_.faults.size();
    if (!fault_armed_) return;
    armed_at_ = scheduler_.now();
    trigger_met_at_ = Instant::never();
    const auto& trigger = options_.faults[next_fault_].trigger;
    skips_left_ = trigger.skips;
    schedule(Token::fault, 0, trigger.states ? trigger.latest : trigger.after);
}

/// A connection has changed its states.
void World::watch_trigger(const Track& track) {
    if (!fault_armed_ || !trigger_met_at_.is_never()) return;
    const auto& trigger = options_.faults[next_fault_].trigger;
    if (!trigger.states || !track.begun() || *trigger.states != track.states()) return;
    if (skips_left_ > 0) {
        --skips_left_;
        return;
    }
    trigger_met_at_ = scheduler_.now();
    // At once means before the endpoint says another word.
    if (trigger.after.ns == 0) consider_fault();
    else schedule(Token::fault, 0, trigger.after);
}

bool World::fault_is_due(const Fault& fault) const {
    const auto& t = fault.trigger;
    if (!trigger_met_at_.is_never()) return trigger_met_at_ + t.after <= scheduler_.now();
    return armed_at_ + (t.states ? t.latest : t.after) <= scheduler_.now();
}

/// A fault happens once it is due and there is somebody to whom it can happen.
void World::consider_fault() {
    if (!fault_armed_ || next_fault_ >= options_.faults.size()) return;
    const Fault& fault = options_.faults[next_fault_];
    if (!fault_is_due(fault)) return;
    const bool patient = scheduler_.now() - armed_at_ < ready_limit;
    if (active() == nullptr || (fault.waits_for_standby && patient && !pair_ready()) ||
        only_one_knows_term(*active())) {
        schedule(Token::fault, 0, look_again);
        return;
    }
    fault_armed_ = false;
    ++next_fault_;
    inflict(fault);
    if (pending_repairs_ == 0) arm_next_fault();
}

void World::inflict(const Fault& fault) {
    Machine& victim = *active();
    Machine& standby = other(victim);
    if (journal_.verbose()) journal_.print("FAULT " + fault.to_string() + " (active: " + victim.name() + ")");
    count_coverage(fault.kind);
    begin_pattern(Moment::takeover);
    for (auto& track : tracks_)
        if (track.begun() && track.leg[0].talker->socket().state() == State::syn_sent)
            track.handshake_hit = true;
    check_terminated(victim);
    const bool standby_alive = standby.alive();
    switch (fault.kind) {
        case FaultKind::kill_in_burst: victim.kill_in_burst(fault.core); break;
        case FaultKind::kill: victim.kill(); break;
        case FaultKind::kill_standby:
            if (standby_alive) standby.kill();
            break;
        case FaultKind::pause: victim.pause(scheduler_.now() + fault.lasts); break;
        case FaultKind::pause_standby:
            if (standby_alive) standby.pause(scheduler_.now() + fault.lasts);
            break;
        case FaultKind::stall: victim.stall(fault.core, scheduler_.now() + fault.lasts); break;
        case FaultKind::empty_pools: victim.empty_pools(scheduler_.now() + fault.lasts); break;
        case FaultKind::cut_client: return cut(victim, 0, fault.lasts);
        case FaultKind::cut_server: return cut(victim, 1, fault.lasts);
        case FaultKind::cut_mirror: return cut(victim, 2, fault.lasts);
        case FaultKind::count_: break;
    }
    if (fault.kind == FaultKind::kill || fault.kind == FaultKind::kill_in_burst ||
        fault.kind == FaultKind::kill_standby)
        return plan_restart(fault, fault.kind == FaultKind::kill_standby ? standby : victim);
    ++pending_repairs_;
    schedule(Token::tick, 0, fault.lasts);
}

/// Before the first takeover every session that both ends have established is terminated, never translated.
void World::check_terminated(const Machine& machine) {
    if (outcome_.takeovers > 1) return;
    for (const auto& track : tracks_) {
        const auto row = find_row(machine.node(), {options_.site.client_host(), track.plan->client_port});
        if (row && row->mode == "translated")
            journal_.violate("terminated", track.plan->client.label + " is translated in normal operation");
    }
}

/// The victim is started again; one that will die in its next burst may live until then.
void World::plan_restart(const Fault& fault, Machine& victim) {
    // Somebody must remember the term and somebody must come back, or the site is gone for good.
    const bool alone = !other(victim).alive();
    if (!fault.keeps_term && !alone) victim.forget_term();
    if (!fault.restarts && !alone) return;
    ++pending_repairs_;
    schedule(Token::start_machine, number(victim), fault.lasts);
}

void World::restart(std::size_t number) {
    Machine& machine = *machines_[number];
    if (machine.alive()) machine.kill();  // its last burst never came
    machine.start();
    if (traffic_at_ > Instant{} && --pending_repairs_ == 0) arm_next_fault();
}

void World::count_coverage(FaultKind kind) {
    for (const auto& track : tracks_)
        if (track.begun()) outcome_.coverage.count(kind, track.states());
}

void World::cut(Machine& machine, std::size_t port, Duration lasts) {
    set_link(number(machine), port, false);
    ++pending_repairs_;
    schedule(Token::heal_link, number(machine) * port_count + port, lasts);
}

void World::set_link(std::size_t machine, std::size_t port, bool up) {
    if (port == 0) client_switch_.set_up(machine, up);
    if (port == 1) server_switch_.set_up(machine, up);
    if (port == 2)
        for (auto& wire : mirror_wires_) wire->set_up(up);
    machines_[machine]->link_changed(port, up);
    if (port == 2) machines_[1 - machine]->link_changed(port, up);
    if (journal_.verbose())
        journal_.print("link of node " + machines_[machine]->name() + " " + port_names[port] +
                       (up ? " up" : " down"));
}

/// What a node says of its sessions, when it is asked for the last time.
void World::remember_protection(const Machine& machine) {
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
        const auto row =
            find_row(machine.node(), {options_.site.client_host(), tracks_[i].plan->client_port});
        protection_[i] = !row                     ? "no session"
                         : row->mode == "closing" ? "closing"
                                                  : std::string(row->protection);
    }
}

/// `machine` speaks for the first time in its term: from now on its table decides who goes on.
void World::speaker_changed(Machine& machine) {
    Machine& former = other(machine);
    ++outcome_.takeovers;
    if (journal_.verbose()) journal_.print("node " + machine.name() + " speaks");
    if (former.alive()) remember_protection(former);
    wire_checker_.forget(former);
    for (auto& track : tracks_) assess(track, machine);
}

/// Gate standby alone: what was acknowledged while no standby was in sync (service.degrade) is lost.
bool World::breaks_unprotected(const Track& track) const {
    const auto& said = protection_[track.plan->number];
    return is_entrusted(options_.machines[0].config.services[0].gate) && !said.empty() &&
           said != "protected" && said != "closing";
}

/// A session that the heir knows must go on. One that it does not know may break only if nobody had called it
/// protected.
void World::assess(Track& track, const Machine& heir) {
    if (!track.begun() || track.complete() || !track.excuse.empty()) return;
    const auto client = track.leg[0].talker->socket().state();
    if (client == State::syn_sent) track.handshake_hit = true;
    if (breaks_unprotected(track)) {
        track.excuse = protection_[track.plan->number];
        return;
    }
    if (client == State::syn_sent ||
        find_row(heir.node(), {options_.site.client_host(), track.plan->client_port}))
        return;
    if (track.over()) return;
    const auto& said = protection_[track.plan->number];
    if (said == "closing") return;  // both ends have heard everything; a RST can tell them nothing new
    if (said != "protected" || heir.born_at() + young > last_speech_) {
        track.excuse = said.empty() ? "unknown" : said;
        return;
    }
    journal_.violate("R2",
                     track.plan->client.label + " was protected, node " + heir.name() + " does not know it");
}

}  // namespace holdfast::sim
