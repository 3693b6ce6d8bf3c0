#include "cores/proxy/backends.hpp"

#include "lib/base/random.hpp"

namespace holdfast::proxy {

Backends::Backends(const Config& config, const tcp::Secrets& secrets, Lane& lane)
    : config_(config),
      secrets_(secrets),
      lane_(lane),
      next_(config.services.size()),
      streaks_(lane.backends.size()) {
    own_hash_.reserve(lane.backends.size());
    for (const auto& s : config.services)
        for (const auto& b : s.backends)
            own_hash_.push_back(secrets.hash(s.address, b, tcp::Purpose::backend));
}

bool Backends::usable(std::uint16_t service, std::uint16_t backend, const Tried& tried) const {
    const auto& cell = lane_.backends[lane_.place_of(service, backend)];
    return cell.up.load(std::memory_order_relaxed) && !cell.drained.load(std::memory_order_relaxed) &&
           !tried.contains(backend);
}

/// The lower, the better.
std::uint64_t Backends::rank(std::uint16_t service, std::uint16_t backend, std::uint64_t client) const {
    const auto place = lane_.place_of(service, backend);
    switch (config_.services[service].balance) {
        case Balance::round_robin: return 0;
        case Balance::least_sessions: return lane_.backends[place].sessions.load(std::memory_order_relaxed);
        // Rendezvous: each client ranks the backends in an order of its own, so one that goes moves its own
        // clients and nobody else's, and both nodes agree without a word.
        case Balance::source_hash: return mix64(client ^ own_hash_[place]);
    }
    return 0;
}

std::uint16_t Backends::choose(std::uint16_t service, const IpAddress& client, const Tried& tried) {
    const auto& s = config_.services[service];
    const auto count = static_cast<std::uint16_t>(s.backends.size());
    const auto source =
        s.balance == Balance::source_hash ? secrets_.hash(s.address, {client, 0}, tcp::Purpose::client) : 0;
    auto best = none;
    std::uint64_t best_rank = 0;
    for (std::uint16_t i = 0; i < count; ++i) {
        const auto b = static_cast<std::uint16_t>((next_[service] + i) % count);
        if (!usable(service, b, tried)) continue;
        const auto r = rank(service, b, source);
        if (best != none && r >= best_rank) continue;
        best = b;
        best_rank = r;
    }
    if (best != none) next_[service] = static_cast<std::uint16_t>((best + 1) % count);
    return best;
}

bool Backends::has_choice(std::uint16_t service, const Tried& tried) const {
    for (std::uint16_t b = 0; b < config_.services[service].backends.size(); ++b)
        if (usable(service, b, tried)) return true;
    return false;
}

void Backends::session_began(std::uint16_t service, std::uint16_t backend) {
    auto& n = lane_.backends[lane_.place_of(service, backend)].sessions;
    n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Backends::session_ended(std::uint16_t service, std::uint16_t backend) {
    auto& n = lane_.backends[lane_.place_of(service, backend)].sessions;
    n.store(n.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

bool Backends::answered(std::uint16_t service, std::uint16_t backend) {
    const auto place = lane_.place_of(service, backend);
    auto& cell = lane_.backends[place];
    auto& streak = streaks_[place];
    streak.failures = 0;
    if (cell.up.load(std::memory_order_relaxed)) return false;
    if (++streak.answers < config_.services[service].health.rise) return false;
    cell.reason.store(BackendReason::answers, std::memory_order_relaxed);
    cell.up.store(true, std::memory_order_release);
    return true;
}

bool Backends::failed(std::uint16_t service, std::uint16_t backend, BackendReason reason) {
    const auto& health = config_.services[service].health;
    // Nobody would find out that it is up again.
    if (health.interval == Duration{}) return false;
    const auto place = lane_.place_of(service, backend);
    auto& cell = lane_.backends[place];
    auto& streak = streaks_[place];
    streak.answers = 0;
    if (!cell.up.load(std::memory_order_relaxed)) return false;
    if (++streak.failures < health.fall) return false;
    streak.failures = 0;
    cell.reason.store(reason, std::memory_order_relaxed);
    cell.up.store(false, std::memory_order_release);
    return true;
}

void Backends::assume_up() {
    for (auto& streak : streaks_) streak = {};
    for (auto& cell : lane_.backends) {
        cell.reason.store(BackendReason::none, std::memory_order_relaxed);
        cell.up.store(true, std::memory_order_release);
    }
}

}  // namespace holdfast::proxy
