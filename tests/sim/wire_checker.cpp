#include "tests/sim/wire_checker.hpp"

#include <algorithm>
#include <utility>

#include "tests/sim/options.hpp"

namespace holdfast::sim {

namespace {
constexpr Duration listing_time = milliseconds(30);
}

struct WireChecker::View {
    Machine& machine;
    Side side;
    const Segment& s;
    Track& track;
    LegTrack& leg;     ///< the leg it is sent on
    LegTrack& far;     ///< the other one
    const Socket& to;  ///< the endpoint it is sent to

    const Socket* from() const { return far.talker == nullptr ? nullptr : &far.talker->socket(); }
    Position ack() const { return to_position(to.iss(), s.ack, to.una()); }
    Position begin() const { return to_position(*leg.node_iss, s.seq, std::max<Position>(to.next(), 1)); }
    Position end() const { return begin() + s.length(); }
};

WireChecker::WireChecker(Scheduler& scheduler, Journal& journal, const Options& options,
                         std::vector<Track>& tracks, const std::array<std::unique_ptr<Machine>, 2>& machines)
    : cookies_(options.cookies),
      mirrors_payload_(options.machines[0].config.mirrors_payload()),
      entrusted_(is_entrusted(options.machines[0].config.services[0].gate)),
      scheduler_(scheduler),
      journal_(journal),
      site_(options.site),
      header_size_(options.headers
                       ? static_cast<std::uint32_t>(proxy_header({site_.client_host(), 0}, {}).size())
                       : 0),
      tracks_(tracks),
      machines_(machines) {}

Track* WireChecker::find_by_snat(const Endpoint& snat) {
    const auto it =
        std::find_if(tracks_.begin(), tracks_.end(), [&](const Track& t) { return t.snat == snat; });
    return it == tracks_.end() ? nullptr : &*it;
}

Track* WireChecker::find(Side side, const Endpoint& endpoint) {
    if (side == Side::server) return find_by_snat(endpoint);
    if (endpoint.address != site_.client_host()) return nullptr;
    const auto it = std::find_if(tracks_.begin(), tracks_.end(),
                                 [&](const Track& t) { return t.plan->client_port == endpoint.port; });
    return it == tracks_.end() ? nullptr : &*it;
}

/// A node opens its server leg. For whom, the offer tells: the server is offered what the client offered, and
/// every client of a run announces an MSS of its own. That it is the right one is proved by the content.
void WireChecker::pair(const Machine& machine, const Segment& syn) {
    const Track* known = find_by_snat(syn.from);
    const auto iss = syn.seq + header_size_;  // positions are the client's
    if (known != nullptr && (known->leg[1].node_iss == iss || known->leg[1].talker != nullptr)) return;
    for (auto& track : tracks_) {
        if (!track.begun() || syn.options.mss != track.plan->client.socket.mss) continue;
        // What an earlier attempt has left is void, but for the cookie that the client has answered.
        track.leg[1] = LegTrack{};
        auto before = std::exchange(track.leg[0], LegTrack{});
        track.leg[0].talker = before.talker;
        if (track.cookie && before.talker->socket().una() > 0) track.leg[0] = std::move(before);
        track.snat = syn.from;
        track.leg[1].node_iss = iss;
        return;
    }
    journal_.violate("pairing", "node " + machine.name() + " opens " + syn.from.to_string() +
                                    " with an offer that no client made");
}

void WireChecker::node_sends(Machine& machine, Side side, const Segment& s) {
    const bool opens = side == Side::server && s.has(flag::syn) && !s.has(flag::ack);
    if (opens) pair(machine, s);
    Track* track = find(side, side == Side::client ? s.to : s.from);
    auto* leg = track == nullptr ? nullptr : &track->leg[index(side)];
    if (leg == nullptr || leg->talker == nullptr) {
        if (journal_.verbose())
            journal_.print(machine.name() + " -> " + s.to.to_string() + "  " + describe(s, {}, {}));
        return;
    }
    View v{machine, side, s, *track, *leg, track->leg[index(other(side))], leg->talker->socket()};
    learn(v);
    if (journal_.verbose())
        journal_.print(machine.name() + " -> " + s.to.to_string() + "  " +
                       describe(s, leg->node_iss.value_or(SeqNum{}), v.to.iss()));
    if (s.has(flag::rst) || !leg->node_iss) return;
    check_timestamp(v);
    if (s.has(flag::ack)) {
        check_stored(v);
        check_ack(v);
        check_sack(v);
        check_window(v);
    }
    check_payload(v);
    check_fin(v);
}

void WireChecker::learn(const View& v) {
    if (!v.s.has(flag::syn)) return;
    // No server was asked; or the one that another node had asked is not known here.
    const Endpoint client{site_.client_host(), v.track.plan->client_port};
    if (v.side == Side::client && cookies_ &&
        (v.from() == nullptr || !has_open_row(v.machine.node(), client)))
        v.track.cookie = true;
    const bool may_change = v.to.state() == State::closed || (cookies_ && v.to.state() == State::syn_sent);
    const auto iss = v.s.seq + (v.side == Side::server ? header_size_ : 0);
    if (v.leg.node_iss && !(*v.leg.node_iss == iss) && !may_change)
        violate(v, "isn", "the initial sequence number changed");
    v.leg.node_iss = iss;
}

/// A cookie's client was told that its SYN arrived, and was granted the window of a first flight, before any
/// server was asked.
bool WireChecker::by_cookie(const View& v) const { return v.side == Side::client && v.track.cookie; }

/// R1: nobody is told that bytes arrived before the other end has said so. And after a takeover only what the
/// new node itself has heard counts; the one segment whose ACK may come from a hint is a probe: one old byte,
/// or none.
void WireChecker::check_ack(const View& v) {
    ++acks_checked_;
    const Position ack = v.ack();
    const auto withheld = distance(ack, v.from() == nullptr ? ack : v.from()->next());
    if (withheld > 0) peak_withheld_ = std::max(peak_withheld_, static_cast<std::uint64_t>(withheld));
    const auto said = v.leg.ack;
    v.leg.ack = std::max(v.leg.ack, distance(0, ack) > 0 ? ack : 0);
    if (distance(0, ack) <= 0 && !v.s.has(flag::syn)) return;
    if (by_cookie(v) && ack == 1) return;
    if (entrusted_) return check_entrusted_ack(v, ack);
    const auto limit = v.far.acknowledged;
    if (!limit || distance(*limit, ack) > 0)
        return violate(v, "R1",
                       "ACK " + std::to_string(ack) + ", the other end acknowledged " +
                           (limit ? std::to_string(*limit) : std::string("nothing")));
    // A repeated SYN-ACK rests on the record, and that was written when the server had answered.
    const bool old = distance(v.begin(), v.to.next()) > 0 && distance(v.end(), v.to.next()) >= 0;
    const auto heard = v.far.heard[number(v.machine)];
    // So is a PROXY header that asks a server that may not have it, as long as nobody was heard.
    const bool header = header_size_ > 0 && distance(v.end(), 1) >= 0 && !heard;
    const bool probe = v.s.has(flag::syn) || (old && (v.s.payload.size() <= 1 || header));
    // Payload that a standby held comes with what its endpoint was told before.
    const bool held = mirrors_payload_ && !v.s.payload.empty() && distance(said, ack) <= 0;
    if (distance(v.to.una(), ack) > 0 && !probe && !held && (!heard || distance(*heard, ack) > 0))
        violate(v, "T1",
                "ACK " + std::to_string(ack) + " advances, but this node has heard " +
                    (heard ? std::to_string(*heard) : std::string("nothing")) + " from the other end");
}

/// Gate standby alone: what is acknowledged the standby has, and each byte of it reaches the other end, which
/// judge_ends() sees. Nobody sees more than what the endpoint has sent; and while there is no standby, what
/// no one was told before is acknowledged by a node that degrades alone.
void WireChecker::check_entrusted_ack(const View& v, Position ack) {
    if (distance(v.to.sent_end(), ack) > 1)
        violate(v, "R1", "ACK " + std::to_string(ack) + " of what was never sent");
}

/// R1 holds for SACK as well: what is reported, the other end has, so no takeover can lose it. And an ACK
/// number never lands inside what was SACKed before, by whichever node: Linux takes that for reneging and
/// forgets its scoreboard.
void WireChecker::check_sack(const View& v) {
    const Position ack = v.ack();
    std::erase_if(v.leg.sacked, [&](const Range& r) { return distance(r.end, ack) >= 0; });
    // A probe after a takeover acknowledges one byte less than its endpoint was told last. Where that word
    // was lost on its way, this may lie in a range; the answer to the probe brings the ACK that passes it.
    const bool probe = v.s.length() <= 1 && distance(v.begin(), v.to.next()) > 0;
    for (const auto& r : v.leg.sacked)
        if (distance(r.begin, ack) >= 0 && !probe)
            violate(v, "reneging", "SACKed before: " + std::to_string(r.begin) + "-" + std::to_string(r.end));
    for (const auto& wire : v.s.options.ranges()) {
        const Range r{to_position(v.to.iss(), wire.begin, ack), to_position(v.to.iss(), wire.end, ack)};
        const bool known = std::any_of(v.leg.sacked.begin(), v.leg.sacked.end(),
                                       [&](const Range& o) { return o.begin <= r.begin && r.end <= o.end; });
        if (distance(ack, r.begin) > 0 && !known) v.leg.sacked.push_back(r);
        if (distance(ack, r.begin) > 0 && (v.from() == nullptr || !v.from()->holds(r)))
            violate(v, "R1 SACK",
                    std::to_string(r.begin) + "-" + std::to_string(r.end) + ": the other end has not got it");
    }
}

/// R3: every byte is the one that the other end's application said, and it has said it.
void WireChecker::check_payload(const View& v) {
    if (v.s.payload.empty()) return;
    const Position begin = v.begin();
    // The header is the server's to judge (HeaderServer); it goes alone.
    if (v.side == Side::server && header_size_ > 0 && distance(1, begin) < 0 && distance(v.end(), 1) >= 0)
        return;
    if (distance(1, begin) < 0)
        return violate(v, "R3", "payload at position " + std::to_string(distance(0, begin)));
    const auto& stream = v.leg.talker->plan().in;
    if (const auto at = stream.first_difference(begin - 1, v.s.payload))
        return violate(v, "R3", "wrong byte at offset " + std::to_string(*at));
    if (v.from() == nullptr || distance(v.from()->sent_end(), begin + v.s.payload.size()) > 0)
        violate(v, "R3",
                "bytes up to " + std::to_string(begin + v.s.payload.size()) +
                    " were never sent by the other end");
}

void WireChecker::check_fin(const View& v) {
    if (!v.s.has(flag::fin)) return;
    const auto fin = v.from() == nullptr ? std::nullopt : v.from()->fin_position();
    if (!fin || *fin != v.end() - 1)
        violate(v, "R3",
                "FIN at " + std::to_string(v.end() - 1) + ", the other end's is " +
                    (fin ? "at " + std::to_string(*fin) : std::string("not sent")));
}

/// The right edge never passes the one that the other end granted, and never moves to the left.
void WireChecker::check_window(const View& v) {
    if (v.from() == nullptr) return;
    const unsigned shift = v.s.has(flag::syn) ? 0 : v.to.scale_out();
    const Position edge = v.ack() + (std::uint64_t{v.s.window} << shift);
    const Position first_flight = by_cookie(v) ? 1 + 14600 : 0;
    if (distance(std::max(v.from()->granted(), first_flight), edge) > 0)
        violate(v, "window",
                "edge " + std::to_string(edge) + " offered, the other end granted " +
                    std::to_string(v.from()->granted()));
    // A segment with an older ACK carries an older edge. A probe says nothing of windows: what lies below
    // RCV.NXT is not acceptable, and its window is not looked at (RFC 9293 section 3.10.7.4).
    const bool heeded = v.ack() >= v.leg.ack && distance(v.to.next(), v.begin()) >= 0;
    const bool shrinks = heeded && distance(v.leg.edge, edge + (1u << shift) - 1) < 0;
    if (shrinks && v.leg.edge > first_flight && !v.s.has(flag::syn) && v.s.length() == 0 &&
        !is_late_forward(v, edge))
        violate(v, "shrink", "edge " + std::to_string(edge) + ", before " + std::to_string(v.leg.edge));
    v.leg.edge = std::max(v.leg.edge, edge);
}

/// Translated mode forwards what was overtaken on its way, too.
bool WireChecker::is_late_forward(const View& v, Position edge) const {
    const auto row = find_row(v.machine.node(), {site_.client_host(), v.track.plan->client_port});
    if (!row || row->mode != "translated") return false;
    const auto grant = v.far.grants.find(v.ack());
    return grant != v.far.grants.end() && grant->second <= edge;
}

void WireChecker::check_timestamp(const View& v) {
    const auto& ts = v.s.options.timestamps;
    if (!ts) return;
    if (v.leg.last_timestamp && static_cast<std::int32_t>(ts->value - *v.leg.last_timestamp) < 0)
        violate(v, "timestamp",
                "TSval " + std::to_string(ts->value) + " after " + std::to_string(*v.leg.last_timestamp));
    v.leg.last_timestamp = ts->value;
}

/// R2: a handshake completes at an endpoint only when the standby in sync has stored the session, or has been
/// too slow for store_wait. Its listing may follow a moment later.
void WireChecker::check_stored(const View& v) {
    const bool completes = v.side == Side::client ? v.s.has(flag::syn) : v.to.state() == State::syn_received;
    // R2 leaves the client's leg of a cookie out.
    if (by_cookie(v)) return;
    if (!completes || !v.track.accepted_at || v.track.promise) return;
    const auto& standby = *machines_[1 - number(v.machine)];
    if (!standby.alive() || v.machine.status().mirror_state != "in sync") return;
    const auto wait = v.machine.options().config.mirror_link.store_wait;
    if (scheduler_.now() - *v.track.accepted_at >= wait * 9 / 10) return;
    v.track.promise =
        Promise{number(v.machine), v.machine.life(), standby.life(), scheduler_.now() + listing_time};
}

/// The standby must list by now what was promised to be stored.
void WireChecker::check_promises() {
    for (auto& track : tracks_) {
        if (!track.promise || scheduler_.now() < track.promise->due) continue;
        const auto promise = *track.promise;
        const auto &active = *machines_[promise.active], &standby = *machines_[1 - promise.active];
        const bool same = active.life() == promise.active_life && standby.life() == promise.standby_life;
        const Endpoint client{site_.client_host(), track.plan->client_port};
        if (same && standby.runs_since(promise.due - listing_time) && active.is_active() &&
            !standby.is_active() && has_open_row(active.node(), client) && !find_row(standby.node(), client))
            journal_.violate("R2", track.plan->client.label +
                                       ": its handshake was completed, the standby has not stored it");
        track.promise->due = Instant::never();
    }
}

void WireChecker::node_receives(Machine& machine, Side side, const Segment& s) {
    Track* track = find(side, side == Side::client ? s.from : s.to);
    auto* leg = track == nullptr ? nullptr : &track->leg[index(side)];
    if (leg == nullptr || leg->talker == nullptr || !leg->node_iss || !s.has(flag::ack) || s.has(flag::rst))
        return;
    auto ack = to_position(*leg->node_iss, s.ack, leg->talker->socket().next());
    if (distance(1, ack) < 0) ack = 1;  // inside the header: to the client's leg, nothing
    auto& heard = leg->heard[number(machine)];
    heard = std::max(heard.value_or(0), ack);
    if (side == Side::server && s.has(flag::syn) && !track->accepted_at)
        track->accepted_at = scheduler_.now();
}

void WireChecker::endpoint_sends(Side side, const Segment& s) {
    Track* track = find(side, side == Side::client ? s.from : s.to);
    auto* leg = track == nullptr ? nullptr : &track->leg[index(side)];
    if (leg == nullptr || leg->talker == nullptr || !leg->node_iss || !s.has(flag::ack) || s.has(flag::rst))
        return;
    const Position ack = to_position(*leg->node_iss, s.ack, leg->talker->socket().next());
    leg->acknowledged = std::max(leg->acknowledged.value_or(0), ack);
    const Position edge =
        ack + (std::uint64_t{s.window} << (s.has(flag::syn) ? 0 : leg->talker->socket().scale_in()));
    const auto grant = leg->grants.try_emplace(ack, edge).first;
    grant->second = std::min(grant->second, edge);
}

void WireChecker::forget(const Machine& machine) {
    for (auto& track : tracks_)
        for (auto& leg : track.leg) {
            leg.heard[number(machine)].reset();
            // What the old active granted last, the new one learns from the far end.
            if (entrusted_) leg.edge = 0;
        }
}

void WireChecker::violate(const View& v, const std::string& rule, const std::string& text) const {
    journal_.violate(rule, "node " + v.machine.name() + " to " + v.leg.talker->plan().label + " [" +
                               describe(v.s, v.leg.node_iss.value_or(SeqNum{}), v.to.iss()) + "]: " + text);
}

}  // namespace holdfast::sim
