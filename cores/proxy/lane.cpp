#include "cores/proxy/lane.hpp"

#include <algorithm>

namespace holdfast::proxy {
namespace {

/// The mirror's rings hold whole groups of records: they do not shrink with the lane's.
std::uint32_t mirror_ring(const Config& config) { return std::max<std::uint32_t>(config.limits.ring, 256); }

/// Entries with bytes are large: some hundred are what a cycle needs.
constexpr std::uint32_t application_ring = 512, payload_ring = 512;

std::vector<std::size_t> first_backends(const Config& config) {
    std::vector<std::size_t> first{0};
    for (const auto& s : config.services) first.push_back(first.back() + s.backends.size());
    return first;
}

}  // namespace

ApplicationLane::ApplicationLane(const std::string& prefix, const Config& config, int socket)
    : to_application(prefix + "_toa", config.limits.ring, socket),
      to_client(prefix + "_tca", config.limits.ring, socket),
      dirty(config.limits.sessions),
      journal(prefix + "_ja", application_ring, socket),
      install(prefix + "_ia", application_ring, socket),
      hosts(config.services.size()) {}

PayloadLane::PayloadLane(const std::string& prefix, std::uint32_t slots, int socket)
    : journal{{prefix + "_pjc", payload_ring, socket}, {prefix + "_pjs", payload_ring, socket}},
      install{{prefix + "_pic", payload_ring, socket}, {prefix + "_pis", payload_ring, socket}},
      stored{ZeroedArray<std::atomic<Position>>(slots), ZeroedArray<std::atomic<Position>>(slots)} {}

Lane::Lane(const std::string& prefix, const Config& config, int socket)
    : slots(config.limits.sessions),
      records(slots),
      cells{ZeroedArray<LegCell>(slots), ZeroedArray<LegCell>(slots)},
      views(slots),
      dirty{DirtySet(slots), DirtySet(slots)},
      to{{prefix + "_toc", config.limits.ring, socket}, {prefix + "_tos", config.limits.ring, socket}},
      journal{{prefix + "_jc", mirror_ring(config), socket}, {prefix + "_js", mirror_ring(config), socket}},
      install{{prefix + "_ic", mirror_ring(config), socket}, {prefix + "_is", mirror_ring(config), socket}},
      backend_options(config),
      application(config.has_applications() ? std::make_unique<ApplicationLane>(prefix, config, socket)
                                            : nullptr),
      payload(config.mirrors_payload() ? std::make_unique<PayloadLane>(prefix, slots, socket) : nullptr),
      first_backend(first_backends(config)),
      backends(first_backend.back()) {}

}  // namespace holdfast::proxy
