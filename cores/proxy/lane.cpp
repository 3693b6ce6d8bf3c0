#include "cores/proxy/lane.hpp"

namespace holdfast::proxy {

Lane::Lane(const std::string& prefix, const Config& config, int socket)
    : slots(config.limits.sessions),
      records(slots),
      cells{std::make_unique<LegCell[]>(slots), std::make_unique<LegCell[]>(slots)},
      dirty{DirtySet(slots), DirtySet(slots)},
      to{{prefix + "_toc", config.limits.ring, socket}, {prefix + "_tos", config.limits.ring, socket}},
      journal{{prefix + "_jc", config.limits.ring, socket}, {prefix + "_js", config.limits.ring, socket}},
      install{{prefix + "_ic", config.limits.ring, socket}, {prefix + "_is", config.limits.ring, socket}} {}

}  // namespace holdfast::proxy
