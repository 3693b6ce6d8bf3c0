// Two guards in virtual time: networks with delay, loss and cuts, clocks that run wrong, pauses, deaths,
// disks. After every step of a node it checks that at most one lease is running (R4).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "cores/guard/guard.hpp"
#include "lib/base/random.hpp"

namespace holdfast::guard::test {

using namespace holdfast::literals;

/// One direction of a network between the two nodes.
struct Wire {
    bool up = true;
    std::uint32_t loss_per_million = 0;
    Duration delay_min = 50_us, delay_max = 300_us;
};

struct NodeOptions {
    std::int64_t drift_ppm = 0;
    Duration offset = 0_s;
    std::uint64_t stored_term = 0;
    Duration disk = 2_ms;  ///< time to write a term; negative = the disk is full
};

/// A node: the guard, its clock, its disk, and a stand-in for its mirror and its client core.
struct Node {
    NodeOptions options;
    std::unique_ptr<Guard> guard;
    std::array<std::uint8_t, 32> key{};
    std::uint64_t life = 0;  ///< grows with every start and kill; work of an older life is void
    Instant busy_until{};    ///< real time; paused, or between deciding and sending
    std::vector<std::function<void(Instant local)>> inbox;
    std::uint64_t disk_term = 0;
    bool writing = false;
    Inputs inputs;
    bool cores_stalled = false;
    bool reference_up = true;
    std::vector<Event> log;
    std::uint64_t tables_dropped = 0, activations = 0, announcements = 0;
    Resumed last_resumed = Resumed::no;
    Reason last_reason = Reason::none;
    Instant active_at{};  ///< real time of the last activation
    Instant last_step{};
    std::uint64_t step_token = 0;

    bool alive() const { return guard != nullptr; }
    std::uint64_t counted(Counter c) const { return guard->counters().get(c); }
};

class World {
  public:
    explicit World(std::uint64_t seed = 1) : random_(seed), seed_(seed) {
        base_.boot_wait = 300_ms;
        base_.syncing_wait = 300_ms;
        base_.references = 2;
    }

    // ---- the stage ----
    Settings& settings() { return base_; }
    Node& node(unsigned id) { return nodes_[id]; }
    Guard& guard(unsigned id) { return *nodes_[id].guard; }
    Wire& wire(unsigned from, Path path) { return heartbeat_wires_[from][static_cast<std::size_t>(path)]; }
    Wire& arp(unsigned from) { return arp_wires_[from]; }
    Random& random() { return random_; }
    Instant now() const { return now_; }
    Instant local(unsigned id, Instant real) const {
        const NodeOptions& o = nodes_[id].options;
        return {real.ns + real.ns * o.drift_ppm / 1'000'000 + o.offset.ns};
    }
    /// The first real instant at which the node's clock shows `at` or more.
    Instant real(unsigned id, Instant at) const {
        if (at.is_never()) return at;
        const NodeOptions& o = nodes_[id].options;
        const std::int64_t elapsed = at.ns - o.offset.ns;
        const long double rate = 1.0L + static_cast<long double>(o.drift_ppm) * 1e-6L;
        Instant t{static_cast<std::int64_t>(static_cast<long double>(elapsed) / rate) - 2};
        while (local(id, t) < at) t.ns += 1;
        return t;
    }

    // ---- what happens ----
    void start(unsigned id);
    void kill(unsigned id);
    void pause(unsigned id, Duration length) {
        nodes_[id].busy_until = later(nodes_[id].busy_until, now_ + length);
    }
    void cut(unsigned from, Path path, bool up = false) { wire(from, path).up = up; }
    void cut_heartbeats(bool up = false) {
        for (unsigned from = 0; from < 2; ++from)
            for (std::size_t p = 0; p < path_count; ++p) heartbeat_wires_[from][p].up = up;
    }
    void set_loss(std::uint32_t per_million) {
        for (auto& direction : heartbeat_wires_)
            for (auto& w : direction) w.loss_per_million = per_million;
    }
    /// Somebody who is none of the nodes answers for the virtual address.
    bool squatter = false;
    Duration sync_time = 20_ms;
    /// A step of a node takes up to this long between the clock reading and the frames' leaving.
    Duration lag_max = 100_us;
    /// Now and then it is paused just there, or between the clock reading and the poll.
    std::uint32_t long_lag_per_million = 0;
    Duration long_lag_max = 200_ms;
    /// Sees every frame on a heartbeat wire that is up, before loss; may keep copies.
    std::function<void(unsigned from, Path, const HeartbeatFrame&)> tap;
    void inject(unsigned to, Path path, std::vector<std::uint8_t> bytes) {
        deliver(to, now_, [this, to, path, bytes = std::move(bytes)](Instant local_now) {
            guard(to).heartbeat_received(path, bytes, local_now);
        });
    }
    void at(Instant when, std::function<void()> what) {
        events_.push({later(when, now_), ++sequence_, std::move(what)});
    }
    void run_for(Duration length);
    /// Runs until `condition`; false when it did not come true within `limit`.
    bool run_until(const std::function<bool()>& condition, Duration limit);

