#include "cores/protocol/guard_settings.hpp"

#include <algorithm>

namespace holdfast::protocol {
namespace {

static_assert(GuardConfig::references_max == guard::references_max);

/// Waiting times that are not worth a key: a second, or more where the lease asks for it.
void derive_from_lease(guard::Settings& s) {
    const Duration at_least = seconds(1);
    s.syncing_wait = std::max(at_least, (s.lease + s.lease_margin) * 2);
    s.echo_window = std::max(at_least, s.lease);
}

}  // namespace

guard::Settings guard_settings(const Config& config, std::uint64_t boot_nonce, std::uint64_t stored_term) {
    const GuardConfig& g = config.guard;
    guard::Settings s;
    s.node_id = config.node_id;
    s.key = config.key;
    s.boot_nonce = boot_nonce;
    s.stored_term = stored_term;
    s.heartbeat = g.heartbeat;
    s.lease = g.lease;
    s.lease_margin = g.lease_margin;
    s.boot_wait = g.boot_wait;
    s.announce_every = g.announce_every;
    s.announce_for = g.announce_for;
    s.references = static_cast<unsigned>(g.reference.size());
    derive_from_lease(s);
    return s;
}

}  // namespace holdfast::protocol
