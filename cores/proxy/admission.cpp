#include "cores/proxy/admission.hpp"

#include <algorithm>

namespace holdfast::proxy {
namespace {

/// Sources are counted while they have a session: there are never more of them.
std::uint32_t sources_max(const Config& config) {
    const bool limited = std::ranges::any_of(
        config.services, [](const ServiceConfig& s) { return s.sessions_per_source_max > 0; });
    return limited ? config.limits.sessions : 16;
}

/// Who shares a limit: an IPv4 address, or an IPv6 /64, which is what one customer gets at least.
FlowKey source_key(std::uint16_t service, const IpAddress& client) {
    FlowKey key{client, {}, service, 0, 0};
    if (!client.is_v4()) std::fill(key.local.bytes.begin() + 8, key.local.bytes.end(), std::uint8_t{0});
    return key;
}

}  // namespace

Admission::Admission(const Config& config, const std::string& name, int socket)
    : config_(config),
      live_(config.services.size()),
      used_until_(config.services.size()),
      sources_(name, sources_max(config), socket),
      source_live_(sources_max(config)) {
    free_places_.reserve(source_live_.size());
    for (auto place = static_cast<std::uint32_t>(source_live_.size()); place-- > 0;)
        free_places_.push_back(place);
}

std::uint32_t Admission::find_source(std::uint16_t service, const IpAddress& client) const {
    return sources_.find(source_key(service, client));
}

Admission::Verdict Admission::judge(std::uint16_t service, const IpAddress& client, Instant now) {
    const auto& s = config_.services[service];
    if (s.sessions_max > 0 && live_[service] >= s.sessions_max) return Verdict::service_full;
    if (limits_sources(service)) {
        const auto place = find_source(service, client);
        if (place != FlowTable::none && source_live_[place] >= s.sessions_per_source_max)
            return Verdict::source_full;
    }
    if (s.accept_rate == 0) return Verdict::admitted;
    // A bucket that holds one second's worth: each session uses up its share of time, ahead of the clock by a
    // second at most.
    const auto share = seconds(1) / static_cast<std::int64_t>(s.accept_rate);
    const auto used_until = std::max(used_until_[service], now) + share;
    if (used_until > now + seconds(1)) return Verdict::over_rate;
    used_until_[service] = used_until;
    return Verdict::admitted;
}

void Admission::session_began(std::uint16_t service, const IpAddress& client) {
    ++live_[service];
    if (!limits_sources(service)) return;
    auto place = find_source(service, client);
    if (place == FlowTable::none) {
        // As many places as sessions, and the table takes as many: there is one.
        place = free_places_.back();
        free_places_.pop_back();
        source_live_[place] = 0;
        sources_.insert(source_key(service, client), place);
    }
    ++source_live_[place];
}

void Admission::session_ended(std::uint16_t service, const IpAddress& client) {
    --live_[service];
    if (!limits_sources(service)) return;
    const auto place = find_source(service, client);
    if (--source_live_[place] > 0) return;
    sources_.erase(source_key(service, client));
    free_places_.push_back(place);
}

}  // namespace holdfast::proxy