    // ---- what is seen ----
    bool speaking(unsigned id) const { return lease_end(id) > now_; }
    /// Real end of a living node's lease.
    Instant lease_end(unsigned id) const {
        const Node& n = nodes_[id];
        if (!n.alive() || n.guard->role() != Role::active || n.guard->speak_until().ns < 0)
            return Instant{-1};
        return real(id, n.guard->speak_until());
    }
    bool is(unsigned id, State state) {
        return nodes_[id].alive() && guard(id).state(local(id, now_)) == state;
    }
    /// One node active and protected, the other ready.
    bool healthy() {
        return (is(0, State::protected_) && is(1, State::ready) && speaking(0)) ||
               (is(1, State::protected_) && is(0, State::ready) && speaking(1));
    }
    unsigned active() const { return speaking(0) ? 0 : speaking(1) ? 1 : 2; }
    const std::optional<std::string>& violation() const { return violation_; }
    /// The longest time so far in which no node spoke, since the first one did.
    Duration longest_silence() const { return longest_silence_; }
    void forget_silence() { longest_silence_ = {}; }
    std::string describe();

  private:
    struct Scheduled {
        Instant when;
        std::uint64_t sequence;
        std::function<void()> what;
        bool operator<(const Scheduled& o) const {
            return when != o.when ? when > o.when : sequence > o.sequence;
        }
    };

    void deliver(unsigned to, Instant when, std::function<void(Instant)> what);
    void wake(unsigned id, Instant when);
    void step(unsigned id);
    void finish_step(unsigned id, Instant local_now);
    void emit(unsigned id, const Outputs& out);
    void send_heartbeat(unsigned id, Path path, const HeartbeatFrame& frame);
    void probe_vip(unsigned id);
    void query_references(unsigned id);
    void write_term(unsigned id, std::uint64_t term);
    void run_mirror();
    void check();
    Instant after(const Wire& w) { return now_ + Duration{random_.between(w.delay_min.ns, w.delay_max.ns)}; }

