// Checks of backends: the active node asks from a source address of its half, by a SYN, whether a backend
// accepts connections, and breaks the handshake off with a RST. No session of the backend's comes of it.
#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"

namespace holdfast::proxy {

namespace {
/// A node that waits for its lease looks again this often.
constexpr Duration lease_wait = milliseconds(100);
}  // namespace

/// The node becomes active: every backend counts as up, until it has failed often enough.
void Sessions::start_checks() {
    if (is_client()) return;
    backends_.assume_up();
    checks_at_ = checks_.empty() ? Instant::never() : now_;
    std::size_t n = 0;
    for (auto& check : checks_) {
        check.waiting = false;
        // Spread over the interval, so that backends are not asked all at once.
        const auto& health = s_.config.services[check.service].health;
        check.due = now_ + health.interval / static_cast<std::int64_t>(checks_.size()) *
                               static_cast<std::int64_t>(n++);
    }
}

void Sessions::run_checks() {
    if (now_ < checks_at_) return;
    checks_at_ = Instant::never();
    // A node that is not active asks nobody (R4); become_active() begins anew. While the lease is out nothing
    // leaves, and silence says nothing of a backend.
    if (!active_ || now_.ns >= s_.lane.node.speak_until_ns.load(std::memory_order_acquire)) {
        for (auto& check : checks_) check.waiting = false;
        if (active_) checks_at_ = now_ + lease_wait;
        return;
    }
    for (std::uint32_t n = 0; n < checks_.size(); ++n) {
        const auto& check = checks_[n];
        if (check.waiting && now_ >= check.late) check_failed(n, BackendReason::silent);
        if (now_ >= check.due) begin_check(n);
        checks_at_ = earlier(checks_at_, check.waiting ? earlier(check.due, check.late) : check.due);
    }
}

void Sessions::begin_check(std::uint32_t number) {
    auto& check = checks_[number];
    const auto& service = s_.config.services[check.service];
    check.due = now_ + service.health.interval;
    if (check.has_flow) flows_.erase(key_of(check.leg));
    auto& l = check.leg;
    l.remote = service.backends[check.backend];
    check.has_flow = choose_source(l.remote, l.local) &&
                     flows_.insert(key_of(l), static_cast<std::uint32_t>(legs_.size()) + number);
    if (!check.has_flow) return s_.counters.add(Counter::health_no_port);
    l.iss = s_.secrets.initial_sequence(l.local, l.remote, shared_now());
    tcp::HandshakeOffer offer;
    offer.mss = mss_for(s_.net.settings().mtu, s_.net.settings().mtu, l.remote.address);
    tcp::Tcb t;
    t.hard.leg = l;
    tcp::send_syn(t, offer, context_);
    check.waiting = true;
    check.late = now_ + service.health.timeout;
    s_.counters.add(Counter::health_checks);
}

void Sessions::check_failed(std::uint32_t number, BackendReason reason) {
    auto& check = checks_[number];
    check.waiting = false;
    s_.counters.add(Counter::health_failed);
    backend_failed(check.service, check.backend, reason);
}

void Sessions::in_check(std::uint32_t number, const wire::Frame& frame) {
    auto& check = checks_[number];
    tcp::Tcb t;
    t.hard.leg = check.leg;
    const auto verdict = tcp::judge_in_syn_sent(t, frame);
    // What comes late, or twice, is told that nobody is here.
    if (verdict == tcp::SynSentVerdict::accepted || verdict == tcp::SynSentVerdict::send_reset)
        tcp::emit_reset_reply(frame, context_);
    if (!check.waiting) return;
    if (verdict == tcp::SynSentVerdict::refused) check_failed(number, BackendReason::refuses);
    if (verdict != tcp::SynSentVerdict::accepted) return;
    check.waiting = false;
    backend_answered(check.service, check.backend);
}

void Sessions::check_refused(std::uint32_t number, const wire::IcmpError& e) {
    const auto& check = checks_[number];
    if (!check.waiting || e.seq != check.leg.iss) return s_.counters.add(Counter::icmp_error_blind);
    // Out of reach now: it may yet answer in time.
    if (e.kind != wire::IcmpError::Kind::refused) return s_.counters.add(Counter::icmp_error_noted);
    check_failed(number, BackendReason::refuses);
}

}  // namespace holdfast::proxy
