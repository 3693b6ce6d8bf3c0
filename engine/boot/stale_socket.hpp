// Sockets that a killed process left behind.
#pragma once

#include <string>
#include <vector>

namespace holdfast::engine {

/// Removes the socket files named in --vdev options (memif, vhost, virtio_user) on which nobody listens any
/// more: a driver that listens would fail on them, or worse, succeed and never hear anything. Returns what it
/// removed.
std::vector<std::string> remove_stale_sockets(const std::vector<std::string>& eal_options);

}  // namespace holdfast::engine