    Random random_;
    std::uint64_t seed_;
    Settings base_;
    std::array<Node, 2> nodes_;
    std::array<std::array<Wire, path_count>, 2> heartbeat_wires_;
    std::array<Wire, 2> arp_wires_;
    std::priority_queue<Scheduled> events_;
    std::uint64_t sequence_ = 0;
    Instant now_{}, mirror_since_ = Instant::never(), mirror_lost_{};
    bool mirror_running_ = false;
    std::uint64_t mirror_lives_ = 0;
    std::optional<std::string> violation_;
    Instant covered_until_{-1};
    Duration longest_silence_{};
};

inline void World::start(unsigned id) {
    Node& n = nodes_[id];
    Settings s = base_;
    n.key.fill(0x5a);
    s.key = n.key;
    s.node_id = id;
    s.boot_nonce = random_.next() | 1;
    if (n.life == 0) n.disk_term = n.options.stored_term;
    s.stored_term = n.disk_term;
    ++n.life;
    n.inbox.clear();
    n.writing = false;
    n.inputs = {};
    n.busy_until = now_;
    n.guard = std::make_unique<Guard>(s, local(id, now_));
    wake(id, now_);
    if (!mirror_running_) at(now_, [this] { run_mirror(); });
    mirror_running_ = true;
}

inline void World::kill(unsigned id) {
    Node& n = nodes_[id];
    if (speaking(id)) covered_until_ = now_;
    n.guard.reset();
    ++n.life;
    n.inbox.clear();
}

inline void World::deliver(unsigned to, Instant when, std::function<void(Instant)> what) {
    at(when, [this, to, life = nodes_[to].life, what = std::move(what)] {
        Node& n = nodes_[to];
        if (!n.alive() || n.life != life) return;
        n.inbox.push_back(what);
        wake(to, now_);
    });
}

/// Schedules a duty cycle; a later token supersedes an earlier one.
inline void World::wake(unsigned id, Instant when) {
    Node& n = nodes_[id];
    at(when, [this, id, token = ++n.step_token, life = n.life] {
        if (nodes_[id].life == life && nodes_[id].step_token == token) step(id);
    });
}

/// One duty cycle: read the clock, poll, hand in, advance; what it decided leaves a little later.
inline void World::step(unsigned id) {
    Node& n = nodes_[id];
    if (now_ < n.busy_until) return wake(id, n.busy_until);
    const Instant local_now = local(id, now_);
    if (!random_.chance(long_lag_per_million)) return finish_step(id, local_now);
    n.busy_until = now_ + Duration{random_.between(0, long_lag_max.ns)};
    at(n.busy_until, [this, id, local_now, life = n.life] {
        if (nodes_[id].life == life) finish_step(id, local_now);
    });
}

inline void World::finish_step(unsigned id, Instant local_now) {
    Node& n = nodes_[id];
    n.last_step = now_;
    const auto inbox = std::move(n.inbox);
    n.inbox.clear();
    for (const auto& message : inbox) message(local_now);
    if (!n.cores_stalled)
        n.inputs.progress = {static_cast<std::uint64_t>(now_.ns), static_cast<std::uint64_t>(now_.ns)};
    n.guard->set_inputs(n.inputs);
    const Outputs out = n.guard->advance(local_now);
    for (std::size_t i = 0; i < out.event_count; ++i) n.log.push_back(out.events[i]);
    if (out.drop_table) ++n.tables_dropped, n.inputs.image_ready = n.inputs.standby_in_sync = false;
    if (out.became_active) {
        ++n.activations;
        n.last_reason = out.reason;
        n.active_at = now_;
        n.inputs.image_ready = n.inputs.standby_in_sync = false;
    }
    if (out.resumed != Resumed::no) n.last_resumed = out.resumed;
    if (out.announce) ++n.announcements;
    if (out.term_to_persist) write_term(id, *out.term_to_persist);
    check();
    const Duration lag = random_.chance(long_lag_per_million) ? long_lag_max : lag_max;
    n.busy_until = later(n.busy_until, now_ + Duration{random_.between(0, lag.ns)});
    at(n.busy_until, [this, id, life = n.life, out] {
        if (nodes_[id].life == life) emit(id, out);
    });
    wake(id, later(n.busy_until, real(id, out.next_deadline)));
}

inline void World::emit(unsigned id, const Outputs& out) {
    for (std::size_t i = 0; i < out.heartbeat_count; ++i)
        send_heartbeat(id, out.heartbeats[i].path, out.heartbeats[i].payload);
    if (out.query_vip && !nodes_[id].cores_stalled) probe_vip(id);
    if (out.query_references) query_references(id);
}

inline void World::send_heartbeat(unsigned id, Path path, const HeartbeatFrame& frame) {
    const Wire& w = wire(id, path);
    if (!w.up) return;
    if (tap) tap(id, path, frame);
    if (random_.chance(w.loss_per_million)) return;
    deliver(1 - id, after(w), [this, to = 1 - id, path, frame](Instant local_now) {
        guard(to).heartbeat_received(path, frame, local_now);
    });
}

/// The peer answers while its lease runs, as its client core would.
inline void World::probe_vip(unsigned id) {
    const auto answer = [this, id](const Wire& w) {
        if (w.up && !random_.chance(w.loss_per_million))
            deliver(id, after(w), [this, id](Instant local_now) { guard(id).vip_answered(local_now); });
    };
    if (squatter) answer(arp_wires_[1 - id]);
    const Wire& w = arp_wires_[id];
    if (!w.up || random_.chance(w.loss_per_million)) return;
    deliver(1 - id, after(w), [this, to = 1 - id, answer](Instant local_now) {
        if (nodes_[to].cores_stalled) return;
        if (local_now < guard(to).speak_until()) answer(arp_wires_[to]);
        guard(to).vip_probe_heard(local_now);
    });
}

inline void World::query_references(unsigned id) {
    if (!nodes_[id].reference_up) return;
    for (unsigned target = 0; target < base_.references; ++target)
        deliver(id, now_ + Duration{random_.between(100'000, 800'000)},
                [this, id, target](Instant local_now) { guard(id).reference_answered(target, local_now); });
}

inline void World::write_term(unsigned id, std::uint64_t term) {
    Node& n = nodes_[id];
    if (n.writing || n.options.disk < 0_s) return;
    n.writing = true;
    at(now_ + n.options.disk, [this, id, term, life = n.life] {
        Node& m = nodes_[id];
        if (m.life != life) return;
        m.writing = false;
        m.disk_term = term;
        deliver(id, now_, [this, id, term](Instant) { guard(id).term_persisted(term); });
    });
}

/// Stands in for the mirror: a standby that follows is in sync `sync_time` later; a lost link is noticed
/// late.
inline void World::run_mirror() {
    at(now_ + 1_ms, [this] { run_mirror(); });
    bool linked = nodes_[0].alive() && nodes_[1].alive() && wire(0, Path::mirror).up &&
                  wire(1, Path::mirror).up && guard(0).term() == guard(1).term() && guard(0).term() != 0;
    if (linked)
        linked = (guard(0).role() == Role::active && guard(1).role() == Role::standby) ||
                 (guard(1).role() == Role::active && guard(0).role() == Role::standby);
    const std::uint64_t lives = nodes_[0].life * 1'000'000 + nodes_[1].life;
    if (!linked || lives != mirror_lives_) mirror_since_ = Instant::never();
    if (linked && mirror_since_.is_never()) mirror_since_ = now_;
    mirror_lives_ = lives;
    if (linked) mirror_lost_ = now_;
    for (Node& n : nodes_) {
        if (!n.alive()) continue;
        if (linked && now_ - mirror_since_ >= sync_time)
            (n.guard->role() == Role::active ? n.inputs.standby_in_sync : n.inputs.image_ready) = true;
        if (now_ - mirror_lost_ > 50_ms) n.inputs.standby_in_sync = false;
    }
}

/// R4, stricter than the wire: no two leases run at one instant, whether their holders run or not.
inline void World::check() {
    const Instant a = lease_end(0), b = lease_end(1);
    if (a > now_ && b > now_ && !violation_) violation_ = "two leases at once: " + describe();
    if (covered_until_.ns >= 0 && now_ > covered_until_)
        longest_silence_ = std::max(longest_silence_, now_ - covered_until_);
    covered_until_ = later(covered_until_, later(a, b));
    if (later(a, b) > now_) covered_until_ = later(a, b);
}

inline void World::run_for(Duration length) {
    const Instant end = now_ + length;
    run_until([] { return false; }, length);
    now_ = end;
}

inline bool World::run_until(const std::function<bool()>& condition, Duration limit) {
    const Instant end = now_ + limit;
    while (!events_.empty() && events_.top().when <= end) {
        const Scheduled next = events_.top();
        events_.pop();
        now_ = next.when;
        next.what();
        if (condition()) return true;
    }
    now_ = end;
    return condition();
}

inline std::string World::describe() {
    std::string text = "seed " + std::to_string(seed_) + " at " + std::to_string(now_.ns / 1000) + " us:";
    for (unsigned id = 0; id < 2; ++id) {
        text += " node " + std::to_string(id);
        if (!nodes_[id].alive()) {
            text += " dead;";
            continue;
        }
        Guard& g = guard(id);
        text += std::string(" ") + std::string(name_of(g.role())) + "/" +
                std::string(name_of(g.state(local(id, now_)))) + " term " + std::to_string(g.term()) +
                " hold " + std::string(name_of(g.hold())) + " lease left " +
                std::to_string((lease_end(id) - now_).to_us()) + " us, reason " +
                std::string(name_of(nodes_[id].last_reason)) + ";";
    }
    return text;
}

}  // namespace holdfast::guard::test
